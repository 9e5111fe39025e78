// The parts of the case `http`, each over a server that runs.
#pragma once

#include "cases.h"
#include "http_server.h"

namespace cay::bench {

Result<void> MeasureHttpLatency(Context& context, HttpServer& server);  // http_case.cc
Result<void> MeasureHttpLoad(Context& context, HttpServer& server);     // many at once
Result<void> MeasureHttpBytes(Context& context, HttpServer& server);    // output and files
Result<void> MeasureHttpIdle(Context& context);  // 500 sandboxes: memory, and a restart

}  // namespace cay::bench
