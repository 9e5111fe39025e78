#include "guest/confinement/nested_filters.h"

#include <unistd.h>

#include <array>
#include <string>

#include "guest/io/proc_files.h"

namespace cay::guest {
namespace {

// The last word of /proc/loadavg, of the process ID namespace that reads it (proc(5)).
std::optional<uint64_t> LastPid(const Fd& proc) {
  std::array<char, 128> buffer;
  std::string_view text = ReadSmall(proc, "loadavg", buffer);
  while (text.ends_with('\n')) text.remove_suffix(1);
  const auto pid = ParsePid(text.substr(text.rfind(' ') + 1));
  return pid ? std::optional(static_cast<uint64_t>(*pid)) : std::nullopt;
}

}  // namespace

std::optional<uint64_t> CountWhilePidsRise(
    const std::function<uint64_t()>& walk,
    const std::function<std::optional<uint64_t>()>& last_pid) {
  constexpr int kWalks = 3;
  auto before = last_pid();
  for (int i = 0; i < kWalks && before; ++i) {
    const uint64_t all = walk();
    const auto after = last_pid();
    if (after && *after >= *before) return all;
    before = after;
  }
  return std::nullopt;
}

uint64_t NestedFilters::FiltersOf(pid_t process, pid_t thread) const {
  std::array<char, 4096> buffer;
  const std::string path = std::to_string(process) + "/task/" + std::to_string(thread) + "/status";
  const std::string_view status = ReadSmall(proc_, path, buffer);
  return status.empty() ? 0 : FindNumber(status, "Seccomp_filters:").value_or(kUnknown);
}

uint64_t NestedFilters::SumOfAll() const {
  uint64_t sum = 0;
  const auto count_thread = [&](pid_t process, pid_t thread) {
    const uint64_t filters = FiltersOf(process, thread);
    if (filters == kUnknown) sum = kMaxNestedFilters;
    if (filters > own_ && sum < kMaxNestedFilters) sum += filters - own_;
  };
  const auto count_process = [&](pid_t process) {
    if (process == ::getpid()) return;
    // It fails for a process that has ended.
    (void)ForEachNumber(proc_, std::to_string(process) + "/task",
                        [&](pid_t thread) { count_thread(process, thread); });
  };
  return ForEachNumber(proc_, ".", count_process) ? sum : kMaxNestedFilters;
}

uint64_t NestedFilters::CountAll() const {
  const auto all =
      CountWhilePidsRise([this] { return SumOfAll(); }, [this] { return LastPid(proc_); });
  return all.value_or(kMaxNestedFilters);
}

void NestedFilters::ForgetSeen() {
  std::erase_if(granted_, [this](const Granted& granted) {
    // A thread is found under its own number too, as if it were a process.
    const uint64_t now = FiltersOf(granted.thread, granted.thread);
    return now == 0 || now > granted.filters;
  });
}

bool NestedFilters::Grant(pid_t thread) {
  if (own_ == 0) own_ = FiltersOf(::getpid(), spawner_);
  // An earlier grant of this thread is over: it asks again.
  std::erase_if(granted_, [thread](const Granted& granted) { return granted.thread == thread; });
  const uint64_t has = FiltersOf(thread, thread);
  if (own_ == 0 || own_ == kUnknown || has < own_ || has - own_ >= kMaxFiltersOfAThread) {
    return false;
  }
  ForgetSeen();
  // Granted ones first: one that gets its filter in between is counted twice, not missed.
  const uint64_t waiting = granted_.size();
  if (waiting >= kMaxNestedFilters || CountAll() >= kMaxNestedFilters - waiting) return false;
  granted_.push_back({thread, has});
  return true;
}

}  // namespace cay::guest
