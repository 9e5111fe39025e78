// For tests: a registry on a free port that answers as a test says, remembers what it was asked,
// and may be as hostile as a test wants; and an image for it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/server/test_server.h"
#include "template/oci/image_reference.h"
#include "template/registry/registry_client.h"

namespace cay::templates::registry {

class TestRegistry {
 public:
  using Handler = std::function<void(http::Exchange&)>;
  struct Seen {
    std::string method;
    std::string target;
    std::string host;
    std::string authorization;
    std::string range;
    std::string body;
  };

  explicit TestRegistry(http::TlsOptions tls = {})
      : server_(http::StartServer([this](http::Exchange& exchange) { Serve(exchange); }, {},
                                  std::move(tls))) {}

  uint16_t port() const { return server_->addresses().front().port; }
  std::string port_text() const { return std::to_string(port()); }
  // As references name it.
  std::string Name(const std::string& host = "127.0.0.1") const { return host + ":" + port_text(); }

  // What is answered at a path (of any method), instead of 404. "/v2/" is 200 unless it is said.
  void On(const std::string& path, Handler handler) {
    const std::lock_guard lock(mutex_);
    handlers_[path] = std::move(handler);
  }
  void Give(const std::string& path, http::Response response) {
    On(path,
       [response](http::Exchange& exchange) { static_cast<void>(exchange.Respond(response)); });
  }
  // Every request gets through `gate` first: false, and it has been answered.
  void Guard(std::function<bool(http::Exchange&)> gate) {
    const std::lock_guard lock(mutex_);
    gate_ = std::move(gate);
  }

  std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  size_t Count(std::string_view path) const {
    size_t count = 0;
    for (const Seen& one : seen()) count += one.target.starts_with(path) ? 1 : 0;
    return count;
  }

 private:
  static std::string Field(const http::Exchange& exchange, std::string_view name) {
    return std::string(exchange.request().headers.Find(name).value_or(""));
  }
  void Serve(http::Exchange& exchange) {
    const http::Request& request = exchange.request();
    Seen seen{.method = request.method,
              .target = request.target,
              .host = Field(exchange, "Host"),
              .authorization = Field(exchange, "Authorization"),
              .range = Field(exchange, "Range"),
              .body = request.method == "POST" ? exchange.ReadWholeBody(kMiB).value_or("") : ""};
    Handler handler;
    std::function<bool(http::Exchange&)> gate;
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(std::move(seen));
      const auto found = handlers_.find(request.path);
      if (found != handlers_.end()) handler = found->second;
      gate = gate_;
    }
    if (gate && !gate(exchange)) return;
    if (handler) return handler(exchange);
    static_cast<void>(exchange.Respond({.status = request.path == "/v2/" ? 200 : 404}));
  }

  mutable std::mutex mutex_;
  std::map<std::string, Handler> handlers_;
  std::function<bool(http::Exchange&)> gate_;
  std::vector<Seen> seen_;
  std::unique_ptr<http::Server> server_;  // the last, so that it ends first
};

inline oci::Descriptor DescriptorOf(const std::string& bytes,
                                    std::string_view media_type = oci::kOciLayerTar) {
  return {.media_type = std::string(media_type),
          .digest = *oci::Digest::Of(bytes),
          .size = bytes.size()};
}

// An image of one layer, "library/a:1" of a registry.
struct TestImage {
  std::string layer = std::string(3'000'000, 'x') + "end";
  std::string config;
  std::string manifest;

  TestImage() {
    const std::string diff_id = DescriptorOf(layer).digest.text();
    config = R"({"architecture":")" + oci::Platform::Native().architecture +
             R"(","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[")" + diff_id +
             R"("]}})";
    manifest = R"({"schemaVersion":2,"mediaType":")" + std::string(oci::kOciManifest) +
               R"(","config":)" + Json(DescriptorOf(config, oci::kOciConfig)) + R"(,"layers":[)" +
               Json(DescriptorOf(layer)) + "]}";
  }
  static std::string Json(const oci::Descriptor& one) {
    return R"({"mediaType":")" + one.media_type + R"(","digest":")" + one.digest.text() +
           R"(","size":)" + std::to_string(one.size) + "}";
  }
  static std::string BlobPath(const std::string& bytes) {
    return "/v2/library/a/blobs/" + DescriptorOf(bytes).digest.text();
  }
  static constexpr const char* kManifestPath = "/v2/library/a/manifests/1";

  void ServeAt(TestRegistry& registry) const {
    registry.Give(kManifestPath, {.headers = {{"Content-Type", std::string(oci::kOciManifest)}},
                                  .body = manifest});
    registry.Give(BlobPath(config), {.body = config});
    registry.Give(BlobPath(layer), {.body = layer});
  }
};

inline oci::ImageReference ReferenceAt(const std::string& registry,
                                       const std::string& rest = "/library/a:1") {
  auto reference = oci::ImageReference::Parse(registry + rest);
  EXPECT_TRUE(reference) << reference.error().ToString();
  return *std::move(reference);
}

// Loopback is named; times are short.
inline RegistrySettings TestSettings() {
  RegistrySettings settings;
  settings.private_registries = {"127.0.0.0/8"};
  settings.retry_delay = Millis(5);
  settings.attempts = 3;
  return settings;
}

// Every name that ends with ".test" is this machine.
inline Result<std::vector<network::Address>> TestLookup(const std::string& host) {
  if (host.ends_with(".test")) return std::vector{*network::Address::Parse("127.0.0.1")};
  return LookUpHost(host);
}

inline std::unique_ptr<RegistryClient> OpenClient(RegistrySettings settings = TestSettings(),
                                                  CredentialStore store = {}) {
  auto client = RegistryClient::Open(std::move(settings), std::move(store), TestLookup);
  EXPECT_TRUE(client) << client.error().ToString();
  return *std::move(client);
}

}  // namespace cay::templates::registry
