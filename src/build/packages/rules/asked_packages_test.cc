#include "build/packages/rules/asked_packages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build/packages/rules/apt_package.h"
#include "build/packages/rules/npm_package.h"
#include "build/packages/rules/pip_requirement.h"

namespace cay::build {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Pip(std::string_view text) {
  const auto read = ParseRequirement(text);
  return read ? *read : "refused: " + read.error().message();
}

std::string Npm(std::string_view text) {
  const auto read = ParseNpmPackage(text);
  return read ? read->name + " " + read->range : "refused: " + read.error().message();
}

TEST(PipRequirement, IsReadAsPep508HasIt) {
  EXPECT_EQ(Pip("numpy"), "numpy");
  EXPECT_EQ(Pip("pandas==2.2.0"), "pandas==2.2.0");
  EXPECT_EQ(Pip("  pandas >= 2.1 , < 3 "), "pandas>=2.1,<3");
  EXPECT_EQ(Pip("celery[redis, auth]~=5.3"), "celery[redis,auth]~=5.3");
  EXPECT_EQ(Pip("a(>=1.0,!=1.5)"), "a>=1.0,!=1.5");
  EXPECT_EQ(Pip("torch===2.1.0+cpu"), "torch===2.1.0+cpu");
  EXPECT_EQ(Pip("x==1!2.0.*"), "x==1!2.0.*");
  EXPECT_EQ(Pip("a.b_c-d[]"), "a.b_c-d");
}

TEST(PipRequirement, MarkersAreReadAndWrittenInOneForm) {
  EXPECT_EQ(Pip("tomli>=1 ; python_version<\"3.11\""), "tomli>=1; python_version < '3.11'");
  EXPECT_EQ(Pip("a;(os_name=='nt' or sys_platform not in 'win32 cygwin')and extra == 'x'"),
            "a; (os_name == 'nt' or sys_platform not in 'win32 cygwin') and extra == 'x'");
  EXPECT_THAT(Pip("a; nonsense == 'x'"), HasSubstr("refused"));
  EXPECT_THAT(Pip("a; os_name == 'x"), HasSubstr("refused"));
  EXPECT_THAT(Pip("a; os_name == 'x$(id)'"), HasSubstr("refused"));
  EXPECT_THAT(Pip("a; os_name 'x'"), HasSubstr("refused"));
  EXPECT_THAT(Pip("a;" + std::string(100, '(') + "os_name == 'x'"), HasSubstr("too deep"));
}

TEST(PipRequirement, NothingThatIsNoNameAndVersionIsTaken) {
  for (const char* attack : {"",
                             " ",
                             "-e",
                             "-r other.txt",
                             "--index-url=http://evil/",
                             "-",
                             "a -r b",
                             "a --pre",
                             "a\n--index-url http://evil",
                             "a\r-e .",
                             "a; rm -rf /",
                             "a$(id)",
                             "a`id`",
                             "a|b",
                             "a&b",
                             "a>b>c",
                             "a==",
                             "a==-1",
                             "a==1;",
                             "a[",
                             "a[b",
                             "a[-e]",
                             "a==1,",
                             ".",
                             "..",
                             "./a",
                             "/etc",
                             "~/a",
                             "a/b",
                             "C:\\a",
                             "a @ http://evil/a.whl",
                             "a@file:///etc/passwd",
                             "http://evil/a.whl",
                             "git+https://evil/a.git#egg=a",
                             "${HOME}",
                             "a${HOME}",
                             "a#b",
                             "a==1 # b",
                             "-a",
                             "a-",
                             "_a",
                             "a\\",
                             "a\"",
                             "a'",
                             "a b",
                             "\xC3\xA4",
                             "a==1\xC3\xA4",
                             "a==1 b==2",
                             "a<<1"}) {
    EXPECT_THAT(Pip(attack), HasSubstr("refused")) << attack;
  }
  EXPECT_THAT(Pip(std::string("a\0b", 3)), HasSubstr("refused"));
  EXPECT_THAT(Pip(std::string(129, 'a')), HasSubstr("refused"));
  EXPECT_THAT(Pip("a==" + std::string(101, '1')), HasSubstr("refused"));
  EXPECT_THAT(Pip(std::string(5000, 'a')), HasSubstr("longer than"));
  std::string many = "a>1";
  for (int i = 0; i < 20; ++i) many += ",>1";
  EXPECT_THAT(Pip(many), HasSubstr("too many versions"));
}

TEST(PipRequirement, WhatIsAPlaceIsSaidToBeOne) {
  EXPECT_THAT(Pip("a @ https://example.org/a.whl"), HasSubstr("names a place"));
  EXPECT_THAT(Pip("https://example.org/a.whl"), HasSubstr("names a place"));
  EXPECT_THAT(Pip("--index-url=x"), HasSubstr("an option"));
}

TEST(Requirements, AreReadAsPipReadsAFile) {
  const auto read = ParseRequirements(
      "# a comment\r\n\n  numpy  # why\nfoo==1 \\\n  --hash=sha256:" + std::string(64, 'a') +
      " \\\n  --hash sha512:" + std::string(128, '0') + "\nbar>=1,\\\n<2; os_name == 'posix'\n");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_THAT(*read, ElementsAre("numpy",
                                 "foo==1 --hash=sha256:" + std::string(64, 'a') +
                                     " --hash=sha512:" + std::string(128, '0'),
                                 "bar>=1,<2; os_name == 'posix'"));
  EXPECT_THAT(*ParseRequirements(""), IsEmpty());
  EXPECT_THAT(*ParseRequirements("# only\n"), IsEmpty());
}

TEST(Requirements, OptionsAreRefusedByTheirLine) {
  for (const char* line :
       {"-r other.txt", "--index-url http://evil/", "--extra-index-url=http://evil", "-e .",
        "-c constraints.txt", "--find-links /", "--trusted-host evil",
        "--no-binary :all:", "a --global-option=--x", "a --config-settings x=y", "a --hash=md5:aa",
        "a --hash=sha256:short", "a --hash"}) {
    const auto read = ParseRequirements("numpy\n" + std::string(line) + "\n");
    ASSERT_FALSE(read) << line;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidArgument) << line;
    EXPECT_THAT(read.error().message(), HasSubstr("line 2")) << line;
  }
  // A line that goes on cannot hide one.
  EXPECT_FALSE(ParseRequirements("a \\\n--index-url http://evil/\n"));
  EXPECT_FALSE(ParseRequirements("a\\\n\\\n-e ."));
}

TEST(NpmPackage, IsANameWithAScopeAndARange) {
  EXPECT_EQ(Npm("lodash"), "lodash *");
  EXPECT_EQ(Npm("lodash@^4.17.0"), "lodash ^4.17.0");
  EXPECT_EQ(Npm("@types/node@20"), "@types/node 20");
  EXPECT_EQ(Npm("@types/node"), "@types/node *");
  EXPECT_EQ(Npm("a@1.2.3-rc.1+build.5"), "a 1.2.3-rc.1+build.5");
  EXPECT_EQ(Npm("a@>=1.2 <3 || 4.x"), "a >=1.2 <3 || 4.x");
  EXPECT_EQ(Npm("a@1.0 - 2.0"), "a 1.0 - 2.0");
  EXPECT_EQ(Npm("a@>= 1"), "a >= 1");
  EXPECT_EQ(Npm("typescript@next"), "typescript next");
}

TEST(NpmPackage, NothingElseIsTaken) {
  for (const char* attack : {"",
                             "-g",
                             "--registry=http://evil",
                             "a b",
                             "a@",
                             "@a",
                             "@/b",
                             "@a/",
                             "a/b",
                             "./a",
                             "../a",
                             "/a",
                             ".a",
                             "_a",
                             "a@file:../b",
                             "a@http://evil/a.tgz",
                             "a@git+ssh://evil/a.git",
                             "a@user/repo",
                             "a@npm:b@1",
                             "a@github:user/repo",
                             "a@$(id)",
                             "a;b",
                             "a|b",
                             "a@1;2",
                             "a@--registry=x",
                             "a@-g",
                             "a\nb",
                             "a@1\n2",
                             "a@1.2.3.4",
                             "a@ ||| 1",
                             "\xC3\xA4",
                             "a\"b",
                             "-a@1",
                             "a@1.-2"}) {
    EXPECT_THAT(Npm(attack), HasSubstr("refused")) << attack;
  }
  EXPECT_THAT(Npm(std::string(215, 'a')), HasSubstr("refused"));
  EXPECT_THAT(Npm("a@" + std::string(300, '1')), HasSubstr("refused"));
}

TEST(PackageJson, OnlyWhatIsInstalledIsKept) {
  const auto read = ParsePackageJson(
      R"({"name":"app","version":"1.0.0","scripts":{"preinstall":"evil"},"bin":"x",
          "dependencies":{"lodash":"^4","b":""},"devDependencies":{"jest":"29"}})");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(
      read->Text(),
      "{\"name\":\"app\",\"version\":\"1.0.0\",\"private\":true,"
      "\"dependencies\":{\"lodash\":\"^4\",\"b\":\"*\"},\"devDependencies\":{\"jest\":\"29\"}}"
      "\n");
}

TEST(PackageJson, PlacesAreRefused) {
  for (const char* bad :
       {"", "[]", "null", R"({"dependencies":[]})", R"({"dependencies":{"a":1}})",
        R"({"dependencies":{"a":"file:.."}})", R"({"dependencies":{"a":"http://evil/a.tgz"}})",
        R"({"dependencies":{"../a":"1"}})", R"({"dependencies":{"-g":"1"}})",
        R"({"optionalDependencies":{"a":"git+https://evil"}})", R"({"workspaces":["a"]})",
        R"({"dependencies":{"a":"1"},"dependencies":{"b":"1"}})"}) {
    const auto read = ParsePackageJson(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(PackageLock, NamesPackagesOfARegistryAlone) {
  const auto lock = [](const std::string& member) {
    return CheckPackageLock(R"({"lockfileVersion":3,"packages":{"":{},"node_modules/a":{)" +
                            member + "}}}");
  };
  EXPECT_TRUE(lock(R"("version":"1.0.0","resolved":"https://registry.example/a.tgz")"));
  EXPECT_TRUE(lock(R"("version":"1.0.0")"));
  EXPECT_FALSE(lock(R"("link":true,"resolved":"../a")"));
  EXPECT_FALSE(lock(R"("resolved":"file:a.tgz")"));
  EXPECT_FALSE(lock(R"("resolved":"git+ssh://evil/a.git")"));
  EXPECT_FALSE(lock(R"("resolved":5)"));
  EXPECT_FALSE(CheckPackageLock(R"({"lockfileVersion":1,"dependencies":{}})"));
  EXPECT_FALSE(CheckPackageLock(R"({"lockfileVersion":3})"));
  EXPECT_FALSE(CheckPackageLock(R"({"lockfileVersion":3,"packages":{"a":1}})"));
}

TEST(AptPackage, IsANameAndAVersion) {
  EXPECT_EQ(*ParseAptPackage("jq"), "jq");
  EXPECT_EQ(*ParseAptPackage("g++"), "g++");
  EXPECT_EQ(*ParseAptPackage("libc6=2:2.36-9+deb12u4~a"), "libc6=2:2.36-9+deb12u4~a");
  for (const char* attack : {"",       "a",       "-y",         "--allow-unauthenticated",
                             "jq-",    "./a.deb", "/tmp/a.deb", "jq/sid",
                             "JQ",     "jq*",     "jq?",        "^jq",
                             "jq jq",  "jq;id",   "jq$(id)",    "jq=",
                             "jq=-o",  "jq=a",    "jq=1 2",     "jq=1;2",
                             "jq\n-y", "+a",      ".a",         "jq:amd64",
                             "~nfoo",  "?name(x)"}) {
    EXPECT_FALSE(ParseAptPackage(attack)) << attack;
  }
}

TEST(Packages, AreTheirManagersByTheWordBeforeThem) {
  const auto set = ReadPackages(
      {.packages = {"pandas==2.2.0", "npm:lodash@4", "apt:jq", "pip:six"}}, Manager::kPip);
  ASSERT_TRUE(set) << set.error().ToString();
  EXPECT_THAT(set->pip, ElementsAre("pandas==2.2.0", "six"));
  EXPECT_THAT(set->npm, HasSubstr(R"("dependencies":{"lodash":"4"})"));
  EXPECT_THAT(set->apt, ElementsAre("jq"));
  EXPECT_THAT(set->told, ElementsAre("apt:jq", "npm:lodash@4", "pip:pandas==2.2.0", "pip:six"));
  EXPECT_THAT(ReadPackages({.packages = {"lodash"}}, Manager::kNpm)->told,
              ElementsAre("npm:lodash"));
}

TEST(Packages, OfOneKindAreTheSameInAnyOrder) {
  const auto one =
      ReadPackages({.packages = {"b", "a", "a"}, .requirements = "c\n"}, Manager::kPip);
  const auto other = ReadPackages({.packages = {"c", "a", "b"}}, Manager::kPip);
  EXPECT_EQ(one->pip, other->pip);
}

TEST(Packages, AreBounded) {
  AskedPackages many;
  for (size_t i = 0; i <= AskedPackages::kMaxPackages; ++i)
    many.packages.push_back("p" + std::to_string(i));
  EXPECT_EQ(ReadPackages(many, Manager::kPip).error().code(), ErrorCode::kLimitTooHigh);
  AskedPackages large{.requirements = std::string(AskedPackages::kMaxRequirements + 1, '#')};
  EXPECT_EQ(ReadPackages(large, Manager::kPip).error().code(), ErrorCode::kLimitTooHigh);
  AskedPackages both = many;
  both.packages.resize(600);
  for (int i = 0; i < 600; ++i) both.requirements += "q" + std::to_string(i) + "\n";
  EXPECT_EQ(ReadPackages(both, Manager::kPip).error().code(), ErrorCode::kLimitTooHigh);
}

TEST(Packages, ThatContradictEachOtherAreRefused) {
  EXPECT_FALSE(ReadPackages({.packages = {"npm:a@1", "npm:a@2"}}, Manager::kPip));
  EXPECT_FALSE(
      ReadPackages({.package_lock = R"({"lockfileVersion":3,"packages":{}})"}, Manager::kPip));
  const auto beside_lock =
      ReadPackages({.packages = {"npm:b"},
                    .package_json = R"({"dependencies":{"a":"1"}})",
                    .package_lock = R"({"lockfileVersion":3,"packages":{"":{}}})"},
                   Manager::kPip);
  ASSERT_FALSE(beside_lock);
  EXPECT_THAT(beside_lock.error().message(), HasSubstr("package-lock.json"));
}

TEST(Packages, WhatNamesNoneIsNone) {
  EXPECT_TRUE(ReadPackages({.requirements = "# nothing\n"}, Manager::kPip)->none());
  EXPECT_TRUE(ReadPackages({.package_json = "{}"}, Manager::kPip)->none());
  EXPECT_FALSE(HasUnmarked({.packages = {"pip:a", "apt:jq"}}));
  EXPECT_TRUE(HasUnmarked({.packages = {"pip:a", "b"}}));
}

}  // namespace
}  // namespace cay::build
