// PublishRule: a port of a sandbox that the machine listens for: [ADDRESS:]HOST_PORT:PORT. Pure.
//
//   PublishRule::Parse("8080:80");           // on 127.0.0.1
//   PublishRule::Parse("[::1]:0:80");        // on a port that is chosen
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "network/policy/address.h"

namespace cay::network {

struct PublishRule {
  static constexpr size_t kMaxBytes = 64;
  // Those of services of the machine are not taken by sandboxes.
  static constexpr uint16_t kFirstHostPort = 1024;

  Address address;
  uint16_t host_port = 0;  // 0: one is chosen
  uint16_t port = 0;

  // kInvalidArgument.
  static Result<PublishRule> Parse(std::string_view text);
  // With the address, whatever it is.
  std::string Text() const;

  friend bool operator==(const PublishRule&, const PublishRule&) = default;
};

// Whether both listen at one place: never with a port that is chosen.
bool Meet(const PublishRule& a, const PublishRule& b);

// A name of a network of sandboxes, or another name of a sandbox in its networks:
// [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
bool IsNetworkName(std::string_view name);

}  // namespace cay::network
