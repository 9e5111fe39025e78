#include "engine/native/rootfs/own_names.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/os/sys.h"
#include "engine/native/ids/userns.h"
#include "engine/native/rootfs/usual_places.h"
#include "engine/own_names.h"

namespace cay::engine::native {
namespace {

Result<Fd> MakeDirectory(const Fd& upper, const char* name, mode_t mode, uid_t owner) {
  if (auto made = sys::MkdirAt(upper.get(), name, 0700); !made) {
    if (made.error().sys_errno() != EEXIST) return Failure(std::move(made).error());
  }
  return OpenAndGive(upper, name, mode, owner);
}

Result<void> WriteFile(const Fd& directory, const char* name, const std::string& text,
                       uid_t owner) {
  const Fd file =
      TRY(sys::OpenAt(directory.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(sys::Write(file, text, name));
  if (::fchown(file.get(), owner, owner) < 0 || ::fchmod(file.get(), 0644) < 0) {
    return Failure(Error::FromErrno("making /etc/" + std::string(name)));
  }
  return {};
}

}  // namespace

Result<void> WriteOwnNames(const Fd& upper, const CreateRequest& request, LayerOwners owners) {
  const bool completed = !HostLayersOf(request.root).hostname.empty();
  if (HostLayersOf(request.root).hostname != request.hostname) {
    const Fd etc = TRY(MakeDirectory(upper, "etc", 0755, owners.root));
    TRY(WriteFile(etc, "hosts", HostsFile(request.hostname), owners.root));
    TRY(WriteFile(etc, "hostname", request.hostname + "\n", owners.root));
    if (!completed) TRY(WriteFile(etc, "resolv.conf", kResolvConf, owners.root));
  }
  if (!completed || request.owner != kUserId) {
    TRY(MakeDirectory(upper, "workspace", 01777, owners.owner));
  }
  return {};
}

}  // namespace cay::engine::native
