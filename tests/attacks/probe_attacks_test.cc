// Every line of attack_table.cc as a test of its own: called by root, by an ordinary user, and
// outside of a sandbox, where the probe must see the difference.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "arena.h"
#include "attack_table.h"

namespace cay::attacks {
namespace {

std::vector<Attack> Select(bool (*wanted)(const Attack&)) {
  std::vector<Attack> selected;
  for (const auto& group :
       {FilesystemAttacks(), ProcAttacks(), PrivilegeAttacks(), KernelAttacks(), HostFileAttacks(),
        NetworkAttacks(), QuestionAttacks(), ResourceAttacks()}) {
    for (const Attack& attack : group) {
      if (wanted(attack)) selected.push_back(attack);
    }
  }
  return selected;
}

void ExpectContained(const Arena& arena, const Attack& attack, const std::string& options,
                     const char* expected) {
  const Outcome outcome = arena.Attack(attack.probe, options)->Wait();
  EXPECT_TRUE(Matches(VerdictOf(outcome), expected))
      << "said: " << VerdictOf(outcome) << "\nmust say: " << expected << "\nexit code "
      << outcome.exit_code << ", stderr: " << outcome.err;
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(arena.Leftovers().empty());
}

class AttackAsRoot : public testing::TestWithParam<Attack> {};
TEST_P(AttackAsRoot, IsContained) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ExpectContained(Arena::Own(), GetParam(), GetParam().options, GetParam().expected);
}

// The whole table again as id 0 of a sandbox whose root has its privileges.
class AttackWithRoot : public testing::TestWithParam<Attack> {};
TEST_P(AttackWithRoot, IsContained) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const Attack& attack = GetParam();
  std::string options = std::string(attack.options) + " --privileges root";
  if (options.find("-u 0") == std::string::npos) options += " -u 0";
  ExpectContained(Arena::Own(), attack, options,
                  attack.with_root[0] != '\0' ? attack.with_root : attack.expected);
}

class AttackAsUser : public testing::TestWithParam<Attack> {};
TEST_P(AttackAsUser, IsContained) {
  ExpectContained(::geteuid() == 0 ? Arena::OrdinaryUser() : Arena::Own(), GetParam(),
                  GetParam().options, GetParam().expected);
}

class Probe : public testing::TestWithParam<Attack> {};
TEST_P(Probe, SeesTheDifferenceOutside) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (kSanitized && std::string_view(GetParam().probe).starts_with("chroot")) {
    GTEST_SKIP() << "a sanitizer's run time looks for /proc of its own after it";
  }
  const int priority = ::getpriority(PRIO_PROCESS, 0);
  // Some attacks are races: that one is won once is what shows that it can be.
  constexpr int kTries = 20;
  std::string verdict;
  for (int i = 0; i < kTries && !Matches(verdict, GetParam().outside); ++i) {
    verdict = VerdictOf(Arena::Own().Outside(GetParam().probe)->Wait());
  }
  EXPECT_TRUE(Matches(verdict, GetParam().outside))
      << "said: " << verdict << "\nmust say: " << GetParam().outside;
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), priority) << "the probe changed who runs it";
}

std::string NameOf(const testing::TestParamInfo<Attack>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(All, AttackAsRoot,
                         testing::ValuesIn(Select([](const Attack&) { return true; })), NameOf);
INSTANTIATE_TEST_SUITE_P(All, AttackWithRoot,
                         testing::ValuesIn(Select([](const Attack&) { return true; })), NameOf);
INSTANTIATE_TEST_SUITE_P(All, AttackAsUser, testing::ValuesIn(Select([](const Attack& attack) {
                           return attack.caller == Caller::kBoth;
                         })),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(All, Probe, testing::ValuesIn(Select([](const Attack& attack) {
                           return attack.outside[0] != '\0';
                         })),
                         NameOf);

}  // namespace

// What gtest shows as a test's parameter.
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.probe; }

}  // namespace cay::attacks
