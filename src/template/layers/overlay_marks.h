// What overlayfs reads in the directories of layers: how a layer says that it removes something.
// Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
//
// A whiteout is a character device 0/0, which anybody may make (Linux 5.8). An opaque directory has
// an attribute, whose name depends on how the overlay is mounted: as root in the initial user
// namespace, or by an ordinary user in one of its own, with "userxattr" (engine/native/rootfs).
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

namespace cay::templates {

enum class OverlayXattrs : uint8_t {
  kTrusted,  // trusted.overlay.*; needs CAP_SYS_ADMIN to be written and read
  kUser,     // user.overlay.*
};

// What the overlays of this process' user read.
inline OverlayXattrs OverlayXattrsOfCaller() {
  return ::geteuid() == 0 ? OverlayXattrs::kTrusted : OverlayXattrs::kUser;
}

constexpr const char* OpaqueName(OverlayXattrs form) {
  return form == OverlayXattrs::kTrusted ? "trusted.overlay.opaque" : "user.overlay.opaque";
}
constexpr const char* RedirectName(OverlayXattrs form) {
  return form == OverlayXattrs::kTrusted ? "trusted.overlay.redirect" : "user.overlay.redirect";
}

inline bool IsWhiteout(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

}  // namespace cay::templates
