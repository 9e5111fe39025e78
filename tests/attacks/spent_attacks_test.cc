// Every row of spent_table.cc as a test of its own, for root and for an ordinary user; and the
// table as the document has it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>

#include "arena.h"
#include "base/os/file.h"
#include "spent_table.h"

namespace cay::attacks {
namespace {

// A wait for what a busy machine must do, not for a time.
constexpr std::chrono::milliseconds kPatience{120'000};

// After `key` in the line that begins with `line`; with an empty key after that beginning.
long NumberAfter(const std::string& path, const std::string& line, const std::string& key) {
  std::ifstream file(path);
  for (std::string one; std::getline(file, one);) {
    if (!one.starts_with(line)) continue;
    if (key.empty()) return std::atol(one.c_str() + line.size());
    const size_t at = one.find(" " + key + " ");
    if (at != std::string::npos) return std::atol(one.c_str() + at + key.size() + 2);
  }
  return -1;
}

long Read(Counter counter) {
  switch (counter) {
    case Counter::kNone:
      return 0;
    case Counter::kTcpPages:
      return NumberAfter("/proc/net/sockstat", "TCP:", "mem");
    case Counter::kUdpPages:
      return NumberAfter("/proc/net/sockstat", "UDP:", "mem");
    case Counter::kOpenFiles:
      return NumberAfter("/proc/sys/fs/file-nr", "", "");
    case Counter::kKernelKiB:
      return NumberAfter("/proc/meminfo", "SUnreclaim:", "");
  }
  return -1;
}

// A connection over the host's own loopback, and 64 KiB through it.
void ExpectHostConnects() {
  const Fd listener = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), plain, size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), plain, &size), 0);
  const Fd client = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), plain, size), 0) << std::strerror(errno);
  const Fd server = Fd::Adopt(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  std::array<char, 4096> data{};
  for (int i = 0; i < 16; ++i) {
    ASSERT_EQ(::send(client.get(), data.data(), data.size(), 0), std::ssize(data));
    ASSERT_EQ(::recv(server.get(), data.data(), data.size(), MSG_WAITALL), std::ssize(data));
  }
}

void ExpectHostLocksAndOpens(const Arena& arena) {
  const std::string path = arena.directory() + "/lock";
  {
    const int raw = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(raw, 0) << std::strerror(errno);
    const Fd file = Fd::Adopt(raw);
    EXPECT_EQ(::flock(file.get(), LOCK_EX | LOCK_NB), 0) << std::strerror(errno);
  }
  std::filesystem::remove(path);
}

// As every create, and every browser, does.
void ExpectHostFilters() {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    static std::array<sock_filter, 1> program = {{{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}}};
    const sock_fprog filter = {.len = 1, .filter = program.data()};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::_exit(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &filter) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

void ExpectBounded(const Arena& arena, const Spent& row, const char* options = "") {
  const long before = Read(row.counter);
  const auto spender = arena.Attack(row.probe, options);
  ASSERT_TRUE(spender->WaitForLine("spent", kPatience));
  const long spent = Read(row.counter);

  const Outcome neighbour = arena.Attack("neighbour")->Wait(kPatience);
  EXPECT_EQ(VerdictOf(neighbour), "undisturbed") << neighbour.err;
  ExpectHostConnects();
  ExpectHostLocksAndOpens(arena);
  ExpectHostFilters();

  spender->CloseInput();
  const Outcome outcome = spender->Wait(kPatience);
  const std::string verdict = VerdictOf(outcome);
  const size_t at = verdict.find(" holding ");
  ASSERT_NE(at, std::string::npos) << verdict << "\n" << outcome.err;
  EXPECT_TRUE(Matches(verdict.substr(0, at), row.expected)) << verdict;
  EXPECT_LE(std::atol(verdict.c_str() + at + 9), row.most) << verdict;
  EXPECT_LE(spent - before, row.most_counted);
  EXPECT_TRUE(arena.Leftovers().empty());
}

// Of what the counter counts. On a machine that has less than one sandbox may take, nothing stands
// between them, and `cay doctor` says so.
long MachineHas(Counter counter) {
  switch (counter) {
    case Counter::kNone:
      return 0;
    case Counter::kTcpPages:
    case Counter::kUdpPages: {
      std::ifstream file(counter == Counter::kTcpPages ? "/proc/sys/net/ipv4/tcp_mem"
                                                       : "/proc/sys/net/ipv4/udp_mem");
      long most = 0;
      file >> most >> most >> most;
      return most;
    }
    case Counter::kOpenFiles:
      return NumberAfter("/proc/sys/fs/file-max", "", "");
    case Counter::kKernelKiB:
      return NumberAfter("/proc/meminfo", "MemTotal:", "");
  }
  return -1;
}

class SpentAsRoot : public testing::TestWithParam<Spent> {};
TEST_P(SpentAsRoot, ByOneSandboxIsFeltByNobodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (MachineHas(GetParam().counter) < GetParam().most_counted) {
    GTEST_SKIP() << "one sandbox can spend what this machine has: see cay doctor";
  }
  ExpectBounded(Arena::Own(), GetParam());
}

class SpentWithRoot : public testing::TestWithParam<Spent> {};
TEST_P(SpentWithRoot, ByOneSandboxIsFeltByNobodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (MachineHas(GetParam().counter) < GetParam().most_counted) {
    GTEST_SKIP() << "one sandbox can spend what this machine has: see cay doctor";
  }
  ExpectBounded(Arena::Own(), GetParam(), "--privileges root -u 0");
}

class SpentAsUser : public testing::TestWithParam<Spent> {};
TEST_P(SpentAsUser, ByOneSandboxIsFeltByNobodyElse) {
  ExpectBounded(::geteuid() == 0 ? Arena::OrdinaryUser() : Arena::Own(), GetParam());
}

std::vector<Spent> RowsFor(Caller caller) {
  std::vector<Spent> rows;
  for (const Spent& row : SpentTable()) {
    if (caller == Caller::kRoot || row.caller == Caller::kBoth) rows.push_back(row);
  }
  return rows;
}

std::string NameOf(const testing::TestParamInfo<Spent>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(All, SpentAsRoot, testing::ValuesIn(RowsFor(Caller::kRoot)), NameOf);
INSTANTIATE_TEST_SUITE_P(All, SpentWithRoot, testing::ValuesIn(RowsFor(Caller::kRoot)), NameOf);
INSTANTIATE_TEST_SUITE_P(All, SpentAsUser, testing::ValuesIn(RowsFor(Caller::kBoth)), NameOf);

TEST(SpentTable, IsInTheSecurityModelWordForWord) {
  const auto text = ReadFile(CAY_SOURCE_DIR "/docs/security-model.md");
  if (!text) GTEST_SKIP() << "the sources are not here";
  for (const Spent& row : SpentTable()) {
    const std::string line = std::string("| ") + row.what + " | " + row.bound + " |";
    EXPECT_NE(text->find(line), std::string::npos) << line;
  }
}

}  // namespace

// What gtest shows as a test's parameter.
void PrintTo(const Spent& row, std::ostream* out) { *out << row.probe; }

}  // namespace cay::attacks
