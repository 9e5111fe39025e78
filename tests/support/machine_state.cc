#include "support/machine_state.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "engine/native/cgroup.h"

namespace cay::testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(5);
constexpr auto kPause = std::chrono::milliseconds(10);

std::set<std::string> Names(const fs::path& directory) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    names.insert(entry.path().filename());
  return names;
}

std::string LinkOf(const fs::path& path) {
  std::error_code error;
  return fs::read_symlink(path, error).string();
}

std::set<std::string> Cgroups(const std::string& name) {
  std::set<std::string> found;
  std::error_code error;
  for (const auto& tree : fs::directory_iterator("/sys/fs/cgroup", error)) {
    for (const auto& group : fs::directory_iterator(tree.path() / name, error)) {
      if (group.is_directory(error)) found.insert(group.path());
    }
    // The one tree of pure v2.
    if (tree.path().filename() != name) continue;
    for (const auto& group : fs::directory_iterator(tree.path(), error)) {
      if (group.is_directory(error)) found.insert(group.path());
    }
  }
  return found;
}

std::set<std::string> Loops(const std::string& state_dir) {
  std::set<std::string> found;
  std::error_code error;
  for (const auto& device : fs::directory_iterator("/sys/block", error)) {
    std::ifstream file(device.path() / "loop/backing_file");
    std::string backing;
    if (std::getline(file, backing) && backing.starts_with(state_dir))
      found.insert(device.path().filename());
  }
  return found;
}

std::set<std::string> Mounts() {
  std::set<std::string> found;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) found.insert(line.substr(line.find(' ')));
  return found;
}

std::set<std::string> OpenFds() {
  std::set<std::string> found;
  for (const std::string& name : Names("/proc/self/fd")) {
    const std::string target = LinkOf("/proc/self/fd/" + name);
    if (!target.empty() && !target.starts_with("/proc/"))
      found.insert(name + " " + target);  // not the listing's own
  }
  return found;
}

std::set<std::string> Children() {
  std::set<std::string> found;
  std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  for (std::string pid; file >> pid;) {
    // The launcher's janitor lives as long as the launcher.
    std::ifstream comm("/proc/" + pid + "/comm");
    std::string name;
    if (std::getline(comm, name) && name != "cay-janitor") found.insert(pid);
  }
  return found;
}

template <class Condition>
MachineState AwaitUntil(const Paths& paths, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    MachineState state = MachineState::Take(paths);
    if (condition(state) || std::chrono::steady_clock::now() > deadline) return state;
    std::this_thread::sleep_for(kPause);
  }
}

void Print(std::ostream& out, const char* title, const std::set<std::string>& values) {
  out << "\n  " << title << ":";
  for (const std::string& value : values) out << " [" << value << "]";
}

}  // namespace

MachineState MachineState::Take(const Paths& paths) {
  return {.cgroups = Cgroups(engine::native::CgroupParentName(paths.state_dir)),
          .sandboxes = Names(paths.sandboxes_dir()),
          .id_ranges = Names(paths.run_dir + "/ids"),
          .loops = Loops(paths.state_dir),
          .mounts = Mounts(),
          .fds = OpenFds(),
          .children = Children()};
}

std::ostream& operator<<(std::ostream& out, const MachineState& state) {
  Print(out, "cgroups", state.cgroups);
  Print(out, "sandboxes", state.sandboxes);
  Print(out, "id ranges", state.id_ranges);
  Print(out, "loops", state.loops);
  Print(out, "fds", state.fds);
  Print(out, "children", state.children);
  return out << "\n  mounts: " << state.mounts.size();
}

MachineState TakeSettled(const Paths& paths) {
  return AwaitUntil(paths, [](const MachineState& state) {
    return state.cgroups.empty() && state.sandboxes.empty() && state.id_ranges.empty() &&
           state.loops.empty() && state.children.empty();
  });
}

MachineState AwaitState(const Paths& paths, const MachineState& wanted) {
  return AwaitUntil(paths, [&](const MachineState& state) { return state == wanted; });
}

}  // namespace cay::testing
