#include "cli/serve_assembly.h"

#include <algorithm>

#include "api/dispatcher.h"
#include "api/server_routes.h"
#include "base/paths.h"
#include "engine/native/native_engine.h"
#include "template/template_store.h"

namespace cay::cli {
namespace {

using config::Config;

Result<void> CheckAddresses(const Config& config, api::KeyRing& keys) {
  if (keys.usable()) return {};
  for (const std::string& text : config.listen) {
    const http::ListenAddress address = TRY(http::ListenAddress::Parse(text));
    if (!address.unix_path.empty() || address.loopback()) continue;
    return Failure(
        Error(ErrorCode::kPermissionDenied, Fault::kCaller,
              text + " is not a loopback address, and there is no API key: anybody could use it")
            .WithRemedy("cay keys create --local --name ops --scope admin"));
  }
  return {};
}

class Assembly : public ServeAssembly {
 public:
  Assembly(const Config& config, Paths paths, std::unique_ptr<store::Store> store,
           std::unique_ptr<api::KeyRing> keys)
      : paths_(std::move(paths)),
        store_(std::move(store)),
        keys_(std::move(keys)),
        gate_(config.gate, *keys_),
        audit_(*store_, config.gate.audit_kept),
        dispatcher_(gate_, audit_, requests_),
        state_{.keys = *keys_,
               .audit = audit_,
               .store = *store_,
               .version = CAY_VERSION,
               .write_metrics = [this](api::MetricsText& text) { requests_.Write(text); }} {
    dispatcher_.Add(api::ServerRoutes(state_));
    Reconfigure(config);
  }

  void Handle(http::Exchange& exchange) override { dispatcher_.Handle(exchange); }
  void SetServer(const http::Server& server) override { server_ = &server; }

  std::vector<std::string> Report() override {
    std::vector<std::string> lines = {"state in " + paths_.state_dir};
    if (!keys_->needed()) {
      lines.emplace_back(
          "there are no API keys: everybody who reaches it from this machine is its administrator");
    }
    return lines;
  }

  void Reconfigure(const Config& config) override {
    gate_.Reconfigure(config.gate);
    audit_.set_kept(config.gate.audit_kept);
    dispatcher_.set_log_requests(config.log_requests);
  }
  void BeginDraining() override { state_.draining = true; }
  void FinishDraining(Millis) override {}

 private:
  Paths paths_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<api::KeyRing> keys_;
  api::Gate gate_;
  api::AuditLog audit_;
  api::RequestMetrics requests_;
  api::Dispatcher dispatcher_;
  api::ServerState state_;
  const http::Server* server_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<ServeAssembly>> ServeAssembly::Make(const Config& config) {
  Paths paths = TRY(Paths::Resolve(config.state_dir));
  auto store = TRY(store::Store::Open(paths));
  auto keys = TRY(api::KeyRing::Open(*store));
  TRY(CheckAddresses(config, *keys));
  return std::make_unique<Assembly>(config, std::move(paths), std::move(store), std::move(keys));
}

}  // namespace cay::cli
