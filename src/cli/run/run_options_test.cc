#include "cli/run/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::cli {
namespace {

using engine::LimitKind;
using testing::ElementsAre;
using testing::HasSubstr;

RunOptions Parse(std::vector<const char*> arguments) {
  RunOptions options;
  Result<Positionals> rest = ParseArguments(kRunCommand, arguments, &options);
  EXPECT_TRUE(rest) << rest.error().ToString();
  if (rest) options.command = ShellRule(rest->values, rest->after_separator);
  return options;
}

std::string ErrorOf(std::vector<const char*> arguments) {
  RunOptions options;
  Result<Positionals> rest = ParseArguments(kRunCommand, arguments, &options);
  if (!rest) return rest.error().ToString();
  options.command.argv = rest->values;
  Result<void> checked = CheckRunOptions(options);
  return checked ? "no error" : checked.error().ToString();
}

TEST(RunOptions, RequireOnlyTheLimitsThatWereNamed) {
  RunOptions options = Parse({"--memory", "256m", "--cpus=0.5", "true"});
  EXPECT_EQ(options.limits.memory, 256 * kMiB);
  EXPECT_EQ(options.limits.cpus, 500U);
  EXPECT_TRUE(options.required.Contains(LimitKind::kMemory));
  EXPECT_TRUE(options.required.Contains(LimitKind::kCpus));
  EXPECT_FALSE(options.required.Contains(LimitKind::kPids));
  EXPECT_FALSE(options.required.Contains(LimitKind::kDisk));
}

TEST(RunOptions, TakeEveryOption) {
  RunOptions options = Parse({"--template", "t",         "--memory",
                              "1g",         "--cpus",    "2",
                              "--pids",     "64",        "--disk",
                              "64m",        "--timeout", "2s",
                              "-e",         "A=1",       "--env-file",
                              "f",          "-w",        "/w",
                              "-u",         "root",      "--mount",
                              "/a:/b",      "--copy",    "c:d",
                              "--out",      "e:f",       "-i",
                              "--tmpfs",    "/t:1m",     "--noexec",
                              "--hostname", "h",         "--best-effort",
                              "--json",     "--timing",  "--quiet",
                              "--scratch",  "memory",    "--state-dir",
                              "/s",         "--",        "cmd",
                              "arg"});
  EXPECT_EQ(options.template_name, "t");
  EXPECT_EQ(options.privileges, Privileges::kNone);
  EXPECT_EQ(Parse({"--privileges", "root", "--", "true"}).privileges, Privileges::kRoot);
  EXPECT_EQ(options.limits.pids, 64U);
  EXPECT_EQ(options.limits.disk, 64 * kMiB);
  EXPECT_EQ(options.timeout, Millis(2000));
  EXPECT_THAT(options.env, ElementsAre("A=1"));
  EXPECT_THAT(options.env_files, ElementsAre("f"));
  EXPECT_EQ(options.workdir, "/w");
  EXPECT_EQ(options.user, "root");
  ASSERT_EQ(options.mounts.size(), 1U);
  EXPECT_EQ(options.mounts[0].target, "/b");
  EXPECT_THAT(options.copies, ElementsAre(Transfer{"c", "d"}));
  EXPECT_THAT(options.outs, ElementsAre(Transfer{"e", "f"}));
  EXPECT_EQ(options.tmpfs.at(0).size, kMiB);
  EXPECT_TRUE(options.interactive && options.noexec && options.best_effort && options.json &&
              options.timing && options.quiet);
  EXPECT_EQ(options.hostname, "h");
  EXPECT_EQ(options.scratch, engine::Scratch::kMemory);
  EXPECT_EQ(options.state_dir, "/s");
  EXPECT_THAT(options.command.argv, ElementsAre("cmd", "arg"));
}

TEST(RunOptions, LetALaterValueWin) {
  EXPECT_EQ(Parse({"-m", "1g", "-m", "2g", "true"}).limits.memory, 2 * kGiB);
}

TEST(RunOptions, NameSecretsByTheirHostsOrAsTheyAreKept) {
  const RunOptions options =
      Parse({"--secret", "TOKEN=api.example.com,b.example:8443", "--secret", "my-api", "true"});
  ASSERT_EQ(options.secrets.size(), 2U);
  EXPECT_EQ(options.secrets[0].name, "TOKEN");
  EXPECT_EQ(options.secrets[0].hosts,
            (std::vector<std::string>{"api.example.com", "b.example:8443"}));
  EXPECT_EQ(options.secrets[1].name, "my-api");
  EXPECT_TRUE(options.secrets[1].hosts.empty());
  for (const std::string_view wrong :
       {"", "=a.example", "my-api=a.example", "A=", "A=a.example,", "A=*.example", "A=10.0.0.1"})
    EXPECT_FALSE(ParseRunSecret(wrong)) << wrong;
}

TEST(RunSecrets, AreTakenOutOfTheEnvironmentWithAPlaceholderInTheirStead) {
  ::setenv("CAY_TEST_SECRET", "unspeakable", 1);
  const char* const place = ::getenv("CAY_TEST_SECRET");
  const auto secrets = RunSecrets::Take({{.name = "CAY_TEST_SECRET", .hosts = {"a.example"}}});
  ASSERT_TRUE(secrets) << secrets.error().message();
  EXPECT_EQ(::getenv("CAY_TEST_SECRET"), nullptr);
  EXPECT_EQ(std::string_view(place, 11), std::string_view("\0\0\0\0\0\0\0\0\0\0\0", 11));
  ASSERT_EQ(secrets->variables().size(), 1U);
  EXPECT_NE(secrets->variables()[0].value, "unspeakable");
  const auto copies = secrets->Copies();
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].value, "unspeakable");
  EXPECT_EQ(copies[0].placeholder, secrets->variables()[0].value);
  EXPECT_FALSE(RunSecrets::Take({{.name = "CAY_TEST_SECRET", .hosts = {"a.example"}}}));
}

TEST(RunOptions, SayWhatIsWrongAndHowItIsWritten) {
  EXPECT_THAT(ErrorOf({"--memory", "5zz", "true"}), HasSubstr("--memory: not a size: \"5zz\""));
  EXPECT_THAT(ErrorOf({"--pids", "0", "true"}), HasSubstr("--pids: it must be at least 1"));
  EXPECT_THAT(ErrorOf({"--scratch", "tape", "true"}), HasSubstr("none of auto, disk, memory"));
  EXPECT_THAT(ErrorOf({"--mount", "/a", "true"}), HasSubstr("is not SRC:DST[:ro|rw]"));
  EXPECT_THAT(ErrorOf({"--workdir", "here", "true"}), HasSubstr("not an absolute path"));
  EXPECT_THAT(ErrorOf({"-p", "80:80", "true"}), HasSubstr("--publish"));
  EXPECT_THAT(ErrorOf({"-p", "8080:80", "-p", "[::1]:8080:80", "-p", "8080:81", "true"}),
              HasSubstr("--publish: the port 8080 of 127.0.0.1 is published twice"));
  EXPECT_THAT(ErrorOf({}), HasSubstr("no command was given"));
  EXPECT_THAT(ErrorOf({"--json", "-t", "true"}), HasSubstr("--json and --tty"));
}

TEST(CommandTimeout, IsLongerWhereAPersonSits) {
  EXPECT_EQ(CommandTimeout(Parse({"true"})), std::chrono::seconds(300));
  EXPECT_EQ(CommandTimeout(Parse({"-t", "true"})), std::chrono::hours(1));
  EXPECT_EQ(CommandTimeout(Parse({"-t", "--timeout", "1m", "true"})), std::chrono::minutes(1));
  EXPECT_EQ(CommandTimeout(Parse({"--timeout", "0", "true"})), Millis(0));
}

}  // namespace
}  // namespace cay::cli
