// A mounted directory of the host: its files, but not the processes behind its sockets and FIFOs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "arena.h"
#include "attack_table.h"
#include "base/os/file.h"

namespace cay::attacks {
namespace {

constexpr const char* kUnreachable =
    "refused EACCES|refused ECONNREFUSED|refused ENOENT|refused EPERM";

Fd Listen(const std::string& path, int type) {
  Fd socket = Fd::Adopt(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  EXPECT_LT(path.size(), sizeof address.sun_path);
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(type == SOCK_DGRAM || ::listen(socket.get(), 8) == 0);
  EXPECT_EQ(::chmod(path.c_str(), 0777), 0);
  return socket;
}

bool SomebodyCame(const Fd& socket) {
  pollfd wait = {.fd = socket.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) == 1;
}

struct Case {
  const char* name;
  const char* mode;  // of the mount
  const char* user;
  bool ordinary;  // who calls `cay`
};
void PrintTo(const Case& example, std::ostream* out) { *out << example.name; }

class MountedDirectory : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!GetParam().ordinary && ::geteuid() != 0) GTEST_SKIP() << "needs root";
    std::filesystem::create_directories(directory_ + "/deep/er");
    ASSERT_EQ(::chown(directory_.c_str(), owner(), owner()), 0);
    MakeSpecial("before");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  uid_t owner() const {
    return GetParam().ordinary && ::geteuid() == 0 ? Arena::kOrdinaryUser : ::geteuid();
  }
  const Arena& arena() const {
    return GetParam().ordinary && ::geteuid() == 0 ? Arena::OrdinaryUser() : Arena::Own();
  }

  void MakeSpecial(const std::string& prefix) {
    const std::string base = directory_ + "/deep/er/" + prefix;
    stream_.emplace(Listen(base + "-stream", SOCK_STREAM));
    packet_.emplace(Listen(base + "-packet", SOCK_SEQPACKET));
    datagram_.emplace(Listen(base + "-datagram", SOCK_DGRAM));
    ASSERT_EQ(::mkfifo((base + "-fifo").c_str(), 0777), 0);
    ASSERT_EQ(::chmod((base + "-fifo").c_str(), 0777), 0);
    for (const char* each : {"-stream", "-packet", "-datagram", "-fifo"}) {
      ASSERT_EQ(::chown((base + each).c_str(), owner(), owner()), 0);
    }
  }

  std::string Options() const {
    std::string options = "--mount " + directory_ + ":/mounted:" + GetParam().mode;
    if (GetParam().user[0] != '\0') options += std::string(" -u ") + GetParam().user;
    return options;
  }
  std::string Try(const std::string& probe) const {
    return VerdictOf(arena().Attack(probe, Options())->Wait());
  }

  const std::string directory_ = Arena::Own().directory() + "/mounted";
  std::optional<Fd> stream_;
  std::optional<Fd> packet_;
  std::optional<Fd> datagram_;
};

TEST_P(MountedDirectory, KeepsItsSocketsAndFifosOutOfReach) {
  for (const char* probe :
       {"unix /mounted/deep/er/before-stream", "unix_datagram /mounted/deep/er/before-datagram",
        "unix_packet /mounted/deep/er/before-packet", "fifo /mounted/deep/er/before-fifo",
        "unix_by_link /mounted/deep/er/before-stream"}) {
    const std::string verdict = Try(probe);
    EXPECT_TRUE(Matches(verdict, kUnreachable)) << probe << ": " << verdict;
  }
  EXPECT_FALSE(SomebodyCame(*stream_));
  EXPECT_FALSE(SomebodyCame(*packet_));
  EXPECT_FALSE(SomebodyCame(*datagram_));
}

TEST_P(MountedDirectory, ShowsItsFiles) {
  const std::string path = directory_ + "/deep/er/file";
  ASSERT_TRUE(WriteFileAtomic(path, "x", 0644));
  EXPECT_EQ(Try("read /mounted/deep/er/file"), "through");
}

INSTANTIATE_TEST_SUITE_P(All, MountedDirectory,
                         testing::Values(Case{"ReadOnly", "ro", "", false},
                                         Case{"ReadWrite", "rw", "", false},
                                         Case{"ReadOnlyAsId0", "ro", "0", false},
                                         Case{"ReadWriteAsId0", "rw", "0", false},
                                         Case{"ReadOnlyOfAUser", "ro", "", true},
                                         Case{"ReadWriteOfAUser", "rw", "", true}),
                         [](const auto& test) { return std::string(test.param.name); });

// Code inside has the group of a read-write mount's directory, and with it the ways of that group.
TEST(ReadWriteMount, ASocketThatOnlyAGroupReachesIsOutOfReach) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  constexpr uid_t kSomebody = 54'321;
  const std::string directory = Arena::Own().directory() + "/mounted";
  std::filesystem::create_directories(directory + "/run");
  const Fd socket = Listen(directory + "/run/socket", SOCK_STREAM);
  ASSERT_EQ(::chown((directory + "/run").c_str(), kSomebody, ::getegid()), 0);
  ASSERT_EQ(::chmod((directory + "/run").c_str(), 0770), 0);
  const std::string verdict =
      VerdictOf(Arena::Own()
                    .Attack("unix /mounted/run/socket", "--mount " + directory + ":/mounted:rw")
                    ->Wait());
  EXPECT_TRUE(Matches(verdict, kUnreachable)) << verdict;
  EXPECT_FALSE(SomebodyCame(socket));
  std::filesystem::remove_all(directory);
}

// What the kernel itself refuses needs no cover: also what the host makes while the sandbox runs.
class LaterInAReadOnlyMount : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<ChildProcess> Hold(const std::string& probe) const {
    auto child = Arena::Own().Attack(probe, "-i --mount " + directory_ + ":/mounted:ro");
    EXPECT_TRUE(child->WaitForLine("ready"));
    return child;
  }
  const std::string directory_ = Arena::Own().directory() + "/mounted";
};

TEST_F(LaterInAReadOnlyMount, ASocketOfTheHostIsOutOfReach) {
  const auto child = Hold("hold_unix /mounted/later");
  const Fd socket = Listen(directory_ + "/later", SOCK_STREAM);
  child->CloseInput();
  EXPECT_EQ(VerdictOf(child->Wait()), "refused EACCES");
  EXPECT_FALSE(SomebodyCame(socket));
}

// Linux has no wall against reading from it (special_files.h).
TEST_F(LaterInAReadOnlyMount, AFifoOfTheHostCannotBeWrittenTo) {
  const auto child = Hold("hold_fifo /mounted/later");
  ASSERT_EQ(::mkfifo((directory_ + "/later").c_str(), 0777), 0);
  ASSERT_EQ(::chmod((directory_ + "/later").c_str(), 0777), 0);
  child->CloseInput();
  EXPECT_EQ(VerdictOf(child->Wait()), "through read");
}

TEST(Noexec, NothingInAReadWriteMountIsExecuted) {
  const std::string directory = Arena::Own().directory() + "/mounted";
  std::filesystem::create_directories(directory);
  const std::string options = "--mount " + directory + ":/mounted:rw";
  EXPECT_EQ(VerdictOf(Arena::Own().Attack("execute_written /mounted", options)->Wait()),
            "through /mounted");
  EXPECT_EQ(
      VerdictOf(Arena::Own().Attack("execute_written /mounted", options + " --noexec")->Wait()),
      "refused EACCES");
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace cay::attacks
