#include "support/machine_state.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/native/cgroup/cgroup.h"

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

// Without their numbers and their parents', which differ in each mount namespace that a launcher
// makes of the same mounts; those at the same place are counted.
std::set<std::string> Mounts() {
  std::set<std::string> found;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::string mount = line.substr(line.find(' ', line.find(' ') + 1));
    for (int nth = 1; !found.insert(mount + " (" + std::to_string(nth) + ")").second; ++nth) {
    }
  }
  return found;
}

// With what they are. A file is told by its inode: the path that the kernel shows for it changes
// with the mounts ("/null" once the /dev it was opened in is no longer mounted).
std::set<std::string> OpenFds() {
  std::set<std::string> found;
  for (const std::string& name : Names("/proc/self/fd")) {
    const std::string target = LinkOf("/proc/self/fd/" + name);
    if (target.empty() || target.starts_with("/proc/")) continue;  // not the listing's own
    struct stat info{};
    if (!target.starts_with('/') || ::stat(("/proc/self/fd/" + name).c_str(), &info) != 0) {
      found.insert(name + " " + target);
      continue;
    }
    found.insert(name + " " + target.substr(target.rfind('/') + 1) + " (inode " +
                 std::to_string(info.st_ino) + " of device " + std::to_string(info.st_dev) + ")");
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

// Those of `left` that `right` has not.
void Tell(const char* title, const MachineState& left, const MachineState& right,
          ::testing::AssertionResult& result) {
  for (const auto& [kind, values] : left.things) {
    const auto other = right.things.find(kind);
    for (const std::string& value : values) {
      if (other == right.things.end() || !other->second.contains(value))
        result << "\n  " << title << " of the " << kind << ": " << value;
    }
  }
}

}  // namespace

MachineState MachineState::Take(const Paths& paths) {
  return {{
      {"cgroups", Cgroups(engine::native::CgroupParentName(paths.state_dir))},
      {"sandboxes", Names(paths.sandboxes_dir())},
      {"uid ranges", Names(paths.run_dir + "/ids")},
      {"loop devices", Loops(paths.state_dir)},
      {"mounts", Mounts()},
      {"descriptors", OpenFds()},
      {"children", Children()},
  }};
}

MachineState TakeSettled(const Paths& paths) {
  return AwaitUntil(paths, [](const MachineState& state) {
    return std::ranges::all_of(state.things, [](const auto& thing) {
      return thing.first == "mounts" || thing.first == "descriptors" || thing.second.empty();
    });
  });
}

::testing::AssertionResult BecomesLike(const MachineState& wanted, const Paths& paths) {
  const MachineState state =
      AwaitUntil(paths, [&](const MachineState& now) { return now == wanted; });
  if (state == wanted) return ::testing::AssertionSuccess();
  ::testing::AssertionResult result = ::testing::AssertionFailure();
  result << "the machine is not as it was:";
  Tell("left behind", state, wanted, result);
  Tell("missing", wanted, state, result);
  return result;
}

void KeepMountsApart() {
  if (::geteuid() != 0) return;
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    std::abort();
  }
}

}  // namespace cay::testing
