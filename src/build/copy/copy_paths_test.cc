// Where a source and a destination lead, and what is in their way.
#include <gmock/gmock.h>

#include "build/copy/test_copy.h"

namespace cay::build {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Key;
using ::testing::Pair;

TEST(CopyDestination, ASymlinkBelowLeadsWhereItLeadsInside) {
  CopyWorld world;
  world.AddLayer();
  world.layers().MakeDirectory("layer0/usr/lib");
  world.layers().Symlink("layer0/lib", "usr/lib");
  world.layers().Symlink("layer0/out", "/../../usr");
  world.context.Write("a", "1");
  EXPECT_THAT(world.Copy({"a"}, "/lib/"), Contains(Key("usr/lib/a")));
  EXPECT_THAT(world.Copy({"a"}, "/out/b"), Contains(Key("usr/b")));
  EXPECT_THAT(world.Copy({"a"}, "/lib"), Contains(Pair("lib", "l usr/lib")));
}

TEST(CopyDestination, ADanglingSymlinkIsFilledWhereItLeads) {
  CopyWorld world;
  world.AddLayer();
  world.layers().Symlink("layer0/conf", "/etc/app/conf");
  world.context.Write("a", "1");
  EXPECT_THAT(world.Copy({"a"}, "/conf"), Contains(Pair("etc/app/conf", Shown("f 644", "1"))));
}

TEST(CopyDestination, ALoopOfSymlinksIsAnError) {
  CopyWorld world;
  world.AddLayer();
  world.layers().Symlink("layer0/a", "b");
  world.layers().Symlink("layer0/b", "a");
  world.context.Write("f", "1");
  EXPECT_EQ(world.Refusal({"f"}, "/a/").sys_errno(), ELOOP);
}

TEST(CopyDestination, WithLinkTheLayersBelowAreNotLookedAt) {
  CopyWorld world;
  world.AddLayer();
  world.layers().MakeDirectory("layer0/usr/lib", 0700);
  world.layers().Symlink("layer0/lib", "usr/lib");
  world.context.Write("a", "1");
  CopyRequest request = world.Request({"a"}, "/lib/");
  request.link = true;
  const Tree shown = world.Copy(request);
  EXPECT_THAT(shown, Contains(Pair("lib", Shown("d 755"))));
  EXPECT_THAT(shown, Contains(Key("lib/a")));
}

TEST(CopyDestination, AFileDoesNotReplaceADirectoryNorTheOtherWayRound) {
  CopyWorld world;
  world.AddLayer();
  world.layers().MakeDirectory("layer0/x/a");
  world.layers().Write("layer0/x/d", "file");
  world.layers().Symlink("layer0/x/l", "a");
  world.context.MakeDirectory("s1/d");
  world.context.MakeDirectory("s3/l");
  world.context.MakeDirectory("s2");
  world.context.Write("s2/a", "1");
  EXPECT_EQ(world.Refusal({"s2"}, "/x").sys_errno(), EISDIR);
  EXPECT_EQ(world.Refusal({"s1"}, "/x").sys_errno(), ENOTDIR);
  EXPECT_EQ(world.Refusal({"s3"}, "/x").sys_errno(), ENOTDIR);
  EXPECT_EQ(world.Refusal({"s1"}, "/x/d").sys_errno(), ENOTDIR);
  EXPECT_EQ(world.Refusal({"s2/a"}, "/x/d/e").sys_errno(), ENOTDIR);
}

TEST(CopyDestination, WhatSourcesBeforeMadeIsInTheWayAsWell) {
  CopyWorld world;
  world.context.MakeDirectory("one/x");
  world.context.MakeDirectory("two");
  world.context.Write("two/x", "1");
  EXPECT_EQ(world.Refusal({"one", "two"}, "/d/").sys_errno(), EISDIR);
  EXPECT_EQ(world.Refusal({"two", "one"}, "/d/").sys_errno(), ENOTDIR);
}

TEST(CopyDestination, AFileReplacesAFileAndASymlink) {
  CopyWorld world;
  world.AddLayer();
  world.layers().MakeDirectory("layer0/x");
  world.layers().Write("layer0/x/a", "old");
  world.layers().Symlink("layer0/x/b", "a");
  world.context.MakeDirectory("s");
  world.context.Write("s/a", "new");
  world.context.Write("s/b", "too");
  EXPECT_THAT(world.Copy({"s"}, "/x"), IsSupersetOf({Pair("x/a", Shown("f 644", "new")),
                                                     Pair("x/b", Shown("f 644", "too"))}));
}

TEST(CopySource, SymlinksOfThePathAreFollowedInside) {
  CopyWorld world;
  world.context.MakeDirectory("real");
  world.context.Write("real/f", "1");
  world.context.Symlink("dir", "real");
  world.context.Symlink("file", "dir/f");
  EXPECT_THAT(world.Copy({"dir/f"}, "/a"), Contains(Pair("a", Shown("f 644", "1"))));
  EXPECT_THAT(world.Copy({"file"}, "/x/"), Contains(Pair("x/file", Shown("f 644", "1"))));
  EXPECT_THAT(world.Copy({"dir"}, "/y"), Contains(Pair("y/f", Shown("f 644", "1"))));
}

TEST(CopySource, NothingOutsideIsReached) {
  CopyWorld world;
  world.context.Symlink("abs", "/etc/passwd");
  world.context.Symlink("up", "../../../../../../etc/passwd");
  world.context.Symlink("loop", "loop");
  EXPECT_EQ(world.Refusal({"abs"}, "/x").code(), ErrorCode::kNotFound);
  EXPECT_EQ(world.Refusal({"up"}, "/x").code(), ErrorCode::kNotFound);
  EXPECT_EQ(world.Refusal({"../../../../../etc/passwd"}, "/x").code(), ErrorCode::kNotFound);
  EXPECT_EQ(world.Refusal({"loop"}, "/x").sys_errno(), ELOOP);
  EXPECT_EQ(world.Refusal({std::string(4096, 'n')}, "/x").code(), ErrorCode::kInvalidArgument);
}

TEST(CopySource, SpecialFilesAreLeftOutAndCountedOrRefusedByName) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  ASSERT_EQ(::mkfifo(world.context.At("d/fifo").c_str(), 0600), 0);
  world.context.Write("d/f", "1");
  const Result<CopyPlan> plan = world.Plan(world.Request({"d"}, "/x"));
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->skipped_special(), 1U);
  EXPECT_EQ(plan->first_skipped(), "d/fifo");
  EXPECT_THAT(world.Refusal({"d/fifo"}, "/x").message(), HasSubstr("FIFO"));
}

TEST(CopySource, NamesThatLayersTakeForDeletionsAreRefused) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  world.context.Write("d/.wh.passwd", "");
  EXPECT_THAT(world.Refusal({"d"}, "/etc").message(), HasSubstr(".wh."));
}

TEST(CopySource, NamesAreAnyBytes) {
  CopyWorld world;
  const std::string name = "d/\x1f\x8b\n\xff =\\*";
  world.context.MakeDirectory("d");
  world.context.Write(name, "1");
  EXPECT_THAT(world.Copy({"d"}, "/"), ElementsAre(Key(name.substr(2))));
}

// Goes down from `at`, making directories.
void MakeDeep(const std::string& top, const std::string& name, int depth) {
  Fd at = OpenPath(top);
  for (int made = 0; made < depth; ++made) {
    ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0755), 0);
    at = Fd::Adopt(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
}

TEST(CopySource, ADeepTreeIsCopiedUpToTheLengthOfAPath) {
  CopyWorld world;
  world.context.MakeDirectory("deep");
  world.context.MakeDirectory("long");
  MakeDeep(world.context.At("deep"), "n", 300);
  MakeDeep(world.context.At("long"), std::string(250, 'n'), 17);
  EXPECT_EQ(world.Copy({"deep"}, "/").size(), 300U);
  EXPECT_EQ(world.Refusal({"long"}, "/").sys_errno(), ENAMETOOLONG);
}

TEST(CopySource, BoundsAreKept) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  for (const char* name : {"d/a", "d/b", "d/c"}) world.context.Write(name, "0123456789");
  world.limits.max_entries = 2;
  EXPECT_EQ(world.Refusal({"d"}, "/").code(), ErrorCode::kLimitTooHigh);
  world.limits = {.max_bytes = 25};
  EXPECT_EQ(world.Refusal({"d"}, "/").code(), ErrorCode::kLimitTooHigh);
  world.limits = {.max_name_bytes = 2};
  EXPECT_EQ(world.Refusal({"d"}, "/").code(), ErrorCode::kLimitTooHigh);
}

TEST(CopySource, AFileThatCannotBeReadIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  CopyWorld world;
  world.context.Write("secret", "1", 0);
  Result<CopyPlan> plan = world.Plan(world.Request({"secret"}, "/x"));
  ASSERT_TRUE(plan.has_value());
  const auto applied = world.Apply(*plan);
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().code(), ErrorCode::kPermissionDenied);
  EXPECT_THAT(applied.error().message(), HasSubstr("secret"));
}

}  // namespace
}  // namespace cay::build
