#include "template/metadata/metadata_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/os/file.h"
#include "template/test_directory.h"

namespace cay::templates {
namespace {

Metadata Some(const std::string& source) {
  Metadata metadata;
  metadata.layers = {"aaaaaaaaaaaaaaaaaaaa"};
  metadata.user = {"user", "/home/user", "/bin/sh"};
  metadata.info.source = source;
  return metadata;
}

class MetadataCacheTest : public ::testing::Test {
 protected:
  void Put(const std::string& name, const std::string& source) {
    ASSERT_TRUE(WriteFileAtomic(dir_.At(name), *SerializeMetadata(Some(source)), 0600));
  }
  std::string SourceOf(const std::string& name) {
    const auto read = cache_.Read(name, dir_.At(name));
    return read ? (*read)->info.source : read.error().ToString();
  }

  TestDirectory dir_;
  MetadataCache cache_;
};

TEST_F(MetadataCacheTest, ReadsAFileOnce) {
  Put("a", "first");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(SourceOf("a"), "first");
  EXPECT_EQ(cache_.parsed(), 1U);
}

TEST_F(MetadataCacheTest, SeesThatOneWasReplaced) {
  Put("a", "first");
  EXPECT_EQ(SourceOf("a"), "first");
  Put("a", "other");
  EXPECT_EQ(SourceOf("a"), "other") << "of the same length, and perhaps of the same instant";
}

TEST_F(MetadataCacheTest, SeesThatOneIsGone) {
  Put("a", "first");
  EXPECT_EQ(SourceOf("a"), "first");
  dir_.Remove("a");
  const auto read = cache_.Read("a", dir_.At("a"));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().sys_errno(), ENOENT);
}

TEST_F(MetadataCacheTest, KeepsSoManyAndNotMore) {
  for (size_t i = 0; i <= MetadataCache::kMost; ++i) {
    Put("t" + std::to_string(i), "one");
    EXPECT_EQ(SourceOf("t" + std::to_string(i)), "one");
  }
  const uint64_t before = cache_.parsed();
  SourceOf("t" + std::to_string(MetadataCache::kMost));
  EXPECT_EQ(cache_.parsed(), before);
  SourceOf("t0");
  EXPECT_EQ(cache_.parsed(), before + 1) << "it had to go";
}

}  // namespace
}  // namespace cay::templates
