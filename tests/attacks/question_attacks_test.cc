// The arbiter over the life of a sandbox, and programs that ask it without knowing.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "live_sandbox.h"

namespace cay::attacks {
namespace {

class Questions : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    engine_ = StartEngine(Arena::Own());
  }
  std::unique_ptr<engine::native::NativeEngine> engine_;
};

TEST_F(Questions, DoNotKeepASandboxFromBeingPaused) {
  const LiveSandbox sandbox(*engine_, HostTemplate(Arena::Own()));
  ProcessStream asking = sandbox.Start({"/attack/attack-victim", "ask_on_and_on"});
  for (int round = 0; round < 30; ++round) {
    const auto paused = engine_->Pause(sandbox.id());
    ASSERT_TRUE(paused) << paused.error().ToString();
    ASSERT_TRUE(engine_->Resume(sandbox.id()));
    EXPECT_EQ(sandbox.Run("interfaces_at_once 4"), "4 of 4");
  }
  ASSERT_TRUE(asking.CloseStdin());
  EXPECT_EQ(Finish(asking).LastLine(), "through");
}

TEST_F(Questions, AreAnsweredAfterStopAndStart) {
  const LiveSandbox sandbox(*engine_, HostTemplate(Arena::Own()), {},
                            engine::Lifetime::kPersistent);
  EXPECT_EQ(sandbox.Run("raise_buffers"), "bounded");
  const auto stopped = engine_->Stop(sandbox.id());
  ASSERT_TRUE(stopped) << stopped.error().ToString();
  ASSERT_TRUE(engine_->Start(sandbox.id()));
  EXPECT_EQ(sandbox.Run("raise_buffers"), "bounded");
  EXPECT_EQ(sandbox.Run("neighbour"), "undisturbed");
}

// What one command holds, another does not get, until it is let go.
TEST_F(Questions, AreAboutTheWholeSandboxAndWhatWasLetGoIsFree) {
  const LiveSandbox sandbox(*engine_, HostTemplate(Arena::Own()));
  ProcessStream spender = sandbox.Start({"/attack/attack-victim", "spend_netlink"});
  EXPECT_EQ(sandbox.Run("until_refused_netlink"), "refused ENOBUFS");
  ASSERT_TRUE(spender.CloseStdin());
  EXPECT_TRUE(Finish(spender).LastLine().starts_with("refused ENOBUFS"));
  EXPECT_EQ(sandbox.Run("interfaces_at_once 100"), "100 of 100");
}

struct Program {
  const char* name;
  std::vector<std::string> argv;
  const char* says;
};

// What gtest shows as a test's parameter.
void PrintTo(const Program& program, std::ostream* out) { *out << program.argv.front(); }

// Only what the `host` template shows of this machine.
class OrdinaryPrograms : public Questions, public testing::WithParamInterface<Program> {};

TEST_P(OrdinaryPrograms, GoOn) {
  const std::string& path = GetParam().argv.front();
  std::ofstream(Arena::Own().directory() + "/bin/page.1") << ".TH SPENT 1\n.SH NAME\nspent\n";
  if (::access(path.c_str(), X_OK) != 0) GTEST_SKIP() << path << " is not installed";
  const LiveSandbox sandbox(*engine_, HostTemplate(Arena::Own()), {.memory = 1 << 30});
  const CommandResult result = sandbox.Execute(GetParam().argv);
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_NE(result.out.find(GetParam().says), std::string::npos) << result.out;
}

std::string NameOf(const testing::TestParamInfo<Program>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Of, OrdinaryPrograms,
    testing::Values(
        Program{"IpAddresses", {"/usr/sbin/ip", "address"}, "127.0.0.1"},
        Program{"IpRoutes", {"/usr/sbin/ip", "route", "show", "table", "local"}, "127.0.0.1"},
        Program{"Node",
                {"/usr/bin/node", "-e", "console.log(require('os').networkInterfaces())"},
                "127.0.0.1"},
        Program{"Python",
                {"/usr/bin/python3", "-c", "import socket; print(socket.if_nameindex())"},
                "'lo'"},
        Program{"Perl",
                {"/usr/bin/perl", "-e",
                 "use Socket; print scalar(gethostbyname('localhost')) ? 'yes' : 'no'"},
                "yes"},
        Program{"Getent", {"/usr/bin/getent", "ahosts", "localhost"}, "127.0.0.1"},
        // It filters itself with every program that it starts.
        Program{"Man",
                {"/usr/bin/man", "-C", "/dev/null", "-P", "cat", "-l", "/attack/page.1"},
                "spent"},
        Program{"File", {"/usr/bin/file", "/usr/bin/env"}, "ELF"}),
    NameOf);

}  // namespace
}  // namespace cay::attacks
