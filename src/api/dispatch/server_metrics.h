// What /metrics shows of the server's parts, beside its requests (request_metrics.h). Names begin
// with cay_.
#pragma once

#include <string_view>

#include "api/dispatch/metrics_text.h"
#include "http/server/server.h"
#include "sandbox/builds/build_types.h"
#include "sandbox/processes/process_keeper.h"
#include "sandbox/templates/pull_types.h"
#include "sandbox/templates/push_types.h"
#include "store/store.h"

namespace cay::api {

void WriteSandboxMetrics(MetricsText& text, const sandbox::ManagerMetrics& metrics);
void WriteProcessMetrics(MetricsText& text, const sandbox::ProcessMetrics& metrics);
void WritePullMetrics(MetricsText& text, const sandbox::PullMetrics& metrics);
void WritePushMetrics(MetricsText& text, const sandbox::PushMetrics& metrics);
void WriteBuildMetrics(MetricsText& text, const sandbox::BuildMetrics& metrics);
void WriteStoreMetrics(MetricsText& text, const store::Store& store);
void WriteConnectionMetrics(MetricsText& text, const http::ServerCounters& counters);
// Of this process: memory, descriptors, threads, processor time, start; and which build it is.
void WriteSelfMetrics(MetricsText& text, std::string_view version);

}  // namespace cay::api
