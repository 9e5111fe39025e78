// Layers for tests: archives as a test wants them, unpacked one above the other, and the tree that
// overlayfs shows of them. For tests only.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "crypto/digest.h"
#include "template/layers/test_layer_tar.h"
#include "template/layers/unpack_layer.h"
#include "template/test_directory.h"

namespace cay::templates {

inline std::string DigestOf(const std::string& bytes) {
  return "sha256:" + Sha256Hex(bytes).value_or("");
}

// Asked before the process enters a user namespace, in which it is root.
inline bool IsOrdinaryUser() {
  static const bool ordinary = ::geteuid() != 0;
  return ordinary;
}
inline OverlayXattrs UsualForm() {
  return IsOrdinaryUser() ? OverlayXattrs::kUser : OverlayXattrs::kTrusted;
}

// An ordinary user may mount an overlay only in a user namespace of its own, which a process with
// threads cannot enter; so it is entered once, before there are any.
inline bool MayMountOverlays() {
  static const bool may = [] {
    if (!IsOrdinaryUser()) return true;
    const std::string map = "0 " + std::to_string(::geteuid()) + " 1";
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return false;
    return WriteKnobAt(AT_FDCWD, "/proc/self/setgroups", "deny").has_value() &&
           WriteKnobAt(AT_FDCWD, "/proc/self/uid_map", map).has_value();
  }();
  return may;
}

// What a mount shows: "d 755", "f 644 content", "l target" of each path, and the inode, by which
// links of one file are told.
struct Shown {
  std::string what;
  ino_t inode = 0;
  struct stat info{};
};
inline std::map<std::string, Shown> ShownIn(const Fd& mount) {
  namespace fs = std::filesystem;
  std::map<std::string, Shown> tree;
  const std::string top = "/proc/self/fd/" + std::to_string(mount.get()) + "/.";
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(top)) {
    const std::string path = entry.path();
    Shown shown;
    EXPECT_EQ(::lstat(path.c_str(), &shown.info), 0) << path;
    shown.inode = shown.info.st_ino;
    char mode[16];
    std::snprintf(mode, sizeof(mode), "%o", shown.info.st_mode & 07777U);
    if (S_ISDIR(shown.info.st_mode)) shown.what = std::string("d ") + mode;
    if (S_ISLNK(shown.info.st_mode)) shown.what = "l " + fs::read_symlink(path).string();
    if (S_ISREG(shown.info.st_mode)) {
      shown.what = std::string("f ") + mode + " " + ReadFile(path).value_or("(unreadable)");
    }
    tree.emplace(path.substr(top.size() + 1), shown);
  }
  return tree;
}

// Layers one above the other, in directories 0, 1, 2 …
class LayerStack {
 public:
  explicit LayerStack(OverlayXattrs form) {
    options.xattrs = form;
    options.ownership =
        IsOrdinaryUser() ? archive::Ownership::kCaller : archive::Ownership::kArchive;
  }

  Result<LayerReport> TryAdd(const std::string& tar) {
    return TryAdd(tar, {.blob = DigestOf(tar), .diff_id = DigestOf(tar)});
  }
  Result<LayerReport> TryAdd(const std::string& blob, const LayerDigests& digests) {
    const std::string path = dir.At(std::to_string(count_));
    dir.MakeDirectory(std::to_string(count_));
    std::vector<Fd> lower;
    for (size_t i = count_; i-- > 0;) lower.push_back(Open(dir.At(std::to_string(i))));
    ++count_;
    archive::StringSource source(blob);
    return UnpackLayer(source, digests, lower, Open(path), options);
  }
  LayerReport Add(LayerTar& tar) {
    const Result<LayerReport> report = TryAdd(tar.Finish());
    EXPECT_TRUE(report.has_value()) << report.error().ToString();
    return report.value_or(LayerReport{});
  }

  // Of the topmost layer, or of layer N.
  std::string At(const std::string& name) const {
    return dir.At(std::to_string(count_ - 1) + "/" + name);
  }
  bool Has(const std::string& name) const {
    struct stat info{};
    return ::lstat(At(name).c_str(), &info) == 0;
  }

  std::map<std::string, Shown> Merged() const {
    const Result<Fd> mount = Mount();
    EXPECT_TRUE(mount.has_value()) << mount.error().ToString();
    return mount ? ShownIn(*mount) : std::map<std::string, Shown>{};
  }
  std::map<std::string, std::string> Tree() const {
    std::map<std::string, std::string> tree;
    for (const auto& [path, shown] : Merged()) tree.emplace(path, shown.what);
    return tree;
  }

  size_t count() const { return count_; }
  static Fd Open(const std::string& path) {
    return Fd::Adopt(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  TestDirectory dir;
  LayerOptions options;

 private:
  // Detached: nobody else sees it, and it goes away with the descriptor. At least two layers are
  // wanted where nothing is writable.
  Result<Fd> Mount() const {
    const Fd context = TRY(sys::FsOpen("overlay"));
    for (size_t i = count_; i-- > 0;) {
      TRY(sys::FsConfigString(context, "lowerdir+", dir.At(std::to_string(i)).c_str()));
    }
    const std::string bottom = dir.At("bottom");
    TRY(MakeDirectories(bottom, 0755));
    TRY(sys::FsConfigString(context, "lowerdir+", bottom.c_str()));
    if (options.xattrs == OverlayXattrs::kUser) TRY(sys::FsConfigFlag(context, "userxattr"));
    TRY(sys::FsConfigCreate(context));
    return sys::FsMount(context, 0);
  }

  size_t count_ = 0;
};

}  // namespace cay::templates
