#include "sandbox/records/tombstones.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "base/os/file.h"
#include "base/os/sys.h"

namespace cay::sandbox {
namespace {

constexpr size_t kMaxReason = 4096;

std::string DirectoryOf(const std::string& state_dir) { return state_dir + "/destroyed"; }

std::string PathOf(const std::string& state_dir, const SandboxId& id) {
  return DirectoryOf(state_dir) + "/" + id.text();
}

}  // namespace

Result<void> PrepareTombstones(const std::string& state_dir) {
  return MakeDirectories(DirectoryOf(state_dir), 0700);
}

Result<void> SetTombstone(const std::string& state_dir, const SandboxId& id,
                          const std::string& reason) {
  auto set = sys::SymlinkAt(reason.c_str(), AT_FDCWD, PathOf(state_dir, id).c_str());
  return set || set.error().sys_errno() == EEXIST ? Result<void>{} : set;
}

void RemoveTombstone(const std::string& state_dir, const SandboxId& id) {
  ::unlink(PathOf(state_dir, id).c_str());
}

std::map<SandboxId, std::string> ReadTombstones(const std::string& state_dir) {
  std::map<SandboxId, std::string> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(DirectoryOf(state_dir).c_str()),
                                                    ::closedir);
  if (!listing) return found;
  while (const dirent* entry = ::readdir(listing.get())) {
    const auto id = SandboxId::Parse(entry->d_name);
    std::array<char, kMaxReason> reason{};
    if (!id) continue;
    const ssize_t length =
        ::readlinkat(::dirfd(listing.get()), entry->d_name, reason.data(), reason.size());
    if (length > 0) found.emplace(*id, std::string(reason.data(), static_cast<size_t>(length)));
  }
  return found;
}

}  // namespace cay::sandbox
