// Proxy: hands a request on to an HTTP/1.1 server at the end of a socket, and its answer back; both
// streamed, WebSockets and other upgrades included. Hop-by-hop fields are not passed on (RFC 9110,
// 7.6.1). The upstream may be hostile: its head is bounded and parsed strictly; what does not parse
// is 502.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "http/exchange.h"
#include "http/transport/stream.h"

namespace cay::http {

struct ProxyOptions {
  std::string target;  // what the upstream sees
  std::string host;    // its Host field
  std::string prefix;  // X-Forwarded-Prefix; may be empty
  std::vector<std::string>
      drop;  // fields that the upstream must not see (Authorization, X-API-Key …)
  // Changes the fields of the upstream's answer before they are passed on; null: they stay.
  std::function<void(Headers&)> amend_answer = {};
};

// The exchange is answered when this returns, also with 502. The error says what the upstream did
// wrong.
Result<void> Proxy(Exchange& exchange, Fd upstream, const ProxyOptions& options);
// The same over a stream of http/client/connector.h, which may be TLS.
Result<void> Proxy(Exchange& exchange, Stream upstream, const ProxyOptions& options);

}  // namespace cay::http
