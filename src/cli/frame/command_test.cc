#include "cli/frame/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Probe {
  int flags = 0;
  std::string size;
};

constexpr OptionSpec kOptions[] = {
    {.name = "interactive",
     .short_name = 'i',
     .help = "Pass input",
     .group = "Group",
     .apply = &Into<Probe,
                    [](Probe& o, std::string_view) {
                      o.flags |= 1;
                      return Ok();
                    }>},
    {.name = "tty",
     .short_name = 't',
     .help = "A terminal",
     .apply = &Into<Probe,
                    [](Probe& o, std::string_view) {
                      o.flags |= 2;
                      return Ok();
                    }>},
    {.name = "memory",
     .short_name = 'm',
     .value = "SIZE",
     .help = "Memory",
     .example = "512m",
     .apply = &Into<Probe,
                    [](Probe& o, std::string_view value) -> Result<void> {
                      if (value == "bad") return Failure(Error::Invalid("\"bad\" is not a size"));
                      o.size = value;
                      return {};
                    }>},
};
constexpr Command kProbe = {.name = "probe",
                            .summary = "A probe",
                            .usage = "[OPTIONS] COMMAND",
                            .options = kOptions,
                            .examples = "cay probe -it\n",
                            .options_first = true};

struct Parsed {
  Probe probe;
  Result<Positionals> rest;
};

Parsed Parse(std::vector<const char*> arguments) {
  Probe probe;
  Result<Positionals> rest = ParseArguments(kProbe, arguments, &probe);
  return {probe, std::move(rest)};
}

std::string ErrorOf(std::vector<const char*> arguments) {
  Parsed parsed = Parse(std::move(arguments));
  return parsed.rest ? "no error" : parsed.rest.error().ToString();
}

TEST(ParseArguments, TakesAValueInEveryForm) {
  for (auto arguments : std::vector<std::vector<const char*>>{
           {"--memory", "1g"}, {"--memory=1g"}, {"-m", "1g"}, {"-m1g"}, {"-m=1g"}, {"-itm1g"}}) {
    Parsed parsed = Parse(arguments);
    ASSERT_TRUE(parsed.rest) << arguments.front();
    EXPECT_EQ(parsed.probe.size, "1g") << arguments.front();
  }
}

TEST(ParseArguments, JoinsFlags) { EXPECT_EQ(Parse({"-it"}).probe.flags, 3); }

TEST(ParseArguments, LeavesTheCommandsOwnOptionsAlone) {
  Parsed parsed = Parse({"-i", "ls", "-t", "--nonsense"});
  ASSERT_TRUE(parsed.rest);
  EXPECT_EQ(parsed.probe.flags, 1);
  EXPECT_THAT(parsed.rest->values, ElementsAre("ls", "-t", "--nonsense"));
  EXPECT_FALSE(parsed.rest->after_separator);
}

TEST(ParseArguments, RemembersASeparatorBeforeTheCommandOnly) {
  EXPECT_TRUE(Parse({"-i", "--", "ls", "-l"}).rest->after_separator);
  Parsed later = Parse({"ls", "--", "x"});
  EXPECT_FALSE(later.rest->after_separator);
  EXPECT_THAT(later.rest->values, ElementsAre("ls", "--", "x"));
}

TEST(ParseArguments, TakesALoneHyphenAsAnArgument) {
  EXPECT_THAT(Parse({"-"}).rest->values, ElementsAre("-"));
}

TEST(ParseArguments, SuggestsTheNearestOption) {
  EXPECT_EQ(ErrorOf({"--memroy", "1g"}),
            "--memroy: there is no such option (did you mean --memory?)");
  EXPECT_EQ(ErrorOf({"--zzzzzz"}), "--zzzzzz: there is no such option (see cay probe --help)");
  EXPECT_THAT(ErrorOf({"-x"}), HasSubstr("-x: there is no such option"));
}

TEST(ParseArguments, SaysHowAValueIsWritten) {
  EXPECT_EQ(ErrorOf({"--memory"}), "--memory: a value is missing (as in --memory 512m)");
  EXPECT_EQ(ErrorOf({"-m", "bad"}), "--memory: \"bad\" is not a size (as in --memory 512m)");
  EXPECT_EQ(ErrorOf({"--tty=yes"}), "--tty: takes no value (write --tty alone)");
}

TEST(ParseArguments, StopsAtHelp) {
  EXPECT_TRUE(Parse({"--help", "--nonsense"}).rest->help);
  EXPECT_TRUE(Parse({"-h"}).rest->help);
}

TEST(HelpText, ShowsOptionsGroupsAndExamples) {
  std::string text = HelpText(kProbe, "cay probe");
  EXPECT_THAT(text, HasSubstr("Usage: cay probe [OPTIONS] COMMAND\n"));
  EXPECT_THAT(text, HasSubstr("\nGroup:\n"));
  EXPECT_THAT(text, HasSubstr("  -m, --memory SIZE         Memory\n"));
  EXPECT_THAT(text, HasSubstr("\nExamples:\n  cay probe -it\n"));
}

void ExpectNarrow(const Command& command, const std::string& path) {
  std::string text = HelpText(command, path);
  size_t start = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    EXPECT_LE(end - start, 100U) << text.substr(start, end - start);
    start = end + 1;
  }
  EXPECT_FALSE(command.examples.empty()) << path;
  for (const Command* sub : command.subcommands) {
    ExpectNarrow(*sub, path + " " + std::string(sub->name));
  }
}

TEST(HelpText, OfEveryCommandHasExamplesAndFitsA100ColumnTerminal) {
  ExpectNarrow(kRootCommand, "cay");
}

void ExpectDistinctOptions(const Command& command) {
  std::vector<std::string> seen = {"help", "h"};
  for (const OptionSpec& option : command.options) {
    EXPECT_THAT(seen, testing::Not(testing::Contains(std::string(option.name))));
    seen.emplace_back(option.name);
    if (option.short_name == 0) continue;
    EXPECT_THAT(seen, testing::Not(testing::Contains(std::string(1, option.short_name))));
    seen.emplace_back(1, option.short_name);
  }
  for (const Command* sub : command.subcommands) ExpectDistinctOptions(*sub);
}

TEST(Commands, NameEachOptionOnce) { ExpectDistinctOptions(kRootCommand); }

TEST(Dispatch, SuggestsTheNearestCommand) {
  std::vector<const char*> arguments = {"rnu"};
  Result<int> code = Dispatch(kRootCommand, "cay", arguments);
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().ToString(), "rnu: there is no such command (did you mean cay run?)");
}

}  // namespace
}  // namespace cay::cli
