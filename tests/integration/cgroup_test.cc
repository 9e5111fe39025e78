// The cgroups of the machine that the test runs on, in whatever layout it has. Needs a group that
// it may use (root has). Also run on a machine with cgroup v2 only, in three places: tests/v2/.
#include "engine/native/cgroup/cgroup.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/linux_abi.h"
#include "base/os/sys.h"
#include "base/testing/test_eventually.h"

namespace cay::engine::native {
namespace {

#define ASSERT_OK(expression)                                       \
  do {                                                              \
    const auto& outcome = (expression);                             \
    ASSERT_TRUE(outcome.has_value()) << outcome.error().ToString(); \
  } while (false)

// A process that waits for a word, then does `work`, then waits to be killed.
class Victim {
 public:
  explicit Victim(const std::function<void()>& work)
      : word_(MakePipe().value()), done_(MakePipe().value()), pid_(::fork()) {
    if (pid_ != 0) {
      const Fd childs_end = std::move(done_.write);  // so that its death is the end of the file
      return;
    }
    char letter = 0;
    if (::read(word_.read.get(), &letter, 1) == 1) work();
    if (::write(done_.write.get(), "d", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  ~Victim() {
    ::kill(pid_, SIGKILL);
    Reap();
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  pid_t pid() const { return pid_; }
  void Go() const { ASSERT_EQ(::write(word_.write.get(), "g", 1), 1); }
  void WaitDone() const {
    char letter = 0;
    ASSERT_EQ(::read(done_.read.get(), &letter, 1), 1);
  }
  // The status of waitpid(2); 0 when it was reaped before.
  int Reap() {
    int status = 0;
    if (!reaped_) ::waitpid(pid_, &status, 0);
    reaped_ = true;
    return status;
  }

 private:
  Pipe word_;
  Pipe done_;
  pid_t pid_;
  bool reaped_ = false;
};

void Touch(size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) ::_exit(2);
  for (size_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(memory)[i] = 1;
}

void Spin() {
  while (true) asm volatile("");
}

// The paths of this process's own groups and of those above them, "" first.
std::vector<std::string> OwnGroups() {
  std::vector<std::string> paths = {""};
  std::istringstream own(ReadFile("/proc/self/cgroup").value());
  for (std::string line; std::getline(own, line);) {
    for (std::string path = line.substr(line.find(":/") + 1); path.size() > 1;
         path.resize(path.rfind('/'))) {
      paths.push_back(path);
    }
  }
  return paths;
}

// The text of the first knob of these names that the group has in any tree, whatever the layout.
std::string Knob(const SandboxId& id, const std::vector<std::string>& names) {
  std::istringstream mounts(ReadFile("/proc/self/mounts").value());
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device, point, type;
    words >> device >> point >> type;
    if (type != "cgroup" && type != "cgroup2") continue;
    for (const std::string& above : OwnGroups()) {
      for (const std::string& name : names) {
        std::string path = point;
        path.append(above).append("/cay/").append(id.text()).append("/").append(name);
        auto text = ReadFile(path);
        if (!text) continue;
        if (text->ends_with('\n')) text->pop_back();
        return *text;
      }
    }
  }
  return "no such knob";
}

enum class Trees { kAll, kOnlyV1 };

// In kOnlyV1, a mount namespace in which the v2 tree of a hybrid machine is not mounted; and back.
class WithoutV2 {
 public:
  WithoutV2() : before_(sys::OpenAt(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY).value()) {
    TakeAway();
  }
  ~WithoutV2() { EXPECT_TRUE(sys::SetNs(before_, CLONE_NEWNS).has_value()); }
  WithoutV2(const WithoutV2&) = delete;
  WithoutV2& operator=(const WithoutV2&) = delete;

 private:
  static void TakeAway() {
    ASSERT_OK(sys::Unshare(CLONE_NEWNS));
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    std::istringstream mounts(ReadFile("/proc/self/mounts").value());
    for (std::string line; std::getline(mounts, line);) {
      std::istringstream words(line);
      std::string device, point, type;
      words >> device >> point >> type;
      if (type == "cgroup2") ASSERT_OK(sys::Umount(point.c_str(), MNT_DETACH));
    }
  }
  Fd before_;
};

class CgroupTest : public ::testing::TestWithParam<Trees> {
 protected:
  void SetUp() override {
    auto look = CgroupTree::Discover({.purpose = CgroupPurpose::kLook});
    ASSERT_OK(look);
    if (!look->Has(Controller::kMemory)) GTEST_SKIP() << look->WhyNot(Controller::kMemory);
    if (GetParam() == Trees::kOnlyV1) {
      if (look->layout() != CgroupLayout::kHybrid) GTEST_SKIP() << "the machine has no v1 trees";
      without_v2_.emplace();
    }
    auto tree = CgroupTree::Discover();
    ASSERT_OK(tree);
    tree_.emplace(*std::move(tree));
    for (Controller controller :
         {Controller::kMemory, Controller::kCpu, Controller::kPids, Controller::kFreezer}) {
      ASSERT_TRUE(tree_->Has(controller)) << tree_->WhyNot(controller);
    }
    auto group = tree_->Create(id_);
    ASSERT_OK(group);
    group_.emplace(*std::move(group));
  }
  void TearDown() override {
    if (!group_) return;
    EXPECT_TRUE(group_->KillAll().has_value() || removed_);
    const auto removed = group_->Remove(Millis(5000));
    EXPECT_TRUE(removed.has_value()) << removed.error().ToString();
  }

  Limits Small() const {
    Limits limits;
    limits.memory = 64 * kMiB;
    limits.cpus = 500;
    limits.pids = 16;
    return limits;
  }
  engine::Stats Stats() const { return group_->ReadStats().value(); }

  SandboxId id_ = SandboxId::Generate().value();
  std::optional<WithoutV2> without_v2_;
  std::optional<CgroupTree> tree_;
  std::optional<Cgroup> group_;
  bool removed_ = false;
};

TEST_P(CgroupTest, WritesTheLimitsThatWereAskedFor) {
  ASSERT_OK(group_->Apply(Small()));
  EXPECT_EQ(Knob(id_, {"memory.max", "memory.limit_in_bytes"}), "67108864");
  const std::string swap = Knob(id_, {"memory.swap.max", "memory.memsw.limit_in_bytes"});
  EXPECT_TRUE(swap == "0" || swap == "67108864" || Knob(id_, {"memory.swappiness"}) == "0" ||
              swap == "no such knob")
      << swap;
  const std::string cpu = Knob(id_, {"cpu.max", "cpu.cfs_quota_us"});
  EXPECT_TRUE(cpu == "50000 100000" || cpu == "50000") << cpu;
  // In v2 it is part of the memory.
  const std::string sockets = Knob(id_, {"memory.kmem.tcp.limit_in_bytes"});
  EXPECT_TRUE(sockets == "8388608" || sockets == "no such knob") << sockets;
  EXPECT_EQ(Knob(id_, {"pids.max"}), "16");
}

TEST_P(CgroupTest, RaisesAndLowersLimitsOfALiveGroup) {
  ASSERT_OK(group_->Apply(Small()));
  Limits more = Small();
  more.memory = 256 * kMiB;
  more.cpus = 2000;
  more.pids = 99;
  ASSERT_OK(group_->Apply(more));
  EXPECT_EQ(Knob(id_, {"memory.max", "memory.limit_in_bytes"}), "268435456");
  const std::string sockets = Knob(id_, {"memory.kmem.tcp.limit_in_bytes"});
  EXPECT_TRUE(sockets == "33554432" || sockets == "no such knob") << sockets;
  EXPECT_EQ(Knob(id_, {"pids.max"}), "99");
  ASSERT_OK(group_->Apply(Small()));
  EXPECT_EQ(Knob(id_, {"memory.max", "memory.limit_in_bytes"}), "67108864");
  EXPECT_EQ(Knob(id_, {"pids.max"}), "16");
}

TEST_P(CgroupTest, RefusesToLowerMemoryBelowUseAndChangesNothing) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "what is written is shadowed in four times the memory";
#endif
  ASSERT_OK(group_->Apply(Small()));
  Victim victim([] { Touch(40 * kMiB); });
  ASSERT_OK(group_->Attach(victim.pid()));
  victim.Go();
  victim.WaitDone();
  Limits less = Small();
  less.memory = 16 * kMiB;
  less.pids = 4;
  const auto applied = group_->Apply(less);
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error().code(), ErrorCode::kResourceExhausted) << applied.error().ToString();
  EXPECT_EQ(Knob(id_, {"memory.max", "memory.limit_in_bytes"}), "67108864");
  EXPECT_EQ(Knob(id_, {"pids.max"}), "16");
  EXPECT_EQ(Stats().oom_kills, 0U);
  EXPECT_EQ(::kill(victim.pid(), 0), 0);
}

TEST_P(CgroupTest, PutsMemoryBackWhenALaterLimitFails) {
  ASSERT_OK(group_->Apply(Small()));
  Limits other = Small();
  other.memory = 32 * kMiB;
  // Writes: memory (twice), cpu, pids; the third fails.
  const sys::ScopedFault fault(sys::Call::kWrite, EINVAL, 2);
  EXPECT_FALSE(group_->Apply(other).has_value());
  EXPECT_EQ(Knob(id_, {"memory.max", "memory.limit_in_bytes"}), "67108864");
  EXPECT_EQ(Knob(id_, {"pids.max"}), "16");
}

TEST_P(CgroupTest, RefusesLimitsUnderWhichNothingCanRun) {
  Limits none = Small();
  none.pids = 0;
  EXPECT_EQ(group_->Apply(none).error().code(), ErrorCode::kInvalidArgument);
}

TEST_P(CgroupTest, KillsWhoExceedsTheMemoryLimitAndCountsIt) {
  ASSERT_OK(group_->Apply(Small()));
  Victim victim([] { Touch(200 * kMiB); });
  ASSERT_OK(group_->Attach(victim.pid()));
  victim.Go();
  const int status = victim.Reap();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(Stats().oom_kills, 1U);
  if (const auto peak = Stats().memory_peak) {
    EXPECT_LE(*peak, 64 * kMiB);
    EXPECT_GE(*peak, 48 * kMiB);
  }
}

TEST_P(CgroupTest, RefusesForksOverThePidsLimit) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "its run time has a thread in each process";
#endif
  ASSERT_OK(group_->Apply(Small()));
  const auto pipe = MakePipe().value();
  Victim victim([&] {
    unsigned char born = 0;
    while (born < 100) {
      const pid_t child = ::fork();
      if (child == 0) {
        while (true) ::pause();
      }
      if (child < 0) break;
      ++born;
    }
    if (::write(pipe.write.get(), &born, 1) != 1) ::_exit(1);
  });
  ASSERT_OK(group_->Attach(victim.pid()));
  victim.Go();
  unsigned char born = 0;
  ASSERT_EQ(::read(pipe.read.get(), &born, 1), 1);
  EXPECT_EQ(born, 15);
  EXPECT_EQ(Stats().pids, 16U);
}

TEST_P(CgroupTest, ThrottlesOverTheCpuLimitAndMeasuresTheUse) {
  Limits limits = Small();
  limits.cpus = 100;
  ASSERT_OK(group_->Apply(limits));
  Victim victim(Spin);
  ASSERT_OK(group_->Attach(victim.pid()));
  victim.Go();
  EXPECT_TRUE(Eventually([&] { return Stats().throttled_us.value_or(0) > 50'000; }));
  EXPECT_GT(Stats().cpu_us.value_or(0), 10'000U);
}

TEST_P(CgroupTest, FreezesUntilThawed) {
  Victim victim(Spin);
  ASSERT_OK(group_->Attach(victim.pid()));
  victim.Go();
  ASSERT_TRUE(Eventually([&] { return Stats().cpu_us.value_or(0) > 0; }));
  ASSERT_OK(group_->Freeze());
  const auto state = Knob(id_, {"cgroup.events", "freezer.state"});
  EXPECT_TRUE(state == "FROZEN" || state.find("frozen 1") != std::string::npos) << state;
  const uint64_t before = Stats().cpu_us.value();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // nothing may happen in it
  EXPECT_EQ(Stats().cpu_us.value(), before);
  ASSERT_OK(group_->Thaw());
  EXPECT_TRUE(Eventually([&] { return Stats().cpu_us.value() > before; }));
}

TEST_P(CgroupTest, KillsFrozenProcessesToo) {
  Victim first(Spin);
  Victim second([] {});
  ASSERT_OK(group_->Attach(first.pid()));
  ASSERT_OK(group_->Attach(second.pid()));
  first.Go();
  second.Go();
  ASSERT_OK(group_->Freeze());
  ASSERT_OK(group_->KillAll());
  EXPECT_EQ(WTERMSIG(first.Reap()), SIGKILL);
  EXPECT_EQ(WTERMSIG(second.Reap()), SIGKILL);
}

// A task is throttled on its way to user mode, where it would take the SIGKILL: what it used beyond
// the limit would have to be paid off first.
TEST_P(CgroupTest, WhoIsKilledNeedNotPayForProcessorTime) {
  Limits limits = Small();
  limits.cpus = 10;
  ASSERT_OK(group_->Apply(limits));
  Victim victim(Spin);
  ASSERT_OK(group_->Attach(victim.pid()));
  victim.Go();
  ASSERT_TRUE(Eventually([&] { return Stats().throttled_us.value_or(0) > 0; }));
  ASSERT_OK(group_->KillAll());
  EXPECT_EQ(WTERMSIG(victim.Reap()), SIGKILL);
  const std::string quota = Knob(id_, {"cpu.cfs_quota_us", "cpu.max"});
  EXPECT_TRUE(quota == "-1" || quota.starts_with("max")) << quota;
  ASSERT_OK(group_->Apply(limits));
  EXPECT_TRUE(Knob(id_, {"cpu.cfs_quota_us", "cpu.max"}).starts_with("1000"));
}

TEST_P(CgroupTest, KillsAForkBomb) {
  Limits limits = Small();
  limits.pids = 64;
  ASSERT_OK(group_->Apply(limits));
  Victim victim([] {
    ::signal(SIGCHLD, SIG_IGN);
    while (true) ::fork();
  });
  ASSERT_OK(group_->Attach(victim.pid()));
  victim.Go();
  ASSERT_TRUE(Eventually([&] { return Stats().pids.value_or(0) > 32; }));
  ASSERT_OK(group_->KillAll());
  victim.Reap();
  EXPECT_TRUE(Eventually([&] { return Stats().pids == 0U; }));
}

TEST_P(CgroupTest, IsEnteredByAProcessItself) {
  ASSERT_OK(group_->Apply(Small()));
  const auto entrances = group_->OpenEntrances();
  ASSERT_OK(entrances);
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  if (const auto dir = group_->v2_dir()) {
    arguments.flags = abi::kCloneIntoCgroup;
    arguments.cgroup = static_cast<uint64_t>(*dir);
  }
  const auto go = MakePipe().value();
  const auto pid = sys::Clone3(arguments);
  ASSERT_OK(pid);
  if (*pid == 0) {
    char ready = 'r';
    for (const Fd& entrance : *entrances) {
      if (::write(entrance.get(), "0", 1) != 1) ready = 'f';
    }
    if (::write(go.write.get(), &ready, 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(::read(go.read.get(), &answer, 1), 1);
  EXPECT_EQ(answer, 'r');
  EXPECT_EQ(Stats().pids, 1U);
  std::istringstream own(ReadFile("/proc/" + std::to_string(*pid) + "/cgroup").value());
  size_t trees = 0;
  for (std::string line; std::getline(own, line);) trees += line.ends_with("/cay/" + id_.text());
  EXPECT_EQ(trees, entrances->size() + (group_->v2_dir() ? 1 : 0));
  ASSERT_OK(group_->KillAll());
  ::waitpid(*pid, nullptr, 0);
}

TEST_P(CgroupTest, IsListedAndCanBeOpenedAgain) {
  const auto ids = tree_->List();
  ASSERT_OK(ids);
  EXPECT_EQ(std::ranges::count(*ids, id_), 1);
  auto again = tree_->Open(id_);
  ASSERT_OK(again);
  EXPECT_EQ(again->v2_dir().has_value(), group_->v2_dir().has_value());
  ASSERT_OK(again->Apply(Small()));
  EXPECT_EQ(Knob(id_, {"pids.max"}), "16");
}

TEST_P(CgroupTest, IsNotMadeTwice) {
  const auto again = tree_->Create(id_);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_TRUE(tree_->Open(id_).has_value());
}

TEST_P(CgroupTest, LeavesNothingWhenMakingItFails) {
  const SandboxId other = SandboxId::Generate().value();
  for (int nth = 0; nth < 8; ++nth) {
    const sys::ScopedFault fault(sys::Call::kMkdirAt, ENOSPC, nth);
    const auto made = tree_->Create(other);
    if (!fault.fired()) {
      ASSERT_OK(made);
      ASSERT_OK(tree_->Open(other)->Remove());
      break;
    }
    EXPECT_FALSE(made.has_value());
    EXPECT_EQ(tree_->Open(other).error().code(), ErrorCode::kNotFound);
  }
}

TEST_P(CgroupTest, IsGoneOnceRemoved) {
  ASSERT_OK(group_->Remove());
  removed_ = true;
  EXPECT_EQ(tree_->Open(id_).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(group_->Remove().has_value());
}

TEST_P(CgroupTest, IsNotRemovedWhileAProcessIsInIt) {
  Victim victim([] {});
  ASSERT_OK(group_->Attach(victim.pid()));
  const auto removed = group_->Remove(Millis(20));
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ(removed.error().sys_errno(), EBUSY);
}

TEST_P(CgroupTest, IsSeenByALookThatChangesNothing) {
  auto look = CgroupTree::Discover({.purpose = CgroupPurpose::kLook});
  ASSERT_OK(look);
  EXPECT_EQ(look->layout(), tree_->layout());
  EXPECT_TRUE(look->Has(Controller::kMemory));
  EXPECT_TRUE(look->Open(id_).has_value());
  EXPECT_FALSE(look->Create(SandboxId::Generate().value()).has_value());
}

INSTANTIATE_TEST_SUITE_P(, CgroupTest, ::testing::Values(Trees::kAll, Trees::kOnlyV1),
                         [](const ::testing::TestParamInfo<Trees>& trees) {
                           return trees.param == Trees::kAll ? "AsTheMachineIs" : "WithV1Only";
                         });

}  // namespace
}  // namespace cay::engine::native
