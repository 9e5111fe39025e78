// What the host and its callers know, looked for from inside. The secret comes in two halves, so
// that the probe does not find its own arguments.
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

// find_secret HALF HALF: in every environment, command line and auxiliary file of /proc, in own
// descriptors, and in the small files of the root filesystem outside /usr.
class Search {
 public:
  explicit Search(std::string secret) : secret_(std::move(secret)) {}

  void File(const std::string& path) {
    if (ReadSome(path).find(secret_) != std::string::npos && found_.size() < 512) {
      found_ += " " + path;
    }
  }

  void Tree(const std::string& path, int depth) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory || depth > 6) return;
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (depth == 0 && (name == "usr" || name == "proc" || name == "sys" || name == "lib" ||
                         name == "lib64" || name == "bin" || name == "sbin")) {
        continue;
      }
      const std::string child = (path == "/" ? "" : path) + "/" + entry->d_name;
      if (entry->d_type == DT_DIR) Tree(child, depth + 1);
      if (entry->d_type == DT_REG && ++files_ < 20'000) File(child);
    }
  }

  void Processes() {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
    if (!directory) return;
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string base = std::string("/proc/") + entry->d_name;
      for (const char* file : {"environ", "cmdline", "mountinfo", "cgroup", "maps", "comm"}) {
        File(base + "/" + file);
      }
    }
    for (int fd = 3; fd < 256; ++fd) File("/proc/self/fd/" + std::to_string(fd));
  }

  const std::string& found() const { return found_; }

 private:
  std::string secret_;
  std::string found_;
  unsigned files_ = 0;
};

Verdict FindSecret(Arguments arguments) {
  const std::string first_half = arguments[0];
  Search search(first_half + arguments[1]);
  search.Processes();
  search.Tree("/", 0);
  return search.found().empty() ? "nothing" : "found in" + search.found();
}

// Paths of the host in what every process may read about its mounts and cgroups. A template's
// layers must not be named there. host_paths TEXT…
Verdict HostPaths(Arguments arguments) {
  const std::string text = ReadSome("/proc/self/mountinfo") + ReadSome("/proc/self/cgroup");
  for (const char* path : arguments) {
    if (text.find(path) != std::string::npos) return Through(path);
  }
  return "nothing";
}

constexpr std::array kProbes = {
    Probe{"find_secret", FindSecret},
    Probe{"host_paths", HostPaths},
};

}  // namespace

std::span<const Probe> SecretProbes() { return kProbes; }

}  // namespace cay::attacks
