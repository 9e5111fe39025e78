#include "engine/native/cgroup/cgroup_processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <ranges>
#include <thread>

#include "base/os/file.h"
#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxNestedGroups = 1000;
constexpr size_t kMaxProcsBytes = 65'536 * 11;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Groups inside the group, outer ones before inner ones, as names below dir.parent().
Result<std::vector<std::string>> NestedGroups(const CgroupDir& dir) {
  std::vector<std::string> names = {dir.name()};
  for (size_t i = 0; i < names.size(); ++i) {
    const Fd fd =
        TRY(sys::OpenAt(dir.parent(), names[i].c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    for (const std::string& child : TRY(ListGroups(fd.get()))) {
      if (names.size() > kMaxNestedGroups) {
        return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                             "cgroup " + dir.name() + " has too many groups inside it"));
      }
      names.push_back(names[i] + "/" + child);
    }
  }
  names.erase(names.begin());
  return names;
}

// errno of the rmdir, 0 for success and for a group that is not there.
int TryRemove(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
  return errno;
}

Result<void> RemoveNested(const CgroupDir& dir) {
  Result<std::vector<std::string>> nested = NestedGroups(dir);
  if (!nested) {
    return nested.error().sys_errno() == ENOENT ? Result<void>{}
                                                : Failure(std::move(nested).error());
  }
  for (const std::string& name : *nested | std::views::reverse) {
    const int error = TryRemove(dir.parent(), name);
    if (error != 0 && error != EBUSY) {
      return Failure(Error::FromErrno("removing cgroup " + name, error));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<pid_t>> ReadProcesses(const CgroupDir& dir) {
  const std::string text =
      TRY(ReadFileAt(dir.parent(), dir.name() + "/cgroup.procs", kMaxProcsBytes));
  std::vector<pid_t> pids;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const uint64_t pid = TRY(ParseUnsigned(std::string_view(text).substr(begin, end - begin),
                                           std::numeric_limits<pid_t>::max()));
    if (pid != 0) pids.push_back(static_cast<pid_t>(pid));
    begin = end + 1;
  }
  return pids;
}

Result<size_t> SignalKill(const CgroupDir& dir) {
  std::vector<std::pair<pid_t, Fd>> held;
  // Few descriptors at a time: the group may hold more processes than this one may open files.
  constexpr size_t kBatch = 64;
  const std::vector<pid_t> pids = TRY(ReadProcesses(dir));
  size_t sent = 0;
  for (size_t begin = 0; begin < pids.size(); begin += kBatch) {
    held.clear();
    for (size_t i = begin; i < std::min(begin + kBatch, pids.size()); ++i) {
      Result<Fd> pidfd = sys::PidfdOpen(pids[i]);
      if (!pidfd && pidfd.error().sys_errno() == ESRCH) continue;
      if (!pidfd) return Failure(std::move(pidfd).error());
      held.emplace_back(pids[i], *std::move(pidfd));
    }
    std::vector<pid_t> still = TRY(ReadProcesses(dir));
    std::ranges::sort(still);
    for (const auto& [pid, pidfd] : held) {
      if (!std::ranges::binary_search(still, pid)) continue;
      const Result<void> killed = sys::PidfdSendSignal(pidfd, SIGKILL);
      if (!killed && killed.error().sys_errno() != ESRCH) return Failure(killed.error());
      ++sent;
    }
  }
  return sent;
}

Result<void> RemoveGroup(const CgroupDir& dir, Millis patience) {
  const auto deadline = Clock::now() + patience;
  for (auto pause = std::chrono::microseconds(100);;
       pause = std::min(pause * 2, std::chrono::microseconds(10'000))) {
    const int error = TryRemove(dir.parent(), dir.name());
    if (error == 0) return {};
    if (error != EBUSY || Clock::now() > deadline) {
      return Failure(Error::FromErrno("removing cgroup " + dir.name(), error));
    }
    TRY(RemoveNested(dir));
    std::this_thread::sleep_for(pause);
  }
}

Result<std::vector<std::string>> ListGroups(int dir) {
  Fd fd = TRY(sys::OpenAt(dir, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, DirCloser> listing(::fdopendir(fd.get()));
  if (!listing) return Failure(Error::FromErrno("listing cgroups"));
  (void)std::move(fd).Release();  // closedir closes it
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

}  // namespace cay::engine::native
