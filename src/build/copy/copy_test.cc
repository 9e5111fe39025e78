#include <gmock/gmock.h>

#include "build/copy/test_copy.h"

namespace cay::build {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(Copy, AFileBecomesTheDestination) {
  CopyWorld world;
  world.context.Write("a.txt", "hello", 0640);
  EXPECT_THAT(world.Copy({"a.txt"}, "/etc/b.txt"),
              UnorderedElementsAre(Pair("etc", Shown("d 755")),
                                   Pair("etc/b.txt", Shown("f 640", "hello"))));
}

TEST(Copy, AFileComesIntoADestinationThatEndsWithASlash) {
  CopyWorld world;
  world.context.Write("a.txt", "hello");
  EXPECT_THAT(world.Copy({"/a.txt"}, "/x/y/"),
              UnorderedElementsAre(Pair("x", Shown("d 755")), Pair("x/y", Shown("d 755")),
                                   Pair("x/y/a.txt", Shown("f 644", "hello"))));
}

TEST(Copy, AFileComesIntoADirectoryThatIsThere) {
  CopyWorld world;
  world.AddLayer();
  world.layers().MakeDirectory("layer0/opt", 0700);
  world.context.Write("a.txt", "hello");
  EXPECT_THAT(world.Copy({"a.txt"}, "opt"),
              UnorderedElementsAre(Pair("opt", Shown("d 700")),
                                   Pair("opt/a.txt", Shown("f 644", "hello"))));
}

TEST(Copy, ARelativeDestinationIsBelowTheWorkingDirectory) {
  CopyWorld world;
  world.context.Write("a.txt", "hello");
  CopyRequest request = world.Request({"a.txt"}, ".");
  request.working_dir = "/srv/app";
  EXPECT_THAT(world.Copy(request), Contains(Key("srv/app/a.txt")));
}

TEST(Copy, ADirectoryIsCopiedByItsContent) {
  CopyWorld world;
  world.context.MakeDirectory("d/sub", 0750);
  world.context.Write("d/sub/f", "1", 0755);
  world.context.Symlink("d/link", "../outside");
  EXPECT_THAT(world.Copy({"d"}, "/new"),
              UnorderedElementsAre(Pair("new", Shown("d 755")), Pair("new/sub", Shown("d 750")),
                                   Pair("new/sub/f", Shown("f 755", "1")),
                                   Pair("new/link", "l ../outside")));
}

TEST(Copy, TheWholeContextComesWithADot) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  world.context.Write("d/f", "1");
  world.context.Write("g", "2");
  EXPECT_THAT(world.Copy({"."}, "/"), UnorderedElementsAre(Key("d"), Key("d/f"), Key("g")));
}

TEST(Copy, TheDestinationOfADirectoryKeepsWhatItHasAndThoseBelowGetTheSources) {
  CopyWorld world;
  world.AddLayer();
  world.layers().MakeDirectory("layer0/opt/sub", 0700);
  world.layers().MakeDirectory("layer0/opt", 0711);
  world.layers().Write("layer0/opt/sub/old", "old");
  world.context.MakeDirectory("d/sub", 0775);
  world.context.Write("d/sub/new", "new");
  EXPECT_THAT(world.Copy({"d/"}, "/opt/"),
              UnorderedElementsAre(Pair("opt", Shown("d 711")), Pair("opt/sub", Shown("d 775")),
                                   Pair("opt/sub/old", Shown("f 644", "old")),
                                   Pair("opt/sub/new", Shown("f 644", "new"))));
}

TEST(Copy, SeveralSourcesComeIntoOneDirectory) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  world.context.Write("d/f", "1");
  world.context.Write("a", "2");
  world.context.Write("b", "3");
  EXPECT_THAT(world.Copy({"a", "d", "b"}, "/x/"),
              UnorderedElementsAre(Key("x"), Key("x/a"), Key("x/b"), Key("x/f")));
}

TEST(Copy, SeveralFilesDoNotBecomeOne) {
  CopyWorld world;
  world.context.Write("a1", "1");
  world.context.Write("a2", "2");
  EXPECT_THAT(world.Refusal({"a1", "a2"}, "/x").message(), HasSubstr("several files"));
  EXPECT_THAT(world.Refusal({"a*"}, "/x").message(), HasSubstr("several files"));
}

TEST(Copy, OfTheSameNameTheLaterSourceCounts) {
  CopyWorld world;
  world.context.MakeDirectory("one");
  world.context.MakeDirectory("two");
  world.context.Write("one/f", "1");
  world.context.Write("two/f", "2");
  EXPECT_THAT(world.Copy({"one", "two"}, "/x/"), Contains(Pair("x/f", Shown("f 644", "2"))));
}

TEST(Copy, APatternCopiesWhatItMatches) {
  CopyWorld world;
  world.context.MakeDirectory("src/deep");
  world.context.Write("src/a.c", "1");
  world.context.Write("src/b.c", "2");
  world.context.Write("src/b.h", "3");
  world.context.Write("src/deep/c.c", "4");
  EXPECT_THAT(world.Copy({"src/*.c"}, "/x/"),
              UnorderedElementsAre(Key("x"), Key("x/a.c"), Key("x/b.c")));
  EXPECT_THAT(world.Copy({"s*/de?p/[a-c].c"}, "/y/"), Contains(Key("y/c.c")));
}

TEST(Copy, ADirectoryThatAPatternMatchesIsCopiedByItsContent) {
  CopyWorld world;
  world.context.MakeDirectory("d1");
  world.context.Write("d1/f", "1");
  world.context.Write("d2", "2");
  EXPECT_THAT(world.Copy({"d*"}, "/x/"), UnorderedElementsAre(Key("x"), Key("x/f"), Key("x/d2")));
}

TEST(Copy, APatternThatNothingMatchesIsNamedAndCopiesNothing) {
  CopyWorld world;
  world.context.Write("package.json", "{}");
  const CopyRequest request = world.Request({"package.json", "yarn.lock*"}, "/x/");
  const Result<CopyPlan> plan = world.Plan(request);
  ASSERT_TRUE(plan.has_value()) << plan.error().ToString();
  ASSERT_EQ(plan->unmatched().size(), 1U);
  EXPECT_EQ(plan->unmatched()[0].pattern, "yarn.lock*");
  EXPECT_FALSE(plan->unmatched()[0].only_ignored);
}

TEST(Copy, TheDirectoriesBeforeAPatternHaveToBeThere) {
  CopyWorld world;
  EXPECT_THAT(world.Refusal({"no/such/*.txt"}, "/x/").message(),
              HasSubstr("\"no/such\" is not there"));
}

TEST(Copy, APathThatIsNotThereIsNamed) {
  CopyWorld world;
  const Error error = world.Refusal({"no/such"}, "/x/");
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_THAT(error.message(), HasSubstr("\"no/such\" is not there"));
}

TEST(Copy, WhatIsIgnoredIsNotThereAndTheErrorSaysWhy) {
  CopyWorld world;
  world.ignore = "*.log\nout\n!out/keep\n";
  world.context.MakeDirectory("out");
  world.context.Write("out/keep", "1");
  world.context.Write("out/drop", "2");
  world.context.Write("x.log", "3");
  EXPECT_THAT(world.Refusal({"x.log"}, "/x").message(), HasSubstr("ignored by .dockerignore"));
  EXPECT_THAT(world.Copy({"."}, "/"), UnorderedElementsAre(Key("out"), Key("out/keep")));
  const Result<CopyPlan> plan = world.Plan(world.Request({"*.log"}, "/x/"));
  ASSERT_TRUE(plan.has_value());
  ASSERT_EQ(plan->unmatched().size(), 1U);
  EXPECT_TRUE(plan->unmatched()[0].only_ignored);
}

TEST(Copy, AnIgnoredDirectoryIsNotCopiedEvenEmpty) {
  CopyWorld world;
  world.ignore = "out\n!out/keep\n";
  world.context.MakeDirectory("out/sub");
  world.context.Write("out/drop", "2");
  world.context.Write("a", "");
  EXPECT_THAT(world.Copy({"."}, "/"), UnorderedElementsAre(Key("a")));
}

TEST(Copy, ExcludesCountFromTheDirectoryThatIsCopied) {
  CopyWorld world;
  world.context.MakeDirectory("d/sub");
  world.context.Write("d/a.md", "1");
  world.context.Write("d/sub/a.md", "2");
  world.context.Write("d/b", "3");
  CopyRequest request = world.Request({"d"}, "/x");
  request.excludes = {"*.md"};
  EXPECT_THAT(world.Copy(request),
              UnorderedElementsAre(Key("x"), Key("x/b"), Key("x/sub"), Key("x/sub/a.md")));
  request = world.Request({"d/*"}, "/y/");
  request.excludes = {"*.md"};
  EXPECT_THAT(world.Copy(request), Not(Contains(Key("y/sub/a.md"))));
}

TEST(Copy, WithParentsThePathOfTheSourceStays) {
  CopyWorld world;
  world.context.MakeDirectory("a/b/c");
  world.context.MakeDirectory("a", 0710);
  world.context.Write("a/b/c/f", "1");
  world.context.Write("a/b/other", "2");
  CopyRequest request = world.Request({"./a/b/c/f"}, "/x/");
  request.parents = true;
  EXPECT_THAT(world.Copy(request),
              UnorderedElementsAre(Key("x"), Pair("x/a", Shown("d 710")), Key("x/a/b"),
                                   Key("x/a/b/c"), Key("x/a/b/c/f")));
  request = world.Request({"a/./b/*/f"}, "/y/");
  request.parents = true;
  const Tree shown = world.Copy(request);
  EXPECT_THAT(shown, Contains(Key("y/b/c/f")));
  EXPECT_THAT(shown, Not(Contains(Key("y/b/other"))));
}

TEST(Copy, WithParentsAPathThatIsNotThereIsNamed) {
  CopyWorld world;
  world.context.MakeDirectory("a");
  CopyRequest request = world.Request({"a/no"}, "/x/");
  request.parents = true;
  EXPECT_THAT(world.Refusal(request).message(), HasSubstr("\"a/no\" is not there"));
}

TEST(Copy, ChmodAndChownAreOfAllThatIsCopiedAndOwnersOfWhatIsMade) {
  CopyWorld world;
  world.context.MakeDirectory("d/sub", 0700);
  world.context.Write("d/f", "1", 0600);
  CopyRequest request = world.Request({"d"}, "/x/y");
  request.owner = Owner{.uid = 33, .gid = 44};
  request.chmod = ModeChange::Parse("u=rwX,go=rX").value();
  EXPECT_THAT(world.Copy(request),
              UnorderedElementsAre(Pair("x", Shown("d 755", "", "33:44")),
                                   Pair("x/y", Shown("d 755", "", "33:44")),
                                   Pair("x/y/sub", Shown("d 755", "", "33:44")),
                                   Pair("x/y/f", Shown("f 644", "1", "33:44"))));
}

TEST(Copy, FilesOfAContextAreRoots) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  CopyWorld world;
  world.context.Write("a", "1");
  ASSERT_EQ(::chown(world.context.At("a").c_str(), 1000, 1000), 0);
  EXPECT_THAT(world.Copy({"a"}, "/a"), ElementsAre(Pair("a", Shown("f 644", "1"))));
}

TEST(Copy, FilesOfLayersKeepTheirOwners) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  CopyWorld world;
  world.AddLayer();
  world.layers().Write("layer0/a", "1");
  ASSERT_EQ(::chown(world.layers().At("layer0/a").c_str(), 1000, 1001), 0);
  FileTree from = world.Below();
  CopyRequest request{.from = &from, .sources = {PathSource{"/a"}}, .destination = "/b"};
  EXPECT_THAT(world.Copy(request), Contains(Pair("b", Shown("f 644", "1", "1000:1001"))));
}

TEST(Copy, HeredocsBecomeFiles) {
  CopyWorld world;
  CopyRequest request;
  request.sources = {InlineFile{.name = "one", .content = "1\n"},
                     InlineFile{.name = "two", .content = "2\n"}};
  request.destination = "/x/";
  EXPECT_THAT(world.Copy(request),
              UnorderedElementsAre(Key("x"), Pair("x/one", Shown("f 644", "1\n")),
                                   Pair("x/two", Shown("f 644", "2\n"))));
}

TEST(Copy, FetchedFilesAndDirectoriesAreCopied) {
  CopyWorld world;
  templates::TestDirectory fetched;
  fetched.MakeDirectory("repo/src");
  fetched.Write("repo/src/f", "1");
  fetched.Write("blob", "2");
  CopyRequest request;
  request.add = true;
  request.destination = "/x/";
  request.sources.emplace_back(
      FetchedFile{.name = "data.bin",
                  .file = std::make_shared<const Fd>(OpenPath(fetched.At("blob"), O_RDONLY)),
                  .mtime = archive::Timestamp{.seconds = 1'000'000'000, .nanoseconds = 0}});
  request.sources.emplace_back(FetchedDirectory{
      .url = "git", .directory = std::make_shared<const Fd>(OpenPath(fetched.At("repo")))});
  EXPECT_THAT(world.Copy(request),
              UnorderedElementsAre(Key("x"), Pair("x/data.bin", Shown("f 600", "2")), Key("x/src"),
                                   Pair("x/src/f", Shown("f 644", "1"))));
  EXPECT_EQ(world.layers().Stat("layer0/x/data.bin").st_mtim.tv_sec, 1'000'000'000);
}

TEST(Copy, TimesAndHardLinksAndAttributesAreKept) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  world.context.Write("d/a", "1");
  ASSERT_EQ(::link(world.context.At("d/a").c_str(), world.context.At("d/b").c_str()), 0);
  const timespec times[2] = {{1'000'000'000, 5}, {1'000'000'000, 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, world.context.At("d/a").c_str(), times, 0), 0);
  const Tree shown = world.Copy({"d"}, "/x");
  EXPECT_THAT(shown, Contains(Key("x/b")));
  EXPECT_EQ(world.layers().Stat("layer0/x/a").st_ino, world.layers().Stat("layer0/x/b").st_ino);
  EXPECT_EQ(world.layers().Stat("layer0/x/a").st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(world.layers().Stat("layer0/x/a").st_mtim.tv_nsec, 5);
}

TEST(Copy, AHoleStaysAHole) {
  CopyWorld world;
  world.context.Write("big", "begin");
  ASSERT_EQ(::truncate(world.context.At("big").c_str(), 64 << 20), 0);
  world.Copy({"big"}, "/big");
  const struct stat info = world.layers().Stat("layer0/big");
  EXPECT_EQ(info.st_size, 64 << 20);
  EXPECT_LT(info.st_blocks * 512, 1 << 20);
}

std::string DigestOf(CopyWorld& world, std::vector<std::string> sources, std::string destination) {
  Result<CopyPlan> plan = world.Plan(world.Request(std::move(sources), std::move(destination)));
  EXPECT_TRUE(plan.has_value());
  return plan ? CopyDigest(*plan).value_or("") : "";
}

TEST(CopyDigest, ItIsOfContentAndNotOfTimes) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  world.context.Write("d/f", "1");
  const std::string before = DigestOf(world, {"d"}, "/x");
  EXPECT_EQ(before.size(), 64U);
  const timespec times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, world.context.At("d/f").c_str(), times, 0), 0);
  EXPECT_EQ(DigestOf(world, {"d"}, "/x"), before);
  EXPECT_NE(DigestOf(world, {"d"}, "/y"), before);
  ASSERT_EQ(::chmod(world.context.At("d/f").c_str(), 0600), 0);
  EXPECT_NE(DigestOf(world, {"d"}, "/x"), before);
  world.context.Write("d/f", "2", 0644);
  EXPECT_NE(DigestOf(world, {"d"}, "/x"), before);
}

TEST(CopyDigest, HolesAreZeros) {
  CopyWorld world;
  world.context.Write("f", std::string(1 << 20, '\0'));
  const std::string before = DigestOf(world, {"f"}, "/x");
  world.context.Write("f", "");
  ASSERT_EQ(::truncate(world.context.At("f").c_str(), 1 << 20), 0);
  EXPECT_EQ(DigestOf(world, {"f"}, "/x"), before);
}

TEST(CopyDigest, FilesThatChangeBetweenDigestAndLayerAreFoundOut) {
  CopyWorld world;
  world.context.Write("f", "1");
  Result<CopyPlan> plan = world.Plan(world.Request({"f"}, "/x"));
  ASSERT_TRUE(plan.has_value());
  world.options.expected_digest = CopyDigest(*plan).value_or("");
  EXPECT_TRUE(world.Apply(*plan).has_value());
  world.context.Write("f", "2");
  const auto applied = world.Apply(*plan);
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().sys_errno(), ESTALE);
}

TEST(CopyDigest, ItCanBeEndedAndSoCanThePlan) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  world.context.Write("d/f", "1");
  bool wanted = true;
  world.limits.on_step = [&]() -> Result<void> {
    if (wanted) return {};
    return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "enough"));
  };
  Result<CopyPlan> plan = world.Plan(world.Request({"d"}, "/x"));
  ASSERT_TRUE(plan.has_value());
  ASSERT_TRUE(CopyDigest(*plan).has_value());
  wanted = false;
  EXPECT_EQ(CopyDigest(*plan).error().message(), "enough");
  EXPECT_EQ(world.Apply(*plan).error().message(), "enough");
  EXPECT_EQ(world.Refusal({"d"}, "/x").message(), "enough");
}

TEST(CopyApply, WhatIsSwappedMeanwhileIsAnErrorAndNeverFollowed) {
  CopyWorld world;
  world.context.MakeDirectory("d");
  world.context.Write("d/f", "1");
  Result<CopyPlan> plan = world.Plan(world.Request({"d"}, "/x"));
  ASSERT_TRUE(plan.has_value());
  world.context.Remove("d");
  world.context.MakeDirectory("other");
  world.context.Write("other/f", "2");
  world.context.Symlink("d", "other");
  const auto applied = world.Apply(*plan);
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().sys_errno(), ESTALE);
  EXPECT_THAT(applied.error().message(), HasSubstr("d/f"));
}

TEST(PlanDirectory, MakesWhatIsMissingAndNothingElse) {
  CopyWorld world;
  world.AddLayer();
  world.layers().MakeDirectory("layer0/srv", 0700);
  world.layers().Symlink("layer0/app", "srv");
  const Owner owner{.uid = 5, .gid = 6};
  Result<CopyPlan> plan = PlanDirectory("/app/a/../b/c", owner, world.Lower());
  ASSERT_TRUE(plan.has_value()) << plan.error().ToString();
  ASSERT_TRUE(world.Apply(*plan).has_value());
  FileTree below = world.Below();
  EXPECT_THAT(ShownBy(below),
              UnorderedElementsAre(Pair("app", "l srv"), Pair("srv", Shown("d 700")),
                                   Pair("srv/b", Shown("d 755", "", "5:6")),
                                   Pair("srv/b/c", Shown("d 755", "", "5:6"))));
  EXPECT_TRUE(PlanDirectory("/srv/b/c", owner, world.Lower())->empty());
  EXPECT_TRUE(PlanDirectory("/", owner, world.Lower())->empty());
}

TEST(PlanDirectory, AFileInItsPlaceIsAnError) {
  CopyWorld world;
  world.AddLayer();
  world.layers().Write("layer0/f", "");
  EXPECT_EQ(PlanDirectory("/f", {}, world.Lower()).error().sys_errno(), ENOTDIR);
  EXPECT_EQ(PlanDirectory("/f/d", {}, world.Lower()).error().sys_errno(), ENOTDIR);
}

}  // namespace
}  // namespace cay::build
