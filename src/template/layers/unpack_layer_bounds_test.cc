// How a layer's bytes come, and how much of them is taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/compression.h"
#include "template/layers/test_layers.h"

namespace cay::templates {
namespace {

using archive::Compression;
using archive::EntryType;
using ::testing::HasSubstr;

class LayerBytesTest : public ::testing::Test {
 protected:
  LayerBytesTest() : stack_(UsualForm()) {}

  static std::string Tar() { return LayerTar().File("a", std::string(100'000, 'a')).Finish(); }
  static std::string Packed(const std::string& bytes, Compression compression) {
    archive::StringSink sink;
    auto packed = archive::Compress(sink, compression);
    EXPECT_TRUE((*packed)->Write(bytes));
    EXPECT_TRUE((*packed)->Finish());
    return sink.text();
  }
  static std::string SkippableFrame(std::string_view content) {
    std::string frame("\x50\x2a\x4d\x18", 4);
    for (unsigned shift = 0; shift < 32; shift += 8) {
      frame += static_cast<char>((content.size() >> shift) & 0xffU);
    }
    return frame.append(content);
  }
  Result<LayerReport> Add(const std::string& blob, const std::string& tar) {
    return stack_.TryAdd(blob, {.blob = DigestOf(blob), .diff_id = DigestOf(tar)});
  }
  void ExpectUnpacked(const std::string& blob, const std::string& tar) {
    const Result<LayerReport> report = Add(blob, tar);
    ASSERT_TRUE(report.has_value()) << report.error().ToString();
    EXPECT_EQ(report->blob_bytes, blob.size());
    EXPECT_EQ(report->tar_bytes, tar.size());
    EXPECT_EQ(ReadFile(stack_.At("a")).value_or("").size(), 100'000U);
  }

  LayerStack stack_;
};

TEST_F(LayerBytesTest, EveryCompressionIsUnderstood) {
  const std::string tar = Tar();
  for (const Compression compression :
       {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    ExpectUnpacked(Packed(tar, compression), tar);
  }
}

TEST_F(LayerBytesTest, MembersAndFramesFollowEachOther) {
  const std::string tar = Tar();
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    std::string blob;
    for (size_t at = 0; at < tar.size(); at += 30'000) {
      blob += Packed(tar.substr(at, 30'000), compression);
    }
    ExpectUnpacked(blob, tar);
  }
}

TEST_F(LayerBytesTest, SkippableFramesAreSkippedAndDigested) {
  const std::string tar = Tar();
  const std::string half = Packed(tar.substr(0, 50'000), Compression::kZstd);
  const std::string rest = Packed(tar.substr(50'000), Compression::kZstd);
  ExpectUnpacked(half + SkippableFrame("what is where") + rest + SkippableFrame("manifest"), tar);
  ExpectUnpacked(SkippableFrame("sizes") + half + rest, tar);
}

TEST_F(LayerBytesTest, WhatFollowsTheEndOfTheArchiveCounts) {
  const std::string tar = Tar() + std::string(9'000'000, '\0') + "trailing";
  ExpectUnpacked(Packed(tar, Compression::kZstd), tar);
  EXPECT_FALSE(Add(tar, tar.substr(0, tar.size() - 1)));
  // And what follows the compressed stream: gzip pads with zeros.
  const std::string padded = Packed(tar, Compression::kGzip) + std::string(300'000, '\0');
  ExpectUnpacked(padded, tar);
}

TEST_F(LayerBytesTest, AnotherDigestIsAnError) {
  const std::string tar = Tar();
  const std::string blob = Packed(tar, Compression::kGzip);
  const std::string other = DigestOf("other");
  Result<LayerReport> report = stack_.TryAdd(blob, {.blob = other, .diff_id = DigestOf(tar)});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(report.error().message(), HasSubstr("the digest of its blob is " + DigestOf(blob)));
  report = stack_.TryAdd(blob, {.blob = DigestOf(blob), .diff_id = other});
  ASSERT_FALSE(report.has_value());
  EXPECT_THAT(report.error().message(), HasSubstr("the digest of its content is " + DigestOf(tar)));
}

TEST_F(LayerBytesTest, OnlySha256IsADigest) {
  const std::string tar = Tar();
  EXPECT_EQ(stack_.TryAdd(tar, {.blob = "sha512:00", .diff_id = DigestOf(tar)}).error().code(),
            ErrorCode::kNotSupported);
  for (const std::string& digest : {std::string(), std::string("sha256:"), DigestOf(tar) + "0",
                                    "sha256:" + std::string(64, 'G')}) {
    EXPECT_EQ(stack_.TryAdd(tar, {.blob = DigestOf(tar), .diff_id = digest}).error().code(),
              ErrorCode::kInvalidArgument);
  }
}

TEST_F(LayerBytesTest, BytesAndEntriesAreBounded) {
  const std::string tar = Tar();
  const auto code = [&](auto change) {
    const LayerOptions before = stack_.options;
    change(stack_.options);
    const Result<LayerReport> report = Add(tar, tar);
    stack_.options = before;
    return report ? ErrorCode::kInternal : report.error().code();
  };
  EXPECT_EQ(code([](LayerOptions& o) { o.max_bytes = 99'999; }), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(code([](LayerOptions& o) { o.max_entries = 0; }), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(code([&](LayerOptions& o) { o.max_blob_bytes = tar.size() - 1; }),
            ErrorCode::kLimitTooHigh);
}

TEST_F(LayerBytesTest, WhatUnfoldsWithoutEndIsBounded) {
  stack_.options.max_bytes = 1 * kMiB;
  stack_.options.max_entries = 10;
  const std::string tar = Tar() + std::string(200 * kMiB, '\0');
  const Result<LayerReport> report = Add(Packed(tar, Compression::kZstd), tar);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(LayerBytesTest, WhatHardlinksCopyUpIsBounded) {
  stack_.Add(LayerTar().File("a", std::string(600'000, 'a')));
  stack_.options.max_bytes = 1'000'000;
  LayerTar one;
  ASSERT_TRUE(stack_.TryAdd(one.Link("b", "a").Finish()));
  // One copy serves both; each that is replaced costs another one.
  LayerTar many;
  many.Link("b", "a").Link("c", "a").File("b").File("c").Link("d", "a");
  EXPECT_EQ(stack_.TryAdd(many.Finish()).error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(LayerBytesTest, HolesOfAFileThatIsCopiedUpStayHoles) {
  LayerTar::TarEntry sparse = LayerTar::Entry(EntryType::kFile, "a", 0644);
  sparse.sparse = true;
  sparse.size = 1 * kGiB;
  sparse.segments = {{.offset = 512 * kMiB, .length = 4}};
  stack_.Add(LayerTar().Add(sparse, "data"));
  const LayerReport report = stack_.Add(LayerTar().Link("b", "a"));
  EXPECT_LT(report.unpacked.bytes, 64 * kKiB);
  struct stat info{};
  ASSERT_EQ(::stat(stack_.At("b").c_str(), &info), 0);
  EXPECT_EQ(static_cast<Bytes>(info.st_size), 1 * kGiB);
  EXPECT_LT(info.st_blocks, 1000);
}

TEST_F(LayerBytesTest, DeepNamesOverManyLayersEnd) {
  std::string deep;
  for (int i = 0; i < 50; ++i) deep += "d/";
  for (int i = 0; i < 30; ++i) stack_.Add(LayerTar().Directory(deep));
  LayerTar tar;
  // One after the other, so that each is looked up from the root.
  for (int i = 0; i < 300; ++i) tar.File(deep + std::to_string(i), "").File(std::to_string(i), "");
  const Result<LayerReport> report = stack_.TryAdd(tar.Finish());
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_THAT(report.error().message(), HasSubstr("too deep"));
}

TEST_F(LayerBytesTest, ProgressIsToldAndMayEndIt) {
  Bytes blob_bytes = 0;
  stack_.options.on_progress = [&](const LayerProgress& progress) -> Result<void> {
    blob_bytes = progress.blob_bytes;
    return {};
  };
  const std::string tar = Tar();
  ASSERT_TRUE(Add(tar, tar));
  EXPECT_EQ(blob_bytes, tar.size());
  stack_.options.on_progress = [](const LayerProgress& progress) -> Result<void> {
    if (progress.entries == 0) return {};
    return Failure(Error(ErrorCode::kTimeout, Fault::kCaller, "enough"));
  };
  EXPECT_EQ(Add(tar, tar).error().message(), "enough");
  // Frames that unfold to nothing are told of as well.
  stack_.options.on_progress = [](const LayerProgress&) -> Result<void> {
    return Failure(Error(ErrorCode::kTimeout, Fault::kCaller, "enough"));
  };
  EXPECT_EQ(Add(SkippableFrame(std::string(1 << 20, 's')), "").error().message(), "enough");
}

TEST_F(LayerBytesTest, ACutOrEmptyBlobIsRefused) {
  const std::string tar = Tar();
  EXPECT_FALSE(Add(tar.substr(0, 2000), tar));
  EXPECT_FALSE(Add("", ""));
}

TEST_F(LayerBytesTest, AnArchiveOfOurOwnIsTakenAsItIsWithoutDigests) {
  stack_.dir.MakeDirectory("own");
  const Fd root = LayerStack::Open(stack_.dir.At("own"));
  const std::string tar = Tar();
  archive::StringSource plain(tar);
  const Result<LayerReport> report = UnpackLayerTar(plain, {}, root, stack_.options);
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  EXPECT_EQ(report->tar_bytes, tar.size());
  EXPECT_FALSE(std::filesystem::is_empty(stack_.dir.At("own")));
  // Nothing is decompressed: the first bytes of a tar are a name, and may be any.
  const std::string packed = Packed(tar, Compression::kGzip);
  archive::StringSource gzip(packed);
  EXPECT_FALSE(UnpackLayerTar(gzip, {}, root, stack_.options).has_value());
  archive::StringSource cut(std::string_view(tar).substr(0, 600));
  EXPECT_FALSE(UnpackLayerTar(cut, {}, root, stack_.options).has_value());
}

}  // namespace
}  // namespace cay::templates
