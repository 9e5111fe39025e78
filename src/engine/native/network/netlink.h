// Netlink requests (netlink(7)): messages with attributes, sent together, each acknowledged by the
// kernel before the send returns.
//
//   NetlinkMessages messages;
//   messages.Begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifaddrmsg{…}, "the address of lo");
//   messages.Put(IFA_LOCAL, address);
//   messages.End();
//   const auto refusal = TRY(Ask(TRY(OpenNetlink(NETLINK_ROUTE)), messages, {EEXIST}));
#pragma once

#include <linux/netlink.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

// The bytes of a value as it is in memory.
template <class T>
  requires std::is_trivially_copyable_v<T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

class NetlinkMessages {
 public:
  // `what`: "the address of lo", for errors. Its header follows, then attributes, then End.
  template <class Header>
  void Begin(uint16_t type, uint16_t flags, const Header& header, std::string what) {
    BeginBytes(type, flags | NLM_F_ACK, BytesOf(header), std::move(what));
  }
  // One that is not acknowledged, unless it fails: the bounds of a batch.
  template <class Header>
  void Bound(uint16_t type, const Header& header, std::string what) {
    BeginBytes(type, 0, BytesOf(header), std::move(what));
    End();
  }
  void End();

  void Put(uint16_t attribute, std::string_view bytes);
  // By value: 32 bits in the order of the machine, and in that of the network.
  void Put32(uint16_t attribute, std::same_as<uint32_t> auto value) {
    Put(attribute, BytesOf(value));
  }
  void Put32Be(uint16_t attribute, uint32_t value);
  void PutText(uint16_t attribute, std::string_view text);  // ends with a NUL
  // Attributes that `fill` puts, within one.
  template <class Fill>
  void Nest(uint16_t attribute, const Fill& fill) {
    const size_t at = BeginAttribute(static_cast<uint16_t>(NLA_F_NESTED | attribute));
    fill();
    EndAttribute(at);
  }

  const std::string& bytes() const { return bytes_; }
  size_t acknowledged() const { return acknowledged_; }
  // Of the message with the number that an acknowledgement names.
  std::string_view What(uint32_t number) const;

 private:
  void BeginBytes(uint16_t type, uint16_t flags, std::string_view header, std::string what);
  size_t BeginAttribute(uint16_t attribute);
  void EndAttribute(size_t at);
  void Pad();

  std::string bytes_;
  size_t message_ = 0;  // where the last one begins
  std::vector<std::string> what_;
  size_t acknowledged_ = 0;  // of them, whatever comes of them
};

// Close-on-exec, in the network namespace of the calling thread.
Result<Fd> OpenNetlink(int protocol);

// What the kernel said no to: "the address of lo", the message's number from 0, and why.
struct Refusal {
  std::string what;
  uint32_t number = 0;
  int sys_errno = 0;

  Error ToError() const { return Error::FromErrno(what, sys_errno); }
};

// Sends all, and waits for what the kernel says of each. The first refusal, except those for a
// reason in `tolerated`; nothing: there was none.
Result<std::optional<Refusal>> Ask(const Fd& socket, const NetlinkMessages& messages,
                                   std::initializer_list<int> tolerated = {});

}  // namespace cay::engine::native
