#include "build/copy/owner_names.h"

#include <gmock/gmock.h>

#include "build/copy/mode_change.h"
#include "build/copy/test_copy.h"

namespace cay::build {
namespace {

using ::testing::HasSubstr;

class OwnerNames : public ::testing::Test {
 protected:
  OwnerNames() {
    world_.AddLayer();
    world_.layers().MakeDirectory("layer0/etc");
    world_.layers().Write("layer0/etc/passwd",
                          "root:x:0:0::/root:/bin/sh\n"
                          "app:x:1000:1500::/app:/bin/sh\n"
                          "application:x:1:1::/:/bin/sh\n"
                          "odd:x:-1:zero\n"
                          "big:x:70000:1::/:\n");
    world_.layers().Write("layer0/etc/group", "root:x:0:\nstaff:x:50:app\nempty\n");
  }
  Result<Owner> Resolve(std::string_view text) {
    FileTree tree = world_.Below();
    return ResolveOwner(tree, text);
  }
  CopyWorld world_;
};

TEST_F(OwnerNames, NamesAreThoseOfTheLayers) {
  EXPECT_EQ(Resolve("app").value(), (Owner{1000, 1500}));
  EXPECT_EQ(Resolve("app:staff").value(), (Owner{1000, 50}));
  EXPECT_EQ(Resolve("app:7").value(), (Owner{1000, 7}));
  EXPECT_EQ(Resolve("5:staff").value(), (Owner{5, 50}));
  EXPECT_EQ(Resolve("root:staff").value(), (Owner{0, 50}));
}

TEST_F(OwnerNames, NumbersAreNotLookedUp) {
  EXPECT_EQ(Resolve("33").value(), (Owner{33, 33}));
  EXPECT_EQ(Resolve("1000").value(), (Owner{1000, 1000}));
  EXPECT_EQ(Resolve("1:2").value(), (Owner{1, 2}));
  EXPECT_EQ(Resolve("").value(), (Owner{0, 0}));
  EXPECT_EQ(Resolve(":9").value(), (Owner{0, 9}));
  EXPECT_EQ(Resolve("app:").value(), (Owner{1000, 1500}));
}

TEST_F(OwnerNames, ANameThatIsNotThereIsAnError) {
  EXPECT_EQ(Resolve("nobody").error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(Resolve("nobody").error().message(), HasSubstr("no user \"nobody\""));
  EXPECT_THAT(Resolve("app:none").error().message(), HasSubstr("no group \"none\""));
  EXPECT_EQ(Resolve("empty").error().code(), ErrorCode::kNotFound);
  world_.layers().Remove("layer0/etc/passwd");
  EXPECT_THAT(Resolve("app").error().message(), HasSubstr("not there"));
  EXPECT_EQ(Resolve("12").value(), (Owner{12, 12}));
}

TEST_F(OwnerNames, WhatNoLayerKeepsIsAnError) {
  EXPECT_EQ(Resolve("65536").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Resolve("99999999999999999999").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Resolve("big").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Resolve("odd").error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(OwnerNames, TheFilesAreReadInsideAndBounded) {
  world_.layers().Remove("layer0/etc/passwd");
  world_.layers().Symlink("layer0/etc/passwd", "/../../../../etc/shadow");
  EXPECT_EQ(Resolve("daemon").error().code(), ErrorCode::kNotFound);
  world_.layers().Remove("layer0/etc/passwd");
  ASSERT_EQ(::mkfifo(world_.layers().At("layer0/etc/passwd").c_str(), 0600), 0);
  EXPECT_EQ(Resolve("app").error().code(), ErrorCode::kInvalidArgument);
  world_.layers().Remove("layer0/etc/passwd");
  world_.layers().Write("layer0/etc/passwd", std::string(5 << 20, 'x'));
  EXPECT_EQ(Resolve("app").error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(OwnerNames, TheTopmostLayerCounts) {
  world_.AddLayer();
  world_.layers().MakeDirectory("layer1/etc");
  world_.layers().Write("layer1/etc/passwd", "app:x:2000:2000::/:\n");
  EXPECT_EQ(Resolve("app").value(), (Owner{2000, 2000}));
}

TEST_F(OwnerNames, DirectoriesAreFoundThroughSymlinks) {
  world_.layers().Symlink("layer0/conf", "etc");
  FileTree tree = world_.Below();
  EXPECT_TRUE(DirectoryExists(tree, "/conf").value());
  EXPECT_TRUE(DirectoryExists(tree, "/").value());
  EXPECT_FALSE(DirectoryExists(tree, "/etc/passwd").value());
  EXPECT_FALSE(DirectoryExists(tree, "/no").value());
}

mode_t Changed(std::string_view change, mode_t mode, bool directory = false) {
  const auto parsed = ModeChange::Parse(change);
  EXPECT_TRUE(parsed.has_value()) << change;
  return parsed ? parsed->Apply(mode, directory) : 0;
}

TEST(ModeChange, IsAsChmodDoesIt) {
  EXPECT_EQ(Changed("644", 0777), 0644U);
  EXPECT_EQ(Changed("07777", 0), 07777U);
  EXPECT_EQ(Changed("u=rwX,go=rX", 0600), 0644U);
  EXPECT_EQ(Changed("u=rwX,go=rX", 0700), 0755U);
  EXPECT_EQ(Changed("u=rwX,go=rX", 0600, true), 0755U);
  EXPECT_EQ(Changed("+x", 0644), 0755U);
  EXPECT_EQ(Changed("a-w", 0666), 0444U);
  EXPECT_EQ(Changed("g=u", 0700), 0770U);
  EXPECT_EQ(Changed("o=", 0777), 0770U);
  EXPECT_EQ(Changed("u+s,+t", 0755), 05755U);
  EXPECT_EQ(Changed("go-rwx,u+x", 0644), 0700U);
  EXPECT_EQ(Changed("u+x-w", 0600), 0500U);
}

TEST(ModeChange, RefusesWhatIsNone) {
  for (const char* text : {"", "8", "10000", "u", "u=q", "rw", "u=r,", "u==r,x", "0x7"}) {
    EXPECT_FALSE(ModeChange::Parse(text).has_value()) << text;
  }
  EXPECT_FALSE(ModeChange::Parse(std::string(5000, '7')).has_value());
}

}  // namespace
}  // namespace cay::build
