// Messages that belong to no single operation, and the limits that several share. The others are in
// process_messages.h and file_messages.h; how they are encoded is in message_codec.h.
//
// Strings are bytes: paths, arguments and environment of Linux have no encoding. "No NUL inside" is
// checked by the guest where it matters.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "protocol/message_codec.h"

namespace cay::protocol {

// The version that a guest of this program speaks. Raised with each new message and field
// (codec.FieldSince): a host speaks to each guest in that guest's version.
inline constexpr uint32_t kProtocolVersion = 3;
// The earliest that this host still speaks.
inline constexpr uint32_t kOldestGuestProtocol = 1;

inline constexpr size_t kMaxPathBytes = 4095;  // PATH_MAX without its NUL
inline constexpr size_t kMaxNameBytes = 255;   // NAME_MAX
inline constexpr size_t kMaxUserBytes = 64;    // a user: "", "name", "uid" or "uid:gid"
inline constexpr size_t kMaxErrorBytes = 4096;

// kInfo, the answer to kPing.
struct Info {
  uint32_t protocol_version = kProtocolVersion;
  std::string guest_version;  // of the program
  uint64_t running = 0;       // processes that have not ended
  uint64_t kept = 0;          // all that are listed
  bool single_user = false;
  // Of the writable layer, as statfs(2) of / says it.
  uint64_t disk_free_bytes = 0;
  uint64_t inodes_free = 0;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.protocol_version);
    codec.Field(2, self.guest_version, 64);
    codec.Field(3, self.running);
    codec.Field(4, self.kept);
    codec.Field(5, self.single_user);
    codec.Field(6, self.disk_free_bytes);
    codec.Field(7, self.inodes_free);
  }
};

// kError.
struct ErrorMessage {
  std::string code;  // ErrorCodeName
  bool callers_fault = false;
  std::string message;
  std::string remedy;
  int32_t sys_errno = 0;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.code, 64);
    codec.Field(2, self.callers_fault);
    codec.Field(3, self.message, kMaxErrorBytes);
    codec.Field(4, self.remedy, kMaxErrorBytes);
    codec.Field(5, self.sys_errno);
  }
};

// An error as it goes over the wire, cut to its limits; and as it comes out: its text has become
// printable UTF-8 in one line, its code is one that exists.
ErrorMessage ToMessage(const Error& error);
Error FromMessage(const ErrorMessage& message);

}  // namespace cay::protocol
