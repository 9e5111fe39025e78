// What an administrator decides about which requests are admitted (cay.toml: hosts, cors, rates,
// metrics).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cay::api {

struct GateOptions {
  // Names under which the server is reached beside localhost, 127.0.0.1 and [::1]:
  // "cay.example.com". With any here, requests to addresses other than loopback must name one of
  // them, too.
  std::vector<std::string> allowed_hosts = {};
  // Domains below which {port}-{id} names a port of a sandbox, beside "localhost".
  std::vector<std::string> port_domains = {};
  // Origins whose pages may use the API from a browser: "https://app.example.com"; "*" is any, and
  // only where keys are needed.
  std::vector<std::string> allowed_origins = {};
  bool metrics_public = false;             // /metrics without a key
  uint64_t requests_per_second = 0;        // of one key that has no rate of its own; 0: no bound
  uint64_t burst = 0;                      // 0: as many as in two seconds
  uint64_t auth_failures_per_minute = 30;  // of one address; then 429
  uint64_t audit_kept = 100'000;           // rows
};

}  // namespace cay::api
