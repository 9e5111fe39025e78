#include "template/host/skeleton.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <vector>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "base/text.h"
#include "engine/own_names.h"

namespace cay::templates {
namespace {

constexpr size_t kMaxPasswdBytes = 1 << 20;

struct Place {
  const char* path;
  Attributes node;
};

// Where the engine mounts, or where every program may write; made anew when a template has
// something else there.
constexpr std::array kMountPoints = {
    Place{"proc", {.mode = 0555}}, Place{"sys", {.mode = 0755}},  Place{"dev", {.mode = 0755}},
    Place{"run", {.mode = 0755}},  Place{"tmp", {.mode = 01777}},
};

constexpr std::array kWorkspace = {
    Place{"workspace", {.mode = 01777, .uid = kUserUid, .gid = kUserUid}},
    Place{"workspace/project_files", {.mode = 0755}},
    Place{"workspace/agent_workspace", {.mode = 0755, .uid = kUserUid, .gid = kUserUid}},
    Place{"workspace/outputs", {.mode = 0755, .uid = kUserUid, .gid = kUserUid}},
};

constexpr std::array kHostPlaces = {
    Place{"etc", {.mode = 0755}},
    Place{"root", {.mode = 0700}},
    Place{"home", {.mode = 0755}},
    Place{"home/user", {.mode = 0755, .uid = kUserUid, .gid = kUserUid}},
    Place{"opt", {.mode = 0755}},
    Place{"mnt", {.mode = 0755}},
    Place{"media", {.mode = 0755}},
    Place{"srv", {.mode = 0755}},
    Place{"run/lock", {.mode = 01777}},
    Place{"var", {.mode = 0755}},
    Place{"var/tmp", {.mode = 01777}},
    Place{"var/cache", {.mode = 0755}},
    Place{"var/lib", {.mode = 0755}},
    Place{"var/log", {.mode = 0755}},
    Place{"var/spool", {.mode = 0755}},
};

struct Text {
  const char* path;
  const char* content;
};

constexpr std::array kGenerated = {
    Text{"etc/group", "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n"},
    Text{"etc/nsswitch.conf",
         "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
         "protocols: files\nservices: files\nethers: files\nrpc: files\n"},
};

template <size_t N>
Result<void> EnsureAll(LayerTree& tree, const std::array<Place, N>& places) {
  for (const Place& place : places) TRY(tree.EnsureDirectory(place.path, place.node));
  return {};
}

// What an image has in /workspace stays as its own user has it, who may be another than 1000.
Result<void> EnsureWorkspace(LayerTree& tree) {
  TRY(tree.EnsureDirectory(kWorkspace.front().path, kWorkspace.front().node));
  for (const Place& place : kWorkspace | std::views::drop(1))
    TRY(tree.EnsureDirectoryKept(place.path, place.node));
  return {};
}

Result<void> WriteNames(LayerTree& tree) {
  const std::string name(engine::kUsualHostname);
  TRY(tree.WriteFile("etc/hosts", engine::HostsFile(name), {.mode = 0644}));
  TRY(tree.WriteFile("etc/hostname", name + "\n", {.mode = 0644}));
  return tree.WriteFile("etc/resolv.conf", engine::kResolvConf, {.mode = 0644});
}

// Where the engine shows a sandbox its cgroups (engine/native/rootfs/shown_cgroups.h), for each
// layout of them.
Result<void> MakeCgroupPlaces(LayerTree& tree) {
  for (const char* controller : {"cpu", "cpuacct", "cpuset", "memory", "pids"}) {
    TRY(tree.EnsureDirectory(std::string("sys/fs/cgroup/") + controller, {.mode = 0755}));
  }
  for (const char* file : {"cpuset/cpuset.cpus", "cpuacct/cgroup.clone_children"}) {
    TRY(tree.WriteFile(std::string("sys/fs/cgroup/") + file, "", {.mode = 0444}));
  }
  return {};
}

// Run times size their thread pools by these, and fall back badly without. Files, not sysfs: the
// sandbox sees nothing of the machine's devices.
Result<void> WriteSys(LayerTree& tree, const std::string& cpus) {
  constexpr std::array kFiles = {"online", "possible", "present"};
  constexpr std::array kDirectories = {"sys/devices/system/cpu",
                                       "sys/devices/system",
                                       "sys/devices",
                                       "sys/fs/cgroup",
                                       "sys/fs",
                                       "sys"};
  // Writable until all is in: an ordinary user needs that.
  for (const char* directory : kDirectories) TRY(tree.EnsureDirectory(directory, {.mode = 0755}));
  for (const char* file : kFiles) {
    TRY(tree.WriteFile(std::string("sys/devices/system/cpu/") + file, cpus + "\n", {.mode = 0444}));
  }
  TRY(MakeCgroupPlaces(tree));
  for (const char* directory : kDirectories) TRY(tree.EnsureDirectory(directory, {.mode = 0555}));
  return {};
}

bool IsSymlink(const LayerTree& tree, const std::string& path) {
  const Result<struct stat> info = tree.Stat(path);
  return info && S_ISLNK(info->st_mode);
}

// People, and what they copy from, call it python. Beside the python3 of an imported template,
// unless there is one already.
Result<void> NamePython(LayerTree& tree) {
  constexpr std::array kPlaces = {"usr/local/bin", "usr/bin", "bin"};
  for (const char* place : kPlaces) {
    if (tree.Stat(std::string(place) + "/python")) return {};
  }
  for (const char* place : kPlaces) {
    const bool plain = !IsSymlink(tree, place) && tree.Stat(std::string(place) + "/python3");
    if (plain) return tree.WriteSymlink(std::string(place) + "/python", "python3");
  }
  return {};
}

// php's settings are needed, and one in a thousand has a password of a database in it.
bool HasPassword(std::string_view ini) {
  for (std::string_view line : Split(ini, '\n')) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos || line.front() == ';' || line.front() == '#') continue;
    const std::string_view name = line.substr(0, equals);
    const bool secret = name.find("_pw") != std::string_view::npos ||
                        name.find("passw") != std::string_view::npos ||
                        name.find("secret") != std::string_view::npos;
    if (secret && line.find_first_not_of(" \t\"'\r", equals + 1) != std::string_view::npos)
      return true;
  }
  return false;
}

Result<uint64_t> CopyHostFile(LayerTree& tree, const std::string& root, const HostFile& file) {
  // The scan saw a regular file; what is opened now may be anything, so nothing may block or be
  // followed, and it must still be for everybody to read.
  Result<Fd> source = sys::OpenAt(AT_FDCWD, (root + "/" + file.path).c_str(),
                                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct stat info{};
  if (!source || ::fstat(source->get(), &info) < 0 || !S_ISREG(info.st_mode) ||
      (info.st_mode & S_IROTH) == 0) {
    return 0;  // gone or changed meanwhile: the stamp does not hold, the next use builds anew
  }
  if (file.path.starts_with("etc/php/") &&
      HasPassword(TRY(ReadFile(root + "/" + file.path, kMaxHostFileBytes)))) {
    return 0;
  }
  return tree.CopyFile(*source, kMaxHostFileBytes, file.path, {.mode = file.mode});
}

Result<uint64_t> CopyHostFiles(LayerTree& tree, const HostSources& sources) {
  uint64_t bytes = 0;
  for (const HostFile& file : sources.files) {
    switch (file.kind) {
      case HostFile::Kind::kDirectory:
        TRY(tree.EnsureDirectory(file.path, {.mode = file.mode}));
        break;
      case HostFile::Kind::kSymlink:
        TRY(tree.WriteSymlink(file.path, file.symlink_target));
        break;
      case HostFile::Kind::kFile:
        bytes += TRY(CopyHostFile(tree, sources.root, file));
        break;
    }
  }
  return bytes;
}

bool HasName(std::string_view database, std::string_view name) {
  const auto lines = Split(database, '\n');
  return std::ranges::any_of(lines, [&](std::string_view line) {
    return line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':';
  });
}

// A path that LayerTree takes, without the leading slash; empty when it is not one.
std::string RelativePath(std::string_view path) {
  if (path.size() < 2 || path.size() > 255 || path.front() != '/') return {};
  if (std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
    return {};
  }
  path.remove_prefix(1);
  for (const std::string_view part : Split(path, '/')) {
    if (part.empty() || part == "." || part == "..") return {};
  }
  return std::string(path);
}

std::string ReadOrEmpty(const LayerTree& tree, const std::string& path) {
  Result<std::string> text = tree.ReadInside(path, kMaxPasswdBytes);
  return text ? *text : std::string();
}

std::string WithLine(std::string database, const std::string& line) {
  if (!database.empty() && database.back() != '\n') database += '\n';
  return database + line + "\n";
}

// As useradd(8) has them; an archive's passwd may hold anything.
bool IsUserName(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 32 && name.front() != '-' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

// Adds the user to passwd and group. Both are written anew, so a hard link or symlink in their
// place changes nothing else.
Result<TemplateUser> AddUser(LayerTree& tree, const std::string& passwd) {
  const std::string group = ReadOrEmpty(tree, "etc/group");
  std::string name = "user";
  for (int n = 1; HasName(passwd, name) || HasName(group, name); ++n) {
    name = "user" + std::to_string(n);
  }
  const bool bash = tree.Stat("bin/bash") || tree.Stat("usr/bin/bash");
  TemplateUser user{name, "/home/" + name, bash ? "/bin/bash" : "/bin/sh"};
  std::string whole = passwd;
  if (whole.empty()) whole = "root:x:0:0:root:/root:/bin/sh\n";
  whole = WithLine(whole, name + ":x:1000:1000::" + user.home + ":" + user.shell);
  TRY(tree.WriteFile("etc/passwd", whole, {.mode = 0644}));
  TRY(tree.WriteFile("etc/group",
                     WithLine(group.empty() ? "root:x:0:\n" : group, name + ":x:1000:"),
                     {.mode = 0644}));
  return user;
}

Result<void> CheckHasEtc(const LayerTree& tree) {
  if (!IsSymlink(tree, "etc")) return {};
  return Failure(Error::Impossible("not a usable root filesystem: its /etc is a symlink"));
}

Result<void> CheckIsRootFilesystem(const LayerTree& tree) {
  for (const char* directory : {"usr", "bin", "lib", "sbin"}) {
    if (tree.Stat(directory)) return {};
  }
  return Failure(
      Error::Impossible("not a root filesystem: it has none of /usr, /bin, /sbin and /lib")
          .WithRemedy("give the directory or archive that holds them at its top"));
}

}  // namespace

Result<uint64_t> WriteHostSkeleton(LayerTree& tree, const HostSources& sources) {
  TRY(tree.EnsureDirectory(".", {.mode = 0755}));
  TRY(EnsureAll(tree, kMountPoints));
  TRY(EnsureAll(tree, kHostPlaces));
  TRY(EnsureAll(tree, kWorkspace));
  for (const HostTop& top : sources.tops) {
    if (top.name.find('/') != std::string::npos) continue;  // it is there, in its parent's layer
    if (top.symlink_target.empty()) {
      TRY(tree.EnsureDirectory(top.name, {.mode = 0755}));
    } else {
      TRY(tree.WriteSymlink(top.name, top.symlink_target));
    }
  }
  const uint64_t bytes = TRY(CopyHostFiles(tree, sources));
  const bool bash = ::access((sources.root + "/bin/bash").c_str(), X_OK) == 0;
  const std::string shell = bash ? "/bin/bash" : "/bin/sh";
  TRY(tree.WriteFile("etc/passwd",
                     "root:x:0:0:root:/root:" + shell + "\nuser:x:1000:1000:user:/home/user:" +
                         shell + "\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
                     {.mode = 0644}));
  for (const Text& text : kGenerated) TRY(tree.WriteFile(text.path, text.content, {.mode = 0644}));
  TRY(tree.WriteSymlink("etc/mtab", "/proc/mounts"));
  TRY(tree.WriteSymlink("var/run", "/run"));
  TRY(tree.WriteSymlink("var/lock", "/run/lock"));
  TRY(WriteNames(tree));
  TRY(WriteSys(tree, sources.cpus));
  if (!sources.python3.empty()) {
    TRY(tree.EnsureDirectory("usr/local/bin", {.mode = 0755}));
    TRY(tree.WriteSymlink("usr/local/bin/python", sources.python3));
  }
  return bytes;
}

TemplateUser FindUser(std::string_view passwd) {
  for (const std::string_view line : Split(passwd, '\n')) {
    const auto fields = Split(line, ':');
    if (fields.size() != 7 || fields[2] != "1000" || !IsUserName(fields[0])) continue;
    return {std::string(fields[0]), std::string(fields[5]), std::string(fields[6])};
  }
  return {};
}

Result<TemplateUser> CompleteImported(LayerTree& tree) {
  TRY(CheckIsRootFilesystem(tree));
  return CompleteImage(tree);
}

Result<void> PrepareForStep(LayerTree& tree) {
  TRY(CheckHasEtc(tree));
  TRY(tree.EnsureDirectory(".", {.mode = 0755}));
  TRY(EnsureAll(tree, kMountPoints));
  TRY(tree.EnsureDirectoryKept("etc", {.mode = 0755}));
  TRY(WriteNames(tree));
  return MakeCgroupPlaces(tree);
}

Result<TemplateUser> CompleteImage(LayerTree& tree) {
  TRY(CheckHasEtc(tree));
  TRY(tree.EnsureDirectory(".", {.mode = 0755}));
  TRY(EnsureAll(tree, kMountPoints));
  TRY(tree.EnsureDirectoryKept("etc", {.mode = 0755}));
  TRY(EnsureWorkspace(tree));
  TRY(WriteNames(tree));
  TRY(MakeCgroupPlaces(tree));
  TRY(NamePython(tree));
  // /var/tmp may well be a symlink to /tmp, which is fine; only its absence is not.
  if (!tree.Stat("var/tmp") && !IsSymlink(tree, "var")) {
    TRY(tree.EnsureDirectory("var/tmp", {.mode = 01777}));
  }
  const std::string passwd = ReadOrEmpty(tree, "etc/passwd");
  TemplateUser user = FindUser(passwd);
  if (user.name.empty()) user = TRY(AddUser(tree, passwd));
  const std::string home = RelativePath(user.home);
  if (home.starts_with("home/") && !IsSymlink(tree, "home")) {
    TRY(tree.EnsureDirectoryKept(home, {.mode = 0755, .uid = kUserUid, .gid = kUserUid}));
  }
  if (home.empty()) user.home = std::string("/");
  if (RelativePath(user.shell).empty()) user.shell = std::string("/bin/sh");
  return user;
}

}  // namespace cay::templates
