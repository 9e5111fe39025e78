// FirstBytes: what a connection's first bytes say of where it is really meant for, held against
// where it was made to. Pure.
//
// A name that was allowed leads to machines that serve other names, too: so a TLS hello must ask
// for that name (SNI), and a request in the clear on port 80 must be for that Host. What is inside
// TLS is not seen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "network/policy/policy.h"

namespace cay::network {

// Where requests are in the clear, and name their hosts.
inline constexpr uint16_t kHttpPort = 80;

struct Destination {
  std::string name{};  // by which it was asked for; empty: by its address
  Address address{};   // as the program gave it: of a name the one that stands for it
  uint16_t port = 0;
  // The name was answered with this very address, which is dialled. Then there may be other names,
  // which were as well and may be reached at this port, and the address may be reached as such.
  bool pinned = false;
  std::vector<std::string> also{};
  bool by_address = false;
};

struct FirstBytesVerdict {
  enum class Kind : uint8_t { kMore, kPass, kRefuse } kind = Kind::kMore;
  std::string reason{};     // kRefuse: a sentence
  std::string rule{};       // kRefuse: that decided, if one did
  std::string seen_name{};  // kPass: the name that the bytes say; empty: none
  bool tls = false;         // kPass: it is a TLS hello
  bool http = false;        // kRefuse: the client speaks HTTP, and can be told so
};

// Over all bytes so far. `ended`: there will be no more.
FirstBytesVerdict JudgeFirstBytes(const Policy& policy, const Destination& destination,
                                  std::string_view bytes, bool ended);

// What a client that speaks HTTP is told of a refusal: a whole response with a problem document
// (RFC 9457).
std::string DeniedResponse(const std::string& reason);

}  // namespace cay::network
