// HostSources: which files of the machine the `host` template shows, and a cheap way to see that
// they changed.
//
//   HostSources sources = TRY(HostSources::Scan("/"));
//   for (const HostFile& file : sources.files) …            // all under etc/
//   std::string stamp = StampOf(sources);                   // kept beside the skeleton
//   … later …
//   if (StampHolds("/", stamp)) …                           // some hundred lstat(2), < 0.3 ms
//
// The rule is a list of names (host_sources.cc) that programs need and that hold nothing private:
// under /etc, only regular files and symlinks that everybody may read, never passwords, keys,
// tokens of package managers or the machine's identity. Programs come from /usr (and /bin, /lib …
// where those are directories of their own), which is shown as a whole.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::templates {

// /usr, /bin, /sbin, /lib, /lib32, /lib64, /libx32, as far as the machine has them; /usr/local when
// it is a mount of its own.
struct HostTop {
  std::string name;            // "usr"
  std::string symlink_target;  // empty: a directory of its own
};

struct HostFile {
  enum class Kind { kDirectory, kFile, kSymlink };
  Kind kind = Kind::kFile;
  std::string path;            // relative to the root: "etc/ld.so.cache"
  std::string symlink_target;  // for kSymlink
  mode_t mode = 0;             // permissions, without write for group and others or set-id bits
};

struct HostSources {
  std::string root;  // "/" on a machine; another directory in a test
  std::vector<HostTop> tops;
  std::vector<HostFile> files;  // a directory comes before what is in it
  std::string cpus;             // /sys/devices/system/cpu/online: "0-1"
  std::string
      python3;  // what `python` is to mean: "/usr/bin/python3"; empty: nothing, or it is there

  // kResourceExhausted when /etc is so large that something is wrong.
  static Result<HostSources> Scan(const std::string& root);
};

inline constexpr size_t kMaxHostFiles = 20'000;
inline constexpr uint64_t kMaxHostFileBytes = 16u << 20;

// One line for each file and directory whose change would change the skeleton. Taken before the
// files are copied: a change in between makes the stamp not hold, never a stale skeleton hold.
std::string StampOf(const HostSources& sources);

// The tops that are directories of their own, from a non-empty stamp.
std::vector<std::string> DirectoryTops(std::string_view stamp);

// HostSources::python3, from a non-empty stamp.
std::string Python3Of(std::string_view stamp);

// Whether Scan would still see the same.
bool StampHolds(const std::string& root, std::string_view stamp);

}  // namespace cay::templates
