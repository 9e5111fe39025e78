#include "template/host/host_sources.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/text.h"

namespace cay::templates {
namespace {

// A new kind of skeleton must not be taken for an old one.
constexpr std::string_view kStampVersion = "cay-host 4";

constexpr std::string_view kPythonLine = "python ";

constexpr std::array kTops = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};

// Names under /etc, each part a pattern of fnmatch(3); a directory is taken with all that is in it.
// Left out on purpose, though everybody may read them: files in which people keep passwords or
// tokens (environment, profile.d, gitconfig, npmrc, pip.conf, wgetrc, maven/settings.xml, my.cnf,
// odbc.ini), the machine's own passwd, group, hosts, hostname, resolv.conf and nsswitch.conf (the
// skeleton has its own), and machine-id.
constexpr std::array kWanted = {
    // the dynamic linker, and names that stand for one of several programs
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld-musl-*.path", "alternatives",
    // certificates of public authorities
    "ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "ssl/java", "pki/tls/certs", "pki/tls/cert.pem",
    "pki/tls/openssl.cnf", "pki/ca-trust/extracted", "pki/java", "crypto-policies", "gnutls",
    "ca-certificates.conf",
    // time, language, names of protocols and types
    "localtime", "timezone", "adjtime", "locale.alias", "locale.conf", "mime.types", "mailcap",
    "services", "protocols", "rpc", "ethertypes", "networks", "host.conf", "gai.conf", "magic",
    "magic.mime", "netconfig", "papersize", "dictionaries-common",
    // what system this is
    "os-release", "debian_version", "lsb-release", "redhat-release", "fedora-release",
    "system-release", "alpine-release", "arch-release", "issue",
    // shells, terminals, editors, pages
    "shells", "profile", "bash.bashrc", "bashrc", "inputrc", "terminfo", "skel", "login.defs",
    "bash_completion", "bash_completion.d", "zsh", "manpath.config", "man_db.conf", "nanorc",
    "emacs", "vim", "tmux.conf", "screenrc",
    // languages
    "python3", "python3.*", "python", "perl", "java", "java-*", ".java", "jvm-*", "R", "ghc",
    "mono", "dotnet", "julia", "erlang", "elixir", "octave*", "clisp", "racket", "scala", "groovy",
    "lua*",
    // build tools; of maven what starts it, of php what its command line reads
    "maven/m2.conf", "maven/logging", "maven/toolchains.xml", "ant", "gradle", "php/*/cli",
    "php/*/mods-available",
    // libraries and what they draw with
    "texmf", "fonts", "OpenCL", "vulkan", "glvnd", "ImageMagick-*", "ghostscript", "groff", "gdb",
    "xml", "sgml", "gtk-3.0", "gtk-4.0", "X11/app-defaults", "X11/rgb.txt", "X11/xkb", "X11/fonts",
    "ltrace.conf", "alsa", "mke2fs.conf", "xattr.conf", "postgresql-common"};

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::string Join(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "/" + name;
}

std::string Absolute(std::string_view root, std::string_view path) {
  std::string absolute(root == "/" ? std::string_view() : root);
  absolute += '/';
  absolute += path;
  return absolute;
}

// The stamp has one line for each name.
bool HasControlCharacter(std::string_view name) {
  return std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// Names in a directory, sorted; empty when it cannot be read.
std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, DirCloser> listing(::opendir(directory.c_str()));
  if (!listing) return names;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && !HasControlCharacter(name)) names.push_back(name);
    if (names.size() > kMaxHostFiles) break;
  }
  std::ranges::sort(names);
  return names;
}

std::optional<std::string> ReadLink(const std::string& path) {
  std::array<char, 4096> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length <= 0 || static_cast<size_t>(length) == target.size()) return std::nullopt;
  return std::string(target.data(), static_cast<size_t>(length));
}

class Scanner {
 public:
  explicit Scanner(HostSources& out) : out_(out) {}

  // Adds `path` with all that is in it.
  Result<void> Add(const std::string& path) {
    std::vector<std::string> pending = {path};
    while (!pending.empty()) {
      const std::string current = std::move(pending.back());
      pending.pop_back();
      struct stat info{};
      const std::string absolute = Absolute(out_.root, current);
      if (::lstat(absolute.c_str(), &info) < 0) continue;
      const auto mode = static_cast<mode_t>(info.st_mode & 0755);
      if (S_ISLNK(info.st_mode)) {
        if (auto target = ReadLink(absolute)) {
          out_.files.push_back({HostFile::Kind::kSymlink, current, *target, 0777});
        }
      } else if (S_ISREG(info.st_mode) && (info.st_mode & S_IROTH) != 0) {
        out_.files.push_back({HostFile::Kind::kFile, current, {}, mode});
      } else if (S_ISDIR(info.st_mode) && (info.st_mode & 0005) == 0005) {
        out_.files.push_back({HostFile::Kind::kDirectory, current, {}, 0755});
        for (const std::string& name : Names(absolute)) pending.push_back(Join(current, name));
      }
      if (out_.files.size() + pending.size() > kMaxHostFiles) {
        return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                             absolute + " makes more than " + std::to_string(kMaxHostFiles) +
                                 " files for the host template"));
      }
    }
    return {};
  }

  // Walks to the parent of a wanted name by real directories only, and adds every match.
  Result<void> AddWanted(const std::string& wanted) { return AddBelow("etc", wanted); }

 private:
  // `wanted` is relative to `parent`, and each part of it may be a pattern.
  Result<void> AddBelow(const std::string& parent, std::string_view wanted) {
    const size_t slash = wanted.find('/');
    const std::string part(wanted.substr(0, slash));
    for (const std::string& name : Matching(parent, part)) {
      const std::string path = Join(parent, name);
      if (slash == std::string_view::npos) {
        TRY(Add(path));
      } else if (AddParent(path)) {
        TRY(AddBelow(path, wanted.substr(slash + 1)));
      }
    }
    return {};
  }

  std::vector<std::string> Matching(const std::string& parent, const std::string& pattern) const {
    if (pattern.find('*') == std::string::npos) return {pattern};
    std::vector<std::string> names = Names(Absolute(out_.root, parent));
    std::erase_if(names, [&](const std::string& name) {
      return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME | FNM_PERIOD) != 0;
    });
    return names;
  }

  bool AddParent(const std::string& path) {
    struct stat info{};
    if (::lstat(Absolute(out_.root, path).c_str(), &info) < 0 || !S_ISDIR(info.st_mode) ||
        (info.st_mode & 0005) != 0005) {
      return false;
    }
    const bool known =
        std::ranges::any_of(out_.files, [&](const HostFile& file) { return file.path == path; });
    if (!known) out_.files.push_back({HostFile::Kind::kDirectory, path, {}, 0755});
    return true;
  }

  HostSources& out_;
};

std::string Trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string OnlineCpus(const std::string& root) {
  Result<std::string> text = ReadFile(Absolute(root, "sys/devices/system/cpu/online"), 4096);
  return text && !text->empty() ? Trimmed(*text) : "0";
}

std::string TopLine(const std::string& root, const std::string& name) {
  struct stat info{};
  const std::string absolute = Absolute(root, name);
  std::string line = "top " + name;
  if (::lstat(absolute.c_str(), &info) < 0) return line + " -\n";
  if (S_ISLNK(info.st_mode)) return line + " link " + ReadLink(absolute).value_or("") + "\n";
  return line + (S_ISDIR(info.st_mode) ? " directory\n" : " -\n");
}

// An overlay does not show what is mounted on its layers, so a /usr/local on a disk of its own is
// one more layer to name.
bool LocalIsMounted(const std::string& root) {
  struct stat usr{};
  struct stat local{};
  return ::lstat(Absolute(root, "usr").c_str(), &usr) == 0 &&
         ::lstat(Absolute(root, "usr/local").c_str(), &local) == 0 && S_ISDIR(local.st_mode) &&
         usr.st_dev != local.st_dev;
}

// The name is put beside the machine's own programs, in /usr/local/bin of an upper layer: not where
// that would hide something.
std::string FindPython3(const std::string& root, bool local_is_mounted) {
  const auto is_there = [&](const char* path) {
    return ::faccessat(AT_FDCWD, Absolute(root, path).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  };
  for (const char* python : {"usr/local/bin/python", "usr/bin/python", "bin/python"}) {
    if (is_there(python)) return {};
  }
  struct stat info{};
  for (const char* directory : {"usr", "usr/local", "usr/local/bin"}) {
    const bool there = ::lstat(Absolute(root, directory).c_str(), &info) == 0;
    if (there && !S_ISDIR(info.st_mode)) return {};
  }
  if (local_is_mounted) return {};
  for (const char* python3 : {"usr/local/bin/python3", "usr/bin/python3"}) {
    if (is_there(python3)) return std::string("/") + python3;
  }
  return {};
}

const std::string& BootId() {
  static const std::string id =
      Trimmed(ReadFile("/proc/sys/kernel/random/boot_id", 4096).value_or(""));
  return id;
}

// The boot is part of it because the skeleton is not synced to disk: after a power failure its
// files may be empty.
std::string Header(const std::string& root) {
  std::string header(kStampVersion);
  header += " uid=" + std::to_string(::geteuid()) + " cpus=" + OnlineCpus(root) +
            " boot=" + BootId() + "\n";
  for (const char* top : kTops) header += TopLine(root, top);
  const bool local_is_mounted = LocalIsMounted(root);
  header += local_is_mounted ? "top usr/local directory\n" : "top usr/local -\n";
  header += std::string(kPythonLine) + FindPython3(root, local_is_mounted) + "\n";
  return header;
}

void AppendNumber(std::string& out, uint64_t number, int base, char end) {
  std::array<char, 24> digits{};  // 64 bits in octal are 22
  const auto [last, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), number, base);
  out.append(digits.data(), last);
  out += end;
}

void AppendTime(std::string& out, const timespec& time) {
  AppendNumber(out, static_cast<uint64_t>(time.tv_sec), 16, '.');
  AppendNumber(out, static_cast<uint64_t>(time.tv_nsec), 16, ' ');
}

// "ino mode size mtime ctime path": everything by which a changed file or directory shows itself.
// Written for some hundred files whenever a sandbox is made, and so not by printf.
void AppendSourceLine(std::string& out, const std::string& root, std::string_view path) {
  struct stat info{};
  if (::lstat(Absolute(root, path).c_str(), &info) < 0) {
    out += "- ";
  } else {
    AppendNumber(out, info.st_ino, 16, ' ');
    AppendNumber(out, info.st_mode, 8, ' ');
    AppendNumber(out, static_cast<uint64_t>(info.st_size), 16, ' ');
    AppendTime(out, info.st_mtim);
    AppendTime(out, info.st_ctim);
  }
  out += path;
  out += '\n';
}

}  // namespace

Result<HostSources> HostSources::Scan(const std::string& root) {
  HostSources sources;
  sources.root = root;
  sources.cpus = OnlineCpus(root);
  for (const char* name : kTops) {
    struct stat info{};
    const std::string absolute = Absolute(root, name);
    if (::lstat(absolute.c_str(), &info) < 0) continue;
    if (S_ISDIR(info.st_mode)) sources.tops.push_back({name, {}});
    if (S_ISLNK(info.st_mode)) sources.tops.push_back({name, ReadLink(absolute).value_or("usr")});
  }
  const bool local_is_mounted = LocalIsMounted(root);
  if (local_is_mounted) sources.tops.push_back({"usr/local", {}});
  sources.python3 = FindPython3(root, local_is_mounted);
  Scanner scanner(sources);
  for (const char* wanted : kWanted) TRY(scanner.AddWanted(wanted));
  return sources;
}

std::string StampOf(const HostSources& sources) {
  std::string stamp = Header(sources.root);
  AppendSourceLine(stamp, sources.root, "etc");
  for (const HostFile& file : sources.files) {
    // A symlink cannot change without its directory.
    if (file.kind != HostFile::Kind::kSymlink) AppendSourceLine(stamp, sources.root, file.path);
  }
  return stamp;
}

std::vector<std::string> DirectoryTops(std::string_view stamp) {
  constexpr std::string_view kPrefix = "top ";
  constexpr std::string_view kSuffix = " directory";
  std::vector<std::string> tops;
  stamp.remove_prefix(std::min(stamp.find('\n'), stamp.size() - 1) + 1);
  while (stamp.starts_with(kPrefix)) {
    const size_t end = std::min(stamp.find('\n'), stamp.size() - 1);
    std::string_view line = stamp.substr(0, end);
    stamp.remove_prefix(end + 1);
    if (!line.ends_with(kSuffix)) continue;
    line.remove_prefix(kPrefix.size());
    line.remove_suffix(kSuffix.size());
    tops.emplace_back(line);
  }
  return tops;
}

std::string Python3Of(std::string_view stamp) {
  for (const std::string_view line : Split(stamp, '\n')) {
    if (line.starts_with(kPythonLine)) return std::string(line.substr(kPythonLine.size()));
  }
  return {};
}

bool StampHolds(const std::string& root, std::string_view stamp) {
  const std::string header = Header(root);
  if (!stamp.starts_with(header)) return false;
  stamp.remove_prefix(header.size());
  std::string line;
  while (!stamp.empty()) {
    const size_t end = stamp.find('\n');
    if (end == std::string_view::npos) return false;
    const std::string_view expected = stamp.substr(0, end + 1);
    stamp.remove_prefix(end + 1);
    // "- path" or five facts and the path.
    size_t start = 0;
    const int words = expected.starts_with("- ") ? 1 : 5;
    for (int word = 0; word < words && start != std::string_view::npos; ++word) {
      start = expected.find(' ', start);
      if (start != std::string_view::npos) ++start;
    }
    if (start == std::string_view::npos) return false;
    line.clear();
    AppendSourceLine(line, root, expected.substr(start, expected.size() - start - 1));
    if (line != expected) return false;
  }
  return true;
}

}  // namespace cay::templates
