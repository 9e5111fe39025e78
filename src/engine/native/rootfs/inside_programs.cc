#include "engine/native/rootfs/inside_programs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string_view>

#include "base/os/file.h"
#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

constexpr std::string_view kBin = "/usr/local/bin";

Result<void> MakeTree(const std::string& tree, std::string_view program) {
  TRY(MakeDirectories(tree + std::string(kBin), 0755));
  const std::string sudo = tree + std::string(kBin) + "/sudo";
  const Fd file = TRY(sys::OpenAt(AT_FDCWD, sudo.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0755));
  TRY(WriteAll(file.get(), program));
  // Whatever the umask, and whole before it has its name.
  if (::fchmod(file.get(), 0755) < 0 || ::fsync(file.get()) < 0 ||
      ::link(sudo.c_str(), (tree + std::string(kBin) + "/su").c_str()) < 0) {
    return Failure(Error::FromErrno("making " + sudo));
  }
  for (const char* part : {"", "/usr", "/usr/local", "/usr/local/bin"}) {
    if (::chmod((tree + part).c_str(), 0755) < 0)
      return Failure(Error::FromErrno("making " + tree));
  }
  return {};
}

}  // namespace

Result<std::string> MakeInsidePrograms(const std::string& directory, std::string_view program) {
  // The hash tells builds of the program apart; nobody chooses what is hashed.
  std::string path = directory + "/" + std::to_string(program.size()) + "-" +
                     std::to_string(std::hash<std::string_view>()(program));
  if (::access(path.c_str(), F_OK) == 0) return path;
  TRY(MakeDirectories(directory, 0700));
  std::string aside = directory + "/making-XXXXXX";
  if (::mkdtemp(aside.data()) == nullptr) return Failure(Error::FromErrno("making " + aside));
  Result<void> made = MakeTree(aside, program);
  if (made && ::rename(aside.c_str(), path.c_str()) == 0) return path;
  // Somebody else was quicker.
  const bool is_there = made && (errno == EEXIST || errno == ENOTEMPTY);
  if (made && !is_there) made = Failure(Error::FromErrno("renaming " + aside));
  TRY(RemoveTreeAt(AT_FDCWD, aside));
  TRY(std::move(made));
  return path;
}

std::string InsideProgramsOf(const std::string& tree, std::string_view target, bool usr_is_apart) {
  if (tree.empty()) return "";
  if (target == "/usr") return tree + "/usr";
  return target == "/" && !usr_is_apart ? tree : "";
}

}  // namespace cay::engine::native
