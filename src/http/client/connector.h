// Connecting to a server, for the client.
#pragma once

#include <memory>

#include "base/result.h"
#include "base/units.h"
#include "http/client/client.h"
#include "http/transport/stream.h"

namespace cay::http {

// A connected stream, past the TLS handshake (`context` is for https). kUnavailable when no server
// listens there, kTimeout when it takes longer than `timeout`. `stop_fd`: as Pace has it.
Result<Stream> Connect(const Url& url, const TlsContext* context, Millis timeout, int stop_fd = -1);

}  // namespace cay::http
