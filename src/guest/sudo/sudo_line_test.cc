#include <gtest/gtest.h>

#include "guest/sudo/wanted_command.h"

namespace cay::guest::sudo {
namespace {

using Words = std::vector<std::string>;

WantedCommand Sudo(const Words& words) {
  auto parsed = ParseSudo(words);
  EXPECT_TRUE(parsed) << parsed.error().message();
  return parsed ? *std::move(parsed) : WantedCommand();
}

WantedCommand Su(const Words& words) {
  auto parsed = ParseSu(words);
  EXPECT_TRUE(parsed) << parsed.error().message();
  return parsed ? *std::move(parsed) : WantedCommand();
}

TEST(ParseSudo, OptionsEndAtTheCommand) {
  const WantedCommand wanted = Sudo({"-n", "-u", "postgres", "psql", "-u", "x", "--help"});
  EXPECT_EQ(wanted.user, "postgres");
  EXPECT_EQ(wanted.argv, (Words{"psql", "-u", "x", "--help"}));
  EXPECT_EQ(Sudo({"--", "-x"}).argv, Words{"-x"});
}

TEST(ParseSudo, TakesUsersAndGroupsByNumber) {
  const WantedCommand wanted = Sudo({"-u#1000", "-g", "#7", "id"});
  EXPECT_EQ(wanted.user, "1000");
  EXPECT_EQ(wanted.group, "7");
}

TEST(ParseSudo, VariablesComeBeforeTheCommand) {
  const WantedCommand wanted = Sudo({"A=1", "DEBIAN_FRONTEND=noninteractive", "env", "B=2"});
  EXPECT_EQ(wanted.set, (Words{"A=1", "DEBIAN_FRONTEND=noninteractive"}));
  EXPECT_EQ(wanted.argv, (Words{"env", "B=2"}));
  EXPECT_EQ(Sudo({"./x=y"}).argv, Words{"./x=y"});
  EXPECT_EQ(Sudo({"1=y"}).argv, Words{"1=y"});
}

TEST(ParseSudo, WhatIsAboutPasswordsDoesNothing) {
  EXPECT_EQ(Sudo({"-v"}).act, Act::kNothing);
  EXPECT_EQ(Sudo({"-K"}).act, Act::kNothing);
  const WantedCommand wanted = Sudo({"-k", "-S", "-p", "Password:", "id"});
  EXPECT_EQ(wanted.act, Act::kRun);
  EXPECT_EQ(wanted.argv, Words{"id"});
}

TEST(ParseSudo, ShellsAndLogins) {
  EXPECT_EQ(Sudo({"-s"}).shell, Shell::kLine);
  EXPECT_TRUE(Sudo({"-s"}).callers_shell);
  EXPECT_TRUE(Sudo({"-i"}).login);
  EXPECT_EQ(Sudo({"-iu", "alice"}).user, "alice");
  EXPECT_EQ(Sudo({"--login", "--user=alice", "ls"}).argv, Words{"ls"});
}

TEST(ParseSudo, TheEnvironment) {
  EXPECT_EQ(Sudo({"-E", "env"}).keep, Keep::kAll);
  EXPECT_EQ(Sudo({"--preserve-env", "env"}).keep, Keep::kAll);
  const WantedCommand wanted = Sudo({"--preserve-env=A,,B", "env"});
  EXPECT_EQ(wanted.keep, Keep::kUsual);
  EXPECT_EQ(wanted.kept, (Words{"A", "B"}));
}

TEST(ParseSudo, WhatItCannotDoIsRefused) {
  for (const Words& words : std::vector<Words>{{},
                                               {"-u"},
                                               {"-u", "alice"},
                                               {"--no-such", "id"},
                                               {"-e", "/etc/hosts"},
                                               {"-T", "5", "id"},
                                               {"-R", "/srv", "id"}}) {
    EXPECT_FALSE(ParseSudo(words)) << testing::PrintToString(words);
  }
}

TEST(ParseSu, AUserAndWhatItsShellGets) {
  const WantedCommand wanted = Su({"postgres", "-c", "initdb -D x", "more"});
  EXPECT_EQ(wanted.user, "postgres");
  EXPECT_EQ(wanted.command_line, "initdb -D x");
  EXPECT_EQ(wanted.argv, Words{"more"});
  EXPECT_EQ(wanted.keep, Keep::kAll);
  EXPECT_FALSE(wanted.login);
}

TEST(ParseSu, ALogin) {
  for (const Words& words :
       std::vector<Words>{{"-", "alice"}, {"-l", "alice"}, {"--login", "alice"}}) {
    const WantedCommand wanted = Su(words);
    EXPECT_TRUE(wanted.login);
    EXPECT_EQ(wanted.user, "alice");
    EXPECT_EQ(wanted.keep, Keep::kUsual);
  }
  EXPECT_EQ(Su({"-"}).user, "root");
  EXPECT_EQ(Su({}).user, "root");
}

}  // namespace
}  // namespace cay::guest::sudo
