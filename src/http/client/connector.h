// Connecting to a server, for the client.
#pragma once

#include <memory>

#include "base/result.h"
#include "base/units.h"
#include "http/client/client.h"
#include "http/transport/stream.h"

namespace cay::http {

// A connected stream, past the TLS handshake (`context` is for https). kUnavailable when no server
// listens there, kTimeout when it takes longer than `timeout`.
Result<Stream> Connect(const Url& url, const TlsContext* context, Millis timeout);

}  // namespace cay::http
