// /proc, /sys and crashes.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <sstream>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

Verdict Read(Arguments arguments) { return TryRead(arguments[0]); }
Verdict Write(Arguments arguments) { return TryWrite(arguments[0], arguments[1]); }
Verdict ReadLink(Arguments arguments) {
  char target[4096];
  return OfCall(::readlink(arguments[0], target, sizeof target));
}

// Files that are there and say nothing of the host: masked ones are empty or unreadable; kernel
// addresses are zeros for whoever may not see them (kptr_restrict).
Verdict KernelSymbols(Arguments) {
  const std::string text = ReadSome("/proc/kallsyms");
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    if (text.compare(at, 16, "0000000000000000") != 0 && end - at > 16) return Through();
    at = end + 1;
  }
  return "no addresses";
}

// How many groups the machine has of each controller: the third word.
Verdict CgroupCounts(Arguments) {
  std::istringstream lines(ReadSome("/proc/cgroups"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    long hierarchy = 0;
    long count = 0;
    if (line.front() != '#' && words >> name >> hierarchy >> count && count > 1) return Through();
  }
  return "no counts";
}

// A group below one of those that are shown would be somebody else's.
Verdict GroupsOfOthers(Arguments) {
  const std::string top = "/sys/fs/cgroup";
  const bool unified = ::access((top + "/cgroup.procs").c_str(), F_OK) == 0;
  for (const std::string& place :
       {top, top + "/memory", top + "/cpu", top + "/cpuacct", top + "/cpuset", top + "/pids"}) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(place.c_str()), ::closedir);
    if (!directory) continue;
    while (const dirent* entry = ::readdir(directory.get())) {
      const bool group = entry->d_type == DT_DIR && entry->d_name[0] != '.';
      if (group && ::access((place + "/" + entry->d_name + "/cgroup.procs").c_str(), F_OK) == 0 &&
          (unified || place != top)) {
        return Through();
      }
    }
  }
  return "none";
}

Verdict ListDirectory(Arguments arguments) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(arguments[0]), ::closedir);
  if (!directory) return Refused();
  unsigned entries = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') ++entries;
  }
  return entries == 0 ? "empty" : Through();
}

// Any knob under /sys or /proc/sys that can be opened for writing.
Verdict WritableKnobs(Arguments arguments) {
  std::string found;
  unsigned looked_at = 0;
  const std::function<void(const std::string&, int)> walk = [&](const std::string& path,
                                                                int depth) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory || depth > 8) return;
    while (const dirent* entry = ::readdir(directory.get())) {
      if (entry->d_name[0] == '.' || looked_at > 20'000) continue;
      const std::string name = path + "/" + entry->d_name;
      if (entry->d_type == DT_DIR) walk(name, depth + 1);
      if (entry->d_type != DT_REG) continue;
      ++looked_at;
      const int fd = ::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      if (fd < 0) continue;
      ::close(fd);
      if (found.size() < 512) found += " " + name;
    }
  };
  walk(arguments[0], 0);
  return found.empty() ? "no writable knobs" : Through("writable:" + found);
}

Verdict LowerOomScore(Arguments) { return TryWrite("/proc/self/oom_score_adj", "-1000"); }

// Whether a crash could start the host's core dump helper, which the kernel runs as the host's
// root. A limit of 0 does not prevent that for helpers, a limit of 1 does (fs/coredump.c); so it
// has to be 1 and stay 1.
Verdict CoreLimit(Arguments) {
  const rlimit zero = {0, 0};
  ::setrlimit(RLIMIT_CORE, &zero);
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_cur == 1 && limit.rlim_max == 1) return "helpers are not run";
  return Through("limit " + std::to_string(limit.rlim_cur));
}

Verdict Crash(Arguments) {
  return InChild([] -> Verdict {
    ::raise(SIGSEGV);
    return "survived";
  });
}

Verdict SelfStatus(Arguments arguments) {
  const std::string text = ReadSome("/proc/self/status");
  const std::string key = std::string("\n") + arguments[0] + ":\t";
  const size_t at = text.find(key);
  if (at == std::string::npos) return "absent";
  const size_t begin = at + key.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Writes a line for every file below /proc that gives a byte when it is read, of one process only
// its own.
class ReadableProc {
 public:
  unsigned Walk(const std::string& path, int depth) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory || depth > 8) return readable_;
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      // Other processes; what it has open; threads are as processes.
      if (depth == 0 && IsNumber(name)) continue;
      if (name == "fd" || name == "fdinfo" || name == "map_files" || name == "task") continue;
      if (entry->d_type == DT_DIR) Walk(path + "/" + name, depth + 1);
      if (entry->d_type == DT_REG && TryRead(path + "/" + name) == Through()) {
        Announce(path + "/" + name);
        ++readable_;
      }
    }
    return readable_;
  }

 private:
  unsigned readable_ = 0;
};

Verdict ReadableFilesOfProc(Arguments) {
  ReadableProc walk;
  walk.Walk("/proc", 0);
  return std::to_string(walk.Walk("/proc/self", 1)) + " files";
}

constexpr std::array kProbes = {
    Probe{"readable_proc", ReadableFilesOfProc},
    Probe{"read", Read},
    Probe{"cgroup_counts", CgroupCounts},
    Probe{"groups_of_others", GroupsOfOthers},
    Probe{"write", Write},
    Probe{"readlink", ReadLink},
    Probe{"kernel_symbols", KernelSymbols},
    Probe{"list_directory", ListDirectory},
    Probe{"writable_knobs", WritableKnobs},
    Probe{"lower_oom_score", LowerOomScore},
    Probe{"core_limit", CoreLimit},
    Probe{"crash", Crash},
    Probe{"status", SelfStatus},
};

}  // namespace

std::span<const Probe> ProcProbes() { return kProbes; }

}  // namespace cay::attacks
