#include "engine/native/rootfs/uppers_ahead.h"

#include <fcntl.h>
#include <stdio.h>

#include <string>

#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/rootfs/scratch.h"

namespace cay::engine::native {
namespace {

// Of the usual template is what upper/ itself has.
constexpr const char* kUpper = "upper";
constexpr const char* kNamed = "named";  // own names, for a root filesystem without them
constexpr const char* kBare = "bare";    // nothing

const char* UpperFor(const CreateRequest& request) {
  if (HostLayersOf(request.root).has_usual_places) return kUpper;
  return NeedsUsualNames(request) ? kNamed : kBare;
}

Result<Fd> OpenDirectory(const Fd& parent, const char* name) {
  return sys::OpenAt(parent.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

}  // namespace

Result<void> MakeUppersAhead(const Fd& overlay) {
  if (!TRY(MakeUsualPlaces(TRY(OpenDirectory(overlay, kUpper)), 0, kOpaqueOfRoot))) {
    LogWarning("images are made on a filesystem without " + std::string(kOpaqueOfRoot) +
               ": what directories that are listed hold is not bounded");
  }
  for (const char* name : {kNamed, kBare}) TRY(sys::MkdirAt(overlay.get(), name, 0755));
  return WriteUsualNames(TRY(OpenDirectory(overlay, kNamed)));
}

Result<void> FurnishUpper(const Fd& scratch, const CreateRequest& request) {
  const std::string chosen = UpperFor(request);
  if (chosen != kUpper) {
    const int fd = scratch.get();
    if (::renameat2(fd, ("0/" + chosen).c_str(), fd, "0/upper", RENAME_EXCHANGE) < 0)
      return Failure(Error::FromErrno("choosing a writable layer"));
  }
  if (chosen == kNamed) return {};
  return WriteOwnNames(TRY(OpenUpperOfRoot(scratch)), request, {.root = 0, .owner = request.owner});
}

}  // namespace cay::engine::native
