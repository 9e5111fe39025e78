// The probe on the machine that the test runs on, as who runs it and as an ordinary user.
#include "engine/native/probe/probe.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/os/file.h"
#include "engine/native/probe/verdict.h"

namespace cay::engine::native {
namespace {

constexpr uid_t kOrdinaryUser = 65534;

size_t CountNames(const std::string& directory) {
  const std::filesystem::directory_iterator begin(directory);
  return static_cast<size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

class ProbeTest : public ::testing::Test {
 protected:
  ProbeTest() {
    std::string pattern = ::testing::TempDir() + "cay-probe-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~ProbeTest() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
};

TEST_F(ProbeTest, ChangesNothing) {
  const std::string mounts = ReadFile("/proc/self/mountinfo", 16 << 20).value_or("");
  const size_t descriptors = CountNames("/proc/self/fd");
  const Result<Facts> facts = Probe(dir_);
  ASSERT_TRUE(facts.has_value()) << facts.error().ToString();
  EXPECT_EQ(ReadFile("/proc/self/mountinfo", 16 << 20).value_or(""), mounts);
  EXPECT_EQ(CountNames("/proc/self/fd"), descriptors);
  EXPECT_EQ(CountNames(dir_), 0U);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST_F(ProbeTest, TriesEverythingThatRootNeeds) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const Result<Facts> facts = Probe(dir_);
  ASSERT_TRUE(facts.has_value()) << facts.error().ToString();
  if (!facts->outcomes.Works(Feature::kUserNamespace)) GTEST_SKIP() << "needs user namespaces";
  for (size_t i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    if (feature == Feature::kCgroupKill) continue;  // a v1 machine has no such tree
    EXPECT_NE(facts->outcomes[feature], kNotTried) << FeatureKey(feature);
  }
}

TEST_F(ProbeTest, AnswersAnOrdinaryUserToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::setresgid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) < 0 ||
        ::setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) < 0) {
      ::_exit(1);
    }
    const Result<Facts> facts = Probe("/tmp");
    if (!facts) ::_exit(2);
    if (facts->outcomes[Feature::kIdmappedMounts] != kNotTried) ::_exit(3);
    const Verdict verdict = Evaluate(*facts);
    ::_exit(verdict.fully_enforced ? 4 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "exit code " << WEXITSTATUS(status);
}

}  // namespace
}  // namespace cay::engine::native
