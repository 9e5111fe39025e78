#include "engine/native/spawn/core_helper.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cay::engine::native {
namespace {

TEST(CoreHelper, RunsOnlyWhereThePatternIsAPipeAndTheLimitIsZero) {
  EXPECT_FALSE(WhyCoreHelperRuns(0, "|/usr/lib/systemd/systemd-coredump %P").empty());
  EXPECT_FALSE(WhyCoreHelperRuns(0, "|").empty());
  EXPECT_TRUE(WhyCoreHelperRuns(1, "|/usr/lib/systemd/systemd-coredump %P").empty());
  EXPECT_TRUE(WhyCoreHelperRuns(RLIM_INFINITY, "|/usr/share/apport/apport -p%p").empty());
  EXPECT_FALSE(WhyCoreHelperRuns(1, "@/run/systemd/coredump").empty());
  EXPECT_FALSE(WhyCoreHelperRuns(RLIM_INFINITY, "@@/run/systemd/coredump").empty());
  EXPECT_TRUE(WhyCoreHelperRuns(0, "core").empty());
  EXPECT_TRUE(WhyCoreHelperRuns(0, "").empty());
}

// In a child, whose limits end with it.
template <class Body>
int InChild(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(CoreHelper, ALimitThatIsThereIsLeftAsItIs) {
  EXPECT_EQ(InChild([] {
              const rlimit limit{.rlim_cur = 1, .rlim_max = 1};
              if (::setrlimit(RLIMIT_CORE, &limit) != 0) return 1;
              AllowCoreLimit();
              rlimit now{};
              ::getrlimit(RLIMIT_CORE, &now);
              if (now.rlim_cur != 1 || now.rlim_max != 1) return 2;
              return WhyCoreHelperRuns(false).empty() ? 0 : 3;
            }),
            0);
}

TEST(CoreHelper, ToAskChangesNothingAndOneIsAllowedWhereItMayBe) {
  EXPECT_EQ(InChild([] {
              const rlimit none{};
              if (::setrlimit(RLIMIT_CORE, &none) != 0) return 1;
              const bool good = WhyCoreHelperRuns(/*can_raise=*/true).empty();
              rlimit now{};
              ::getrlimit(RLIMIT_CORE, &now);
              if (now.rlim_max != 0) return 2;
              AllowCoreLimit();
              // What was said beforehand is so.
              return WhyCoreHelperRuns(/*can_raise=*/false).empty() == good ? 0 : 3;
            }),
            0);
}

}  // namespace
}  // namespace cay::engine::native
