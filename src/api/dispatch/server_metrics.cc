#include "api/dispatch/server_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "base/os/file.h"
#include "base/text.h"

namespace cay::api {
namespace {

using sandbox::ManagerMetrics;
using sandbox::PoolStatus;
using sandbox::SandboxState;

struct Count {
  std::string_view name;
  std::string_view help;
  uint64_t value;
};

void WriteCounters(MetricsText& text, std::initializer_list<Count> counts) {
  for (const Count& count : counts) {
    text.Family(count.name, "counter", count.help).Sample({}, count.value);
  }
}

void WriteGauges(MetricsText& text, std::initializer_list<Count> counts) {
  for (const Count& count : counts) {
    text.Family(count.name, "gauge", count.help).Sample({}, count.value);
  }
}

// A family over all pools.
void WritePools(MetricsText& text, const std::vector<PoolStatus>& pools, std::string_view name,
                std::string_view type, std::string_view help,
                uint64_t (*value)(const PoolStatus&)) {
  if (pools.empty()) return;
  text.Family(name, type, help);
  // Two pools of one template differ in their limits; their place in the configuration tells them
  // apart.
  for (size_t i = 0; i < pools.size(); ++i) {
    text.Sample({{"template", pools[i].template_name}, {"pool", std::to_string(i)}},
                value(pools[i]));
  }
}

void WritePoolMetrics(MetricsText& text, const std::vector<PoolStatus>& pools) {
  WritePools(text, pools, "cay_pool_ready", "gauge", "Sandboxes that wait in the pool.",
             [](const PoolStatus& p) -> uint64_t { return p.ready; });
  WritePools(text, pools, "cay_pool_making", "gauge", "Sandboxes that the pool is making.",
             [](const PoolStatus& p) -> uint64_t { return p.making; });
  WritePools(text, pools, "cay_pool_minimum", "gauge", "Sandboxes that the pool keeps ready.",
             [](const PoolStatus& p) -> uint64_t { return p.minimum; });
  WritePools(text, pools, "cay_pool_maximum", "gauge", "Sandboxes that the pool has at most.",
             [](const PoolStatus& p) -> uint64_t { return p.maximum; });
  WritePools(text, pools, "cay_pool_claimed_total", "counter", "Creates that the pool served.",
             [](const PoolStatus& p) { return p.claimed; });
  WritePools(text, pools, "cay_pool_missed_total", "counter", "Creates that found the pool empty.",
             [](const PoolStatus& p) { return p.missed; });
  WritePools(text, pools, "cay_pool_discarded_total", "counter",
             "Sandboxes of the pool that were removed unused.",
             [](const PoolStatus& p) { return p.discarded; });
}

// The second field of /proc/self/statm, in pages (proc(5)).
uint64_t ResidentBytes() {
  const auto statm = ReadFile("/proc/self/statm");
  if (!statm) return 0;
  const auto fields = Split(*statm, ' ');
  const auto pages = fields.size() > 1 ? ParseUnsigned(fields[1]) : Result<uint64_t>(0);
  return pages ? *pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

uint64_t CountEntries(const char* directory) {
  std::error_code error;
  uint64_t count = 0;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

namespace {

void WriteNetworkMetrics(MetricsText& text, const sandbox::NetworkMetrics& metrics) {
  WriteGauges(text, {{"cay_networks", "Sandboxes whose network is open.", metrics.networks},
                     {"cay_network_connections_open", "Connections of sandboxes that are open.",
                      metrics.open}});
  WriteCounters(
      text, {{"cay_network_connections_total",
              "Connections that sandboxes made, whatever came of them.", metrics.connections},
             {"cay_network_denied_total",
              "Connections and names that the policies of sandboxes denied.", metrics.denied},
             {"cay_network_failed_total", "Connections that were allowed and did not come about.",
              metrics.failed},
             {"cay_network_relay_restarts_total",
              "How often the network relay ended and was started anew.", metrics.relay_restarts}});
  text.Family("cay_network_bytes_total", "counter",
              "Bytes of connections of sandboxes, by direction.");
  text.Sample({{"direction", "sent"}}, metrics.sent);
  text.Sample({{"direction", "received"}}, metrics.received);
  const network::CacheCounts& cache = metrics.cache;
  WriteGauges(
      text,
      {{"cay_network_cache_bytes", "What the package cache has on disk, at most.", cache.bytes},
       {"cay_network_cache_answers", "Answers in the package cache, at most.", cache.entries}});
  WriteCounters(
      text,
      {{"cay_network_cache_hits_total", "Requests that the package cache answered.", cache.hits},
       {"cay_network_cache_hit_bytes_total", "Bytes that it gave.", cache.hit_bytes},
       {"cay_network_cache_renewed_total", "Of the hits: after the server was asked.",
        cache.renewed},
       {"cay_network_cache_misses_total", "Requests of which it had nothing good.", cache.misses},
       {"cay_network_cache_stored_total", "Answers that it kept.", cache.stored},
       {"cay_network_cache_evicted_total", "Files that it removed to make room.", cache.evicted},
       {"cay_network_cache_damaged_total", "Files that were not as it had written them.",
        cache.damaged},
       {"cay_network_cache_failed_total", "Answers that it could not keep.", cache.failed}});
}

}  // namespace

void WriteSandboxMetrics(MetricsText& text, const ManagerMetrics& metrics) {
  text.Family("cay_sandboxes", "gauge", "Sandboxes by state.");
  for (size_t i = 0; i < metrics.by_state.size(); ++i) {
    text.Sample({{"state", sandbox::SandboxStateName(static_cast<SandboxState>(i))}},
                metrics.by_state[i]);
  }
  WriteCounters(
      text, {{"cay_sandboxes_created_total", "Sandboxes created.", metrics.created},
             {"cay_sandboxes_destroyed_total", "Sandboxes destroyed.", metrics.destroyed},
             {"cay_sandboxes_failed_total", "Sandboxes that failed.", metrics.failed},
             {"cay_sandboxes_refused_total", "Creates refused for want of room.", metrics.refused},
             {"cay_sandboxes_adopted_total", "Sandboxes taken over at start.", metrics.adopted},
             {"cay_sandboxes_lost_total", "Sandboxes that were gone at start.", metrics.lost}});
  text.Family("cay_sandbox_create_seconds", "histogram", "How long creates took in the server.");
  text.Histogram({{"from", "cold"}}, metrics.create_cold);
  text.Histogram({{"from", "pool"}}, metrics.create_pooled);
  text.Family("cay_sandbox_destroy_seconds", "histogram", "How long destroys took in the server.");
  text.Histogram({}, metrics.destroy);
  text.Family("cay_create_stage_seconds", "histogram",
              "How long each stage of a create took in the engine.");
  for (const sandbox::StageHistogram& stage : metrics.stages)
    text.Histogram({{"stage", stage.name}}, stage.us);
  WritePoolMetrics(text, metrics.pools);
  WriteNetworkMetrics(text, metrics.network);
}

void WriteProcessMetrics(MetricsText& text, const sandbox::ProcessMetrics& metrics) {
  WriteGauges(text, {{"cay_processes_running", "Processes that run.", metrics.running}});
  WriteCounters(text, {{"cay_processes_started_total", "Processes started.", metrics.started},
                       {"cay_processes_ended_total", "Processes that ended.", metrics.ended},
                       {"cay_processes_timed_out_total", "Processes ended by their timeout.",
                        metrics.timed_out},
                       {"cay_processes_lost_total", "Processes that were lost.", metrics.lost}});
  text.Family("cay_process_start_seconds", "histogram", "How long starts of processes took.");
  text.Histogram({}, metrics.start);
  text.Family("cay_execute_seconds", "histogram", "How long executions took.");
  text.Histogram({}, metrics.execute);
}

void WritePullMetrics(MetricsText& text, const sandbox::PullMetrics& metrics) {
  WriteGauges(text,
              {{"cay_template_pulls_running", "Pulls of images under way.", metrics.running},
               {"cay_template_pulls_waiting", "Pulls that wait for their turn.", metrics.waiting}});
  text.Family("cay_template_pulls_total", "counter", "Pulls that have ended, by how.");
  text.Sample({{"result", "done"}}, metrics.done);
  text.Sample({{"result", "failed"}}, metrics.failed);
  text.Sample({{"result", "cancelled"}}, metrics.cancelled);
  text.Sample({{"result", "interrupted"}}, metrics.interrupted);
  WriteCounters(text, {{"cay_template_pulls_joined_total",
                        "Requests and creates that found their image on its way.", metrics.joined},
                       {"cay_template_pull_bytes_total", "Bytes of layers that were fetched.",
                        metrics.fetched}});
}

void WritePushMetrics(MetricsText& text, const sandbox::PushMetrics& metrics) {
  WriteGauges(
      text, {{"cay_template_pushes_running", "Pushes of templates under way.", metrics.running},
             {"cay_template_pushes_waiting", "Pushes that wait for their turn.", metrics.waiting}});
  text.Family("cay_template_pushes_total", "counter", "Pushes that have ended, by how.");
  text.Sample({{"result", "done"}}, metrics.done);
  text.Sample({{"result", "failed"}}, metrics.failed);
  text.Sample({{"result", "cancelled"}}, metrics.cancelled);
  text.Sample({{"result", "interrupted"}}, metrics.interrupted);
  WriteCounters(
      text, {{"cay_template_push_bytes_total", "Bytes of layers that were sent.", metrics.sent}});
}

void WriteBuildMetrics(MetricsText& text, const sandbox::BuildMetrics& metrics) {
  WriteGauges(
      text, {{"cay_template_builds_running", "Builds of templates under way.", metrics.running},
             {"cay_template_builds_waiting", "Builds that wait for their turn.", metrics.waiting}});
  text.Family("cay_template_builds_total", "counter", "Builds that have ended, by how.");
  text.Sample({{"result", "done"}}, metrics.done);
  text.Sample({{"result", "failed"}}, metrics.failed);
  text.Sample({{"result", "cancelled"}}, metrics.cancelled);
  text.Sample({{"result", "interrupted"}}, metrics.interrupted);
  WriteCounters(
      text, {{"cay_template_build_steps_total", "Steps of builds that make layers.", metrics.steps},
             {"cay_template_build_cached_steps_total",
              "Of these, those that an earlier build had done.", metrics.cached}});
}

void WriteStoreMetrics(MetricsText& text, const store::Store& store) {
  const store::Store::Metrics metrics = store.GetMetrics();
  WriteGauges(text, {{"cay_store_healthy", "1 when the database can be written.",
                      store.Healthy() ? uint64_t{1} : uint64_t{0}},
                     {"cay_store_waiting", "Writes that wait to be committed.", metrics.waiting}});
  WriteCounters(
      text,
      {{"cay_store_writes_total", "Transactions that a request waited for.", metrics.writes},
       {"cay_store_written_behind_total", "Writes that no request waited for.", metrics.later},
       {"cay_store_failures_total", "Writes that the machine refused.", metrics.failures},
       {"cay_store_dropped_total", "Writes that were lost, and that no request waited for.",
        metrics.dropped}});
}

void WriteConnectionMetrics(MetricsText& text, const http::ServerCounters& counters) {
  WriteGauges(text,
              {{"cay_http_connections", "Open connections.", counters.connections_open.load()},
               {"cay_http_requests_active", "Requests under way.", counters.requests_active.load()},
               {"cay_http_threads", "Threads that serve.", counters.threads.load()}});
  WriteCounters(
      text, {{"cay_http_connections_total", "Connections accepted.",
              counters.connections_accepted.load()},
             {"cay_http_connections_refused_total", "Connections refused for a maximum.",
              counters.connections_refused.load()},
             {"cay_http_bad_requests_total", "Requests refused before an operation saw them.",
              counters.bad_requests.load()},
             {"cay_http_timeouts_total", "Clients that were too slow.", counters.timeouts.load()}});
}

void WriteSelfMetrics(MetricsText& text, std::string_view version) {
  text.Family("cay_build_info", "gauge", "Always 1; the label tells the version.");
  text.Sample({{"version", version}}, uint64_t{1});
  WriteGauges(
      text,
      {{"cay_process_resident_bytes", "Memory of the server itself.", ResidentBytes()},
       {"cay_process_open_fds", "Open descriptors of the server itself.",
        CountEntries("/proc/self/fd")},
       {"cay_process_threads", "Threads of the server itself.", CountEntries("/proc/self/task")}});
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    text.Family("cay_process_cpu_seconds_total", "counter", "Processor time of the server itself.");
    text.Sample({}, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
}

}  // namespace cay::api
