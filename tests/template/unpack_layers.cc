// unpack-layers DIRECTORY BLOB=DIFF_ID…: unpacks layers, the lowest first, into DIRECTORY/0, 1 … by
// UnpackLayer, and prints the tree that an overlay of them shows, as the engine would mount it: as
// root, or as an ordinary user in namespaces of its own. DIFF_ID is "sha256:…"; the blob's name
// ends in its digest in hexadecimal. A line of the tree:
//
//   PATH TYPE MODE UID GID MTIME SIZE LINK-GROUP TARGET-OR-DIGEST XATTRS
//
// separated by tabs; links of one file have the same group, which is the first path of it.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "crypto/digest.h"
#include "template/layers/unpack_layer.h"

namespace {

namespace fs = std::filesystem;
using cay::Failure;
using cay::Fd;
using cay::Result;

constexpr size_t kMaxFileBytes = 64 << 20;

Result<void> UnpackAll(const std::string& directory, const std::vector<std::string>& layers) {
  std::vector<Fd> lower;  // the topmost first
  for (size_t i = 0; i < layers.size(); ++i) {
    const size_t equals = layers[i].rfind('=');
    const std::string path = layers[i].substr(0, equals);
    const std::string digest = "sha256:" + path.substr(path.rfind('/') + 1);
    const std::string root_path = directory + "/" + std::to_string(i);
    TRY(cay::MakeDirectories(root_path, 0755));
    Fd root =
        TRY(cay::sys::OpenAt(AT_FDCWD, root_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Fd blob = TRY(cay::sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC));
    cay::archive::FdSource source(blob);
    const cay::templates::LayerDigests digests{.blob = digest,
                                               .diff_id = layers[i].substr(equals + 1)};
    TRY(cay::templates::UnpackLayer(source, digests, lower, root));
    lower.insert(lower.begin(), std::move(root));
  }
  return {};
}

// Before anything else of the kind: namespaces in which an ordinary user may mount.
Result<void> EnterNamespaces() {
  const std::string map = "0 " + std::to_string(::geteuid()) + " 1";
  const std::string groups = "0 " + std::to_string(::getegid()) + " 1";
  TRY(cay::sys::Unshare(CLONE_NEWUSER | CLONE_NEWNS));
  TRY(cay::WriteKnobAt(AT_FDCWD, "/proc/self/setgroups", "deny"));
  TRY(cay::WriteKnobAt(AT_FDCWD, "/proc/self/uid_map", map));
  return cay::WriteKnobAt(AT_FDCWD, "/proc/self/gid_map", groups);
}

Result<Fd> Mount(const std::string& directory, size_t layers, bool userxattr) {
  const Fd context = TRY(cay::sys::FsOpen("overlay"));
  const std::string bottom = directory + "/bottom";  // at least two are wanted
  TRY(cay::MakeDirectories(bottom, 0755));
  for (size_t i = layers; i-- > 0;) {
    const std::string path = directory + "/" + std::to_string(i);
    TRY(cay::sys::FsConfigString(context, "lowerdir+", path.c_str()));
  }
  TRY(cay::sys::FsConfigString(context, "lowerdir+", bottom.c_str()));
  if (userxattr) TRY(cay::sys::FsConfigFlag(context, "userxattr"));
  TRY(cay::sys::FsConfigCreate(context));
  return cay::sys::FsMount(context, 0);
}

Result<std::string> Xattrs(const std::string& path) {
  std::vector<char> names(65'536);
  const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  if (length < 0) return Failure(cay::Error::FromErrno("listing attributes of " + path));
  std::vector<std::string> found;
  for (const char* name = names.data(); name < names.data() + length;) {
    char value[4096];
    const ssize_t size = ::lgetxattr(path.c_str(), name, value, sizeof(value));
    if (size < 0) return Failure(cay::Error::FromErrno("reading attributes of " + path));
    found.push_back(std::string(name) + "=" + std::string(value, static_cast<size_t>(size)));
    name += found.back().find('=') + 1;
  }
  std::sort(found.begin(), found.end());
  std::string joined;
  for (const std::string& one : found) joined += one + ";";
  return joined;
}

Result<void> Print(const std::string& top) {
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(top)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::map<ino_t, std::string> first;
  for (const std::string& path : paths) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) < 0) return Failure(cay::Error::FromErrno("stat " + path));
    const std::string name = path.substr(top.size() + 1);
    std::string type = "other";
    std::string content;
    if (S_ISDIR(info.st_mode)) type = "directory";
    if (S_ISLNK(info.st_mode)) {
      type = "symlink";
      content = fs::read_symlink(path).string();
    }
    if (S_ISREG(info.st_mode)) {
      type = "file";
      content = TRY(cay::Sha256Hex(TRY(cay::ReadFile(path, kMaxFileBytes))));
    }
    const std::string group =
        S_ISDIR(info.st_mode) ? name : first.try_emplace(info.st_ino, name).first->second;
    const std::string xattrs = TRY(Xattrs(path));
    std::printf("%s\t%s\t%o\t%u\t%u\t%lld\t%lld\t%s\t%s\t%s\n", name.c_str(), type.c_str(),
                info.st_mode & 07777U, info.st_uid, info.st_gid,
                static_cast<long long>(info.st_mtim.tv_sec),
                S_ISREG(info.st_mode) ? static_cast<long long>(info.st_size) : 0LL, group.c_str(),
                content.c_str(), xattrs.c_str());
  }
  return {};
}

Result<void> Run(const std::string& directory, const std::vector<std::string>& layers) {
  TRY(UnpackAll(directory, layers));
  const bool ordinary = ::geteuid() != 0;
  if (ordinary) TRY(EnterNamespaces());
  const Fd mount = TRY(Mount(directory, layers.size(), ordinary));
  return Print("/proc/self/fd/" + std::to_string(mount.get()) + "/.");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: unpack-layers DIRECTORY BLOB=DIFF_ID...\n");
    return 2;
  }
  const Result<void> done = Run(argv[1], {argv + 2, argv + argc});
  if (done) return 0;
  std::fprintf(stderr, "unpack-layers: %s\n", done.error().ToString().c_str());
  return 1;
}
