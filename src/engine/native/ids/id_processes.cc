#include "engine/native/ids/id_processes.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "base/os/file.h"
#include "base/os/listing.h"
#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxText = kMiB;  // a status names up to 65,536 groups
constexpr Millis kPause(5);

std::optional<unsigned> RangeOf(uint64_t uid) {
  constexpr uint64_t kEnd = IdRange::kFirst + uint64_t{IdRange::kCount} * IdRange::kSize;
  if (uid < IdRange::kFirst || uid >= kEnd) return std::nullopt;
  return static_cast<unsigned>((uid - IdRange::kFirst) / IdRange::kSize);
}

struct Looked {
  std::optional<unsigned> range;
  bool zombie = false;
  uint64_t threads = 0;

  // The first thread of a process may have ended, a zombie, while others run.
  bool dead() const { return zombie && threads <= 1; }
};

std::optional<unsigned> RangeOfUids(const std::string& text) {
  std::istringstream uids(text);
  for (uint64_t uid = 0; uids >> uid;) {
    if (const auto range = RangeOf(uid)) return range;
  }
  return std::nullopt;
}

// proc_pid_status(5). The owner of /proc/PID would not do: root, of a process that is not dumpable.
Looked LookAt(const std::string& status) {
  Looked looked;
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = std::min(line.find(':'), line.size());
    const std::string value = line.substr(std::min(colon + 1, line.size()));
    if (line.starts_with("State:")) looked.zombie = value.find_first_of("ZX") < 3;
    if (line.starts_with("Uid:")) looked.range = RangeOfUids(value);
    if (line.starts_with("Threads:")) std::istringstream(value) >> looked.threads;
  }
  return looked;
}

// "/cay/ID" at the end of a line of proc_pid_cgroup(5).
std::string SandboxOfGroups(const std::string& groups) {
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    for (size_t begin = line.find('/'); begin != std::string::npos;) {
      const size_t end = line.find_first_of("/ ", begin + 1);
      const auto id = SandboxId::Parse(line.substr(begin + 1, end - begin - 1));
      if (id) return id->text();
      begin = line.find('/', begin + 1);
    }
  }
  return {};
}

// Nothing when the process is gone. Any other error is one: who could not be looked at is not dead.
Result<std::optional<std::string>> ReadOf(pid_t pid, const char* file) {
  auto text = ReadFile("/proc/" + std::to_string(pid) + file, kMaxText);
  if (text) return *std::move(text);
  const int sys_errno = text.error().sys_errno();
  if (sys_errno == ENOENT || sys_errno == ESRCH) return std::nullopt;
  return Failure(std::move(text).error());
}

// Nothing when it has no uid of any range, or runs no more.
Result<std::optional<RangeProcess>> LookAtProcess(pid_t pid) {
  const auto status = TRY(ReadOf(pid, "/status"));
  if (!status) return std::nullopt;
  const Looked looked = LookAt(*status);
  if (looked.dead() || !looked.range) return std::nullopt;
  const auto groups = TRY(ReadOf(pid, "/cgroup"));
  if (!groups) return std::nullopt;
  return RangeProcess{.pid = pid, .range = *looked.range, .sandbox = SandboxOfGroups(*groups)};
}

// Held before it is looked at again: a number that was reused meanwhile is nobody of ours.
Result<void> Kill(pid_t pid, IdRange range, const SandboxId& owner) {
  const auto pidfd = sys::PidfdOpen(pid);
  if (!pidfd) {
    return pidfd.error().sys_errno() == ESRCH ? Result<void>{} : Failure(pidfd.error());
  }
  const auto process = TRY(LookAtProcess(pid));
  if (!process || !process->BelongsTo(range, owner.text())) return {};
  auto sent = sys::PidfdSendSignal(*pidfd, SIGKILL);
  return sent || sent.error().sys_errno() == ESRCH ? Result<void>{} : sent;
}

}  // namespace

Result<std::vector<RangeProcess>> FindRangeProcesses() {
  Listing listing = TRY(Listing::Open("/proc"));
  std::vector<RangeProcess> found;
  while (const dirent* entry = TRY(listing.Next())) {
    const auto pid = ParseUnsigned(entry->d_name, std::numeric_limits<pid_t>::max());
    if (!pid || *pid == 0) continue;
    if (auto process = TRY(LookAtProcess(static_cast<pid_t>(*pid))))
      found.push_back(std::move(*process));
  }
  return found;
}

Result<void> EndProcessesOf(IdRange range, const SandboxId& owner, Millis patience) {
  const auto deadline = Clock::now() + patience;
  while (true) {
    std::vector<RangeProcess> found = TRY(FindRangeProcesses());
    std::erase_if(found, [&](const RangeProcess& process) {
      return !process.BelongsTo(range, owner.text());
    });
    if (found.empty()) return {};
    for (const RangeProcess& process : found) TRY(Kill(process.pid, range, owner));
    if (Clock::now() > deadline) {
      return Failure(
          Error(ErrorCode::kTimeout, Fault::kMachine,
                "process " + std::to_string(found.front().pid) + " of the sandbox does not die")
              .WithRemedy("it hangs in the kernel, most often on a disk: see dmesg"));
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace cay::engine::native
