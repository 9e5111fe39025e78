// Relay: bytes as they are, both ways, until both ends have ended.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/units.h"
#include "http/exchange.h"
#include "http/transport/stream.h"
#include "http/wire/input_buffer.h"

namespace cay::http {

struct RelayRules {
  Millis stall{30'000};        // an end that takes nothing for so long is given up
  Millis half_closed{30'000};  // of silence after one of the ends has ended
  // Called all the while, at least every Exchange::kStandingInterval; an error ends the relay.
  // Null: not called.
  std::function<Result<void>()> standing = {};
};

// `upstream_input`: what has been read of the upstream already. An error says which end broke off;
// what had come before it has been handed on.
Result<void> Relay(ByteStream& client, Stream& upstream, InputBuffer& upstream_input,
                   const RelayRules& rules);

}  // namespace cay::http
