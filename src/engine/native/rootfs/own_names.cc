#include "engine/native/rootfs/own_names.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

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

struct OwnNames {
  std::string_view hostname;
  bool in_etc;  // hosts and hostname
  bool resolv_conf;
  bool workspace;
};

Result<void> Write(const Fd& upper, const OwnNames& names, LayerOwners owners) {
  if (names.in_etc) {
    const Fd etc = TRY(MakeDirectory(upper, "etc", 0755, owners.root));
    TRY(WriteFile(etc, "hosts", HostsFile(names.hostname), owners.root));
    TRY(WriteFile(etc, "hostname", std::string(names.hostname) + "\n", owners.root));
    if (names.resolv_conf) TRY(WriteFile(etc, "resolv.conf", kResolvConf, owners.root));
  }
  if (names.workspace) TRY(MakeDirectory(upper, "workspace", 01777, owners.owner));
  return {};
}

}  // namespace

bool NeedsUsualNames(const CreateRequest& request) {
  return HostLayersOf(request.root).hostname.empty() && request.hostname == kUsualHostname &&
         request.owner == kUserId;
}

Result<void> WriteUsualNames(const Fd& upper) {
  return Write(upper,
               {.hostname = kUsualHostname, .in_etc = true, .resolv_conf = true, .workspace = true},
               {.root = 0, .owner = kUserId});
}

Result<void> WriteOwnNames(const Fd& upper, const CreateRequest& request, LayerOwners owners) {
  const std::string& of_template = HostLayersOf(request.root).hostname;
  return Write(upper,
               {.hostname = request.hostname,
                .in_etc = of_template != request.hostname,
                .resolv_conf = of_template.empty(),
                .workspace = of_template.empty() || request.owner != kUserId},
               owners);
}

}  // namespace cay::engine::native
