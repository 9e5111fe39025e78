#include "host_state.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <set>
#include <thread>

namespace cay::attacks {
namespace {

namespace fs = std::filesystem;

size_t CountEntries(const std::string& path) {
  std::error_code error;
  const fs::directory_iterator entries(path, error);
  return error ? 0 : static_cast<size_t>(std::distance(entries, fs::directory_iterator()));
}

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

size_t CountLines(const std::string& path, const std::string& containing) {
  std::ifstream file(path);
  size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find(containing) != std::string::npos) ++count;
  }
  return count;
}

size_t CountLoopDevices(const std::string& directory) {
  size_t count = 0;
  std::error_code error;
  for (const auto& device : fs::directory_iterator("/sys/block", error)) {
    if (FirstLine(device.path() / "loop/backing_file").starts_with(directory)) ++count;
  }
  return count;
}

// Group directories are made by Cay at most two levels below the mount of a tree, and are named by
// their sandbox.
void CountCgroups(const std::set<std::string>& ids, HostState& state) {
  std::error_code error;
  fs::recursive_directory_iterator entries("/sys/fs/cgroup",
                                           fs::directory_options::skip_permission_denied, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    if (!entries->is_directory(error)) continue;
    if (entries.depth() > 4) entries.disable_recursion_pending();
    if (!ids.contains(entries->path().filename())) continue;
    ++state.cgroups;
    std::ifstream processes(entries->path() / "cgroup.procs");
    for (std::string line; std::getline(processes, line);) ++state.processes;
  }
}

}  // namespace

HostState TakeHostState(const Arena& arena, const std::vector<std::string>& ids) {
  HostState state;
  state.sandbox_directories = arena.Leftovers().size();
  state.id_ranges = CountEntries(arena.run_dir() + "/ids");
  state.loop_devices = CountLoopDevices(arena.directory());
  state.mounts = CountLines("/proc/self/mountinfo", arena.directory());
  CountCgroups({ids.begin(), ids.end()}, state);
  return state;
}

HostState WaitForHostState(const Arena& arena, const std::vector<std::string>& ids,
                           const HostState& wanted) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  HostState state = TakeHostState(arena, ids);
  while (state != wanted && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    state = TakeHostState(arena, ids);
  }
  return state;
}

size_t CountDescriptors(pid_t pid) { return CountEntries("/proc/" + std::to_string(pid) + "/fd"); }

size_t CountMounts(pid_t pid) {
  return CountLines("/proc/" + std::to_string(pid) + "/mountinfo", " ");
}

void PrintTo(const HostState& state, std::ostream* out) {
  *out << "sandbox directories " << state.sandbox_directories << ", id ranges " << state.id_ranges
       << ", loop devices " << state.loop_devices << ", mounts " << state.mounts << ", cgroups "
       << state.cgroups << ", processes " << state.processes;
}

}  // namespace cay::attacks
