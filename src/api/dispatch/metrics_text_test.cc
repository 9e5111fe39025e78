#include "api/dispatch/metrics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "api/dispatch/request_metrics.h"
#include "api/dispatch/server_metrics.h"
#include "base/text.h"
#include "sandbox/state/metrics_book.h"

namespace cay::api {
namespace {

// Reads the format as Prometheus does, and as strictly as `promtool check metrics`.
class Reader {
 public:
  void Read(const std::string& text) {
    ASSERT_TRUE(text.ends_with('\n'));
    for (const std::string_view line :
         Split(std::string_view(text).substr(0, text.size() - 1), '\n')) {
      Line(std::string(line));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  std::map<std::string, double> samples;

 private:
  void Line(const std::string& line) {
    static const std::regex help("# HELP ([a-z_:][a-z0-9_:]*) (.+)");
    static const std::regex type("# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram)");
    static const std::regex sample(
        R"re(([a-z_:][a-z0-9_:]*)(\{[a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*\})? ([0-9.e+-]+))re");
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      ASSERT_TRUE(families_.insert(match[1]).second) << "twice: " << line;
      family_ = match[1];
      type_.clear();
    } else if (std::regex_match(line, match, type)) {
      ASSERT_EQ(family_, match[1]) << line;
      type_ = match[2];
      ASSERT_EQ(type_ == "counter", family_.ends_with("_total")) << line;
    } else {
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      ASSERT_FALSE(type_.empty()) << "no type before " << line;
      const std::string name = match[1];
      const std::string suffix = name.substr(std::min(name.size(), family_.size()));
      const std::set<std::string> suffixes =
          type_ == "histogram" ? std::set<std::string>{"_bucket", "_sum", "_count"}
                               : std::set<std::string>{""};
      ASSERT_TRUE(name.starts_with(family_) && suffixes.contains(suffix)) << line;
      const std::string key = name + match[2].str();
      ASSERT_TRUE(samples.emplace(key, std::stod(match[3])).second) << "twice: " << key;
      if (suffix == "_bucket") Bucket(key, samples[key]);
    }
  }

  void Bucket(const std::string& key, double value) {
    static const std::regex le(R"re(,?le="([^"]+)")re");
    std::smatch match;
    ASSERT_TRUE(std::regex_search(key, match, le)) << key;
    const std::string series = std::regex_replace(key, le, "");
    const double bound = match[1] == "+Inf" ? HUGE_VAL : std::stod(match[1]);
    const auto [last, fresh] = buckets_.try_emplace(series, bound, value);
    if (fresh) return;
    ASSERT_GT(bound, last->second.first) << key;
    ASSERT_GE(value, last->second.second) << key;
    last->second = {bound, value};
  }

  std::string family_;
  std::string type_;
  std::set<std::string> families_;
  std::map<std::string, std::pair<double, double>> buckets_;
};

TEST(BucketOf, PutsEachDurationBelowItsBound) {
  EXPECT_EQ(BucketOf(0), 0U);
  EXPECT_EQ(BucketOf(64), 0U);
  EXPECT_EQ(BucketOf(65), 1U);
  EXPECT_EQ(BucketOf(128), 1U);
  EXPECT_EQ(BucketOf(UINT64_MAX), sandbox::Histogram::kBuckets - 1);
}

TEST(MetricsText, EscapesWhatLabelsMayHold) {
  MetricsText text;
  text.Family("a_metric", "gauge", "Help.").Sample({{"name", "a\"b\\c\nd"}}, uint64_t{1});
  EXPECT_THAT(text.text(), testing::HasSubstr("a_metric{name=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(MetricsText, WritesCumulativeBuckets) {
  sandbox::Histogram histogram;
  histogram.counts[BucketOf(10)] = 2;
  histogram.counts[BucketOf(1'000'000'000)] = 1;
  histogram.sum_us = 3'500'000;
  MetricsText text;
  text.Family("x_seconds", "histogram", "Help.").Histogram({{"a", "b"}}, histogram);
  Reader reader;
  reader.Read(text.text());
  EXPECT_EQ(reader.samples.at("x_seconds_bucket{a=\"b\",le=\"6.4e-05\"}"), 2);
  EXPECT_EQ(reader.samples.at("x_seconds_bucket{a=\"b\",le=\"+Inf\"}"), 3);
  EXPECT_EQ(reader.samples.at("x_seconds_count{a=\"b\"}"), 3);
  EXPECT_EQ(reader.samples.at("x_seconds_sum{a=\"b\"}"), 3.5);
}

TEST(Metrics, OfAllPartsTogetherAreValid) {
  sandbox::ManagerMetrics manager;
  manager.by_state[1] = 7;
  manager.stages.push_back({"clone", {}});
  sandbox::Observe(manager.stages[0].us, 200);
  manager.pools = {{.template_name = "host", .limits = {}, .last_error = {}},
                   {.template_name = "host", .limits = {}, .last_error = {}}};
  RequestMetrics requests;
  const size_t operation = requests.AddOperation("createSandbox");
  requests.Count(operation, 201, 1500, 100);
  requests.Count(operation, 0, 10, 0);
  http::ServerCounters counters;
  MetricsText text;
  WriteSandboxMetrics(text, manager);
  WriteProcessMetrics(text, {});
  WriteConnectionMetrics(text, counters);
  WriteSelfMetrics(text, "1.2.3");
  requests.Write(text);
  Reader reader;
  reader.Read(text.text());
  EXPECT_EQ(reader.samples.at("cay_sandboxes{state=\"running\"}"), 7);
  EXPECT_EQ(reader.samples.at("cay_create_stage_seconds_count{stage=\"clone\"}"), 1);
  EXPECT_EQ(
      reader.samples.at("cay_http_requests_total{operation=\"createSandbox\",status=\"2xx\"}"), 1);
  EXPECT_EQ(reader.samples.at("cay_build_info{version=\"1.2.3\"}"), 1);
  EXPECT_GT(reader.samples.at("cay_process_resident_bytes"), 0);
}

TEST(Metrics, OfNetworksAreThere) {
  sandbox::ManagerMetrics manager;
  manager.network = {};
  manager.network.networks = 3;
  manager.network.open = 4;
  manager.network.connections = 50;
  manager.network.denied = 6;
  manager.network.failed = 7;
  manager.network.sent = 800;
  manager.network.received = 900;
  manager.network.relay_restarts = 1;
  manager.network.cache = {.hits = 11, .misses = 12, .bytes = 13};
  MetricsText text;
  WriteSandboxMetrics(text, manager);
  for (const char* line :
       {"cay_networks 3\n", "cay_network_connections_open 4\n",
        "cay_network_connections_total 50\n", "cay_network_denied_total 6\n",
        "cay_network_failed_total 7\n", "cay_network_bytes_total{direction=\"sent\"} 800\n",
        "cay_network_bytes_total{direction=\"received\"} 900\n",
        "cay_network_relay_restarts_total 1\n", "cay_network_cache_hits_total 11\n",
        "cay_network_cache_misses_total 12\n", "cay_network_cache_bytes 13\n"}) {
    EXPECT_THAT(text.text(), testing::HasSubstr(line));
  }
}

}  // namespace
}  // namespace cay::api
