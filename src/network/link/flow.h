// Flow: one thing that a sandbox's programs wanted of the network, and what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::network {

enum class Verdict : uint8_t {
  kAllowed,
  kDenied,  // by the policy or one of its limits: `reason` says why
  kFailed,  // allowed, and it did not come about: `reason` is the network's
};
std::string_view VerdictName(Verdict verdict);  // "allowed", "denied", "failed"

struct Flow {
  static constexpr size_t kMaxName = 255;
  static constexpr size_t kMaxReason = 600;

  int64_t time_unix_ms = 0;  // of its beginning
  uint32_t duration_ms = 0;
  // A question for a name that was refused has no address and no port.
  std::string name{};     // empty: the program named an address
  std::string address{};  // that was asked for or dialled; empty: none was
  uint16_t port = 0;
  Verdict verdict = Verdict::kAllowed;
  std::string reason{};  // a sentence; empty: it went well
  std::string rule{};    // the policy's, that decided; empty: none
  uint64_t sent = 0;     // bytes from the sandbox
  uint64_t received = 0;
  uint32_t times = 1;    // the same again and again is told once
  bool proxied = false;  // a proxy was asked to connect; to which address of the name is not known
  // From outside to a published port: `address` is the peer's, `port` the sandbox's, and what
  // decides a rule of PublishRule.
  bool inbound = false;
  bool cached = false;  // some of its requests were answered from the package cache

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.time_unix_ms);
    codec.Field(2, self.duration_ms);
    codec.Field(3, self.name, kMaxName);
    codec.Field(4, self.address, size_t{64});
    codec.Field(5, self.port);
    codec.Field(6, self.verdict, Verdict::kFailed);
    codec.Field(7, self.reason, kMaxReason);
    codec.Field(8, self.rule, kMaxReason);
    codec.Field(9, self.sent);
    codec.Field(10, self.received);
    codec.Field(11, self.times);
    codec.Field(12, self.proxied);
    codec.Field(13, self.inbound);
    codec.Field(15, self.cached);
  }
};

}  // namespace cay::network
