#include "cli/serve/serve_assembly.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "api/dispatch/dispatcher.h"
#include "api/dispatch/server_metrics.h"
#include "api/dispatch/server_routes.h"
#include "api/legacy/legacy_routes.h"
#include "api/rest/routes.h"
#include "api/webhooks/webhook_routes.h"
#include "base/clock.h"
#include "base/os/log.h"
#include "base/os/paths.h"
#include "cli/local/doctor_report.h"
#include "engine/factory/factory.h"
#include "sandbox/builds/build_keeper.h"
#include "sandbox/startup/startup_keeper.h"
#include "sandbox/templates/push_keeper.h"
#include "sandbox/templates/space_keeper.h"
#include "template/store/template_store.h"

namespace cay::cli {
namespace {

using config::Config;

// For the launcher, of a server that is to end: one that hangs must not keep it.
constexpr Millis kEndPatience{10'000};

// How many of what was lost is named; the events have all of it.
constexpr size_t kMostNamed = 10;

Result<void> CheckAddresses(const Config& config, api::KeyRing& keys) {
  if (keys.usable()) return {};
  for (const std::string& text : config.listen) {
    const http::ListenAddress address = TRY(http::ListenAddress::Parse(text));
    if (!address.unix_path.empty() || address.loopback()) continue;
    return Failure(
        Error(ErrorCode::kPermissionDenied, Fault::kCaller,
              text + " is not a loopback address, and there is no API key: anybody could use it")
            .WithRemedy("cay keys create --local --scope admin ops"));
  }
  return {};
}

// Without keys everybody on this machine is an administrator. Where others' sandboxes are there,
// the keys were lost with the database: nobody meant to open them to all.
Result<void> CheckKeysAreNotLost(api::KeyRing& keys, sandbox::Manager& manager) {
  if (keys.needed()) return {};
  for (const sandbox::Orphan& orphan : TRY(manager.Orphans())) {
    if (orphan.owner.empty() || orphan.owner == sandbox::kOwnerWithoutKey) continue;
    return Failure(
        Error(ErrorCode::kPermissionDenied, Fault::kCaller,
              "the database has no API key, but sandbox " + orphan.id.text() +
                  " belongs to the owner of one: the database was lost, or is an older copy")
            .WithRemedy("put the right cay.db back, or make a key: "
                        "cay keys create --local --scope admin ops"));
  }
  return {};
}

// What everything stands on, in the order in which it is made; ends in the reverse.
struct Parts {
  Paths paths;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<api::KeyRing> keys;
  std::optional<engine::Diagnosis> diagnosis;  // nothing: the machine did not answer in time
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<templates::TemplateStore> templates;
  std::unique_ptr<sandbox::EventLog> events;
  std::unique_ptr<sandbox::PullKeeper> pulls;
  std::unique_ptr<sandbox::SpaceKeeper> space;
  std::unique_ptr<sandbox::PushKeeper> pushes;
  std::unique_ptr<sandbox::Manager> manager;
  std::unique_ptr<sandbox::BuildKeeper> builds;
  engine::GarbageReport collected;
  std::unique_ptr<sandbox::ProcessKeeper> processes;
  std::unique_ptr<sandbox::StartupKeeper> startups;
  std::unique_ptr<sandbox::ProjectFiles> projects;
  std::unique_ptr<api::Webhooks> webhooks;
};

sandbox::ManagerOptions ManagerOptionsOf(const Config& config, const Paths& paths,
                                         std::vector<std::string> api) {
  sandbox::ManagerOptions options = config.manager;
  options.paths = paths;
  options.network.bounds.server = std::move(api);
  return options;
}

// "127.0.0.1:8888" of each that is over TCP. Without a port it is one that is not known yet.
std::vector<std::string> ApiOf(const std::vector<http::ListenAddress>& addresses) {
  std::vector<std::string> api;
  for (const http::ListenAddress& address : addresses) {
    const auto at = network::Address::Parse(address.host);
    if (!address.unix_path.empty() || !at || address.port == 0) continue;
    const network::Address host = at->Unmapped();
    const bool is_v6 = host.family() == network::Family::kV6;
    api.push_back((is_v6 ? "[" + host.Text() + "]" : host.Text()) + ":" +
                  std::to_string(address.port));
  }
  return api;
}

// What is configured, before it is listened on: no sandbox that is taken over reaches it.
std::vector<std::string> ConfiguredApi(const Config& config) {
  std::vector<http::ListenAddress> addresses;
  for (const std::string& text : config.listen) {
    if (auto address = http::ListenAddress::Parse(text)) addresses.push_back(*std::move(address));
  }
  return ApiOf(addresses);
}

// What a crash of the machine or of a launcher left, as `cay gc` does it; after the reconciliation,
// which takes over or destroys what is the server's. What cannot be removed is no reason not to
// start.
engine::GarbageReport CollectLeftBehind(engine::Engine& engine) {
  auto report = engine.CollectGarbage({});
  if (!report) {
    LogWarning("cannot look for what a crash left behind: " + report.error().ToString());
    return {};
  }
  for (const std::string& failure : report->failures) LogWarning("left behind: " + failure);
  for (const std::string& kept : report->kept) LogWarning("kept: " + kept);
  return std::move(*report);
}

// More than there are processors make no more sandboxes, and keep commands from a processor longer.
size_t LaunchersOf(const Config& config) {
  constexpr size_t kLeastByItself = 2;  // each waits for the kernel or the disk, too
  constexpr size_t kMostByItself = 8;
  if (config.launchers != 0) return config.launchers;
  return std::clamp<size_t>(std::thread::hardware_concurrency(), kLeastByItself, kMostByItself);
}

Result<Parts> MakeParts(const Config& config) {
  Parts parts;
  parts.paths = TRY(Paths::Resolve(config.state_dir));
  // What the machine offers is for people to know; the engine finds out for itself. While there is
  // one thread: see Survey.
  const auto survey = TRY(engine::MakeSurvey(engine::kUsualEngine, parts.paths));
  if (auto diagnosis = survey->Diagnose()) {
    parts.diagnosis = std::move(*diagnosis);
  } else {
    LogWarning("cannot find out what this machine enforces: " + diagnosis.error().ToString());
  }
  // Before all that writes: it holds the lock on the state directory.
  parts.store = TRY(store::Store::Open(parts.paths));
  parts.keys = TRY(api::KeyRing::Open(*parts.store));
  TRY(CheckAddresses(config, *parts.keys));
  engine::EngineOptions engine_options;
  engine_options.paths = parts.paths;
  engine_options.sole = true;  // the store's lock says so
  engine_options.patience = config.launcher_timeout;
  engine_options.at_a_time = LaunchersOf(config);
  engine_options.diagnosis = parts.diagnosis;
  parts.engine = TRY(engine::Make(engine::kUsualEngine, engine_options));
  parts.templates = std::make_unique<templates::TemplateStore>(TRY(templates::TemplateStore::Open(
      parts.paths, [engine = parts.engine.get()] { return engine->List(); })));
  if (!config.environments.empty()) {
    const auto all = TRY(templates::ReadEnvironments(config.environments));
    parts.templates->Use(std::make_shared<const templates::Environments>(all));
  }
  parts.events = TRY(sandbox::EventLog::Open(*parts.store));
  parts.pulls =
      TRY(sandbox::PullKeeper::Open(config.pulls, *parts.templates, *parts.store, *parts.events));
  parts.pushes =
      TRY(sandbox::PushKeeper::Open(config.pulls, *parts.templates, *parts.store, *parts.events));
  parts.manager =
      TRY(sandbox::Manager::Open(ManagerOptionsOf(config, parts.paths, ConfiguredApi(config)),
                                 *parts.engine, *parts.templates, *parts.store, *parts.events));
  parts.manager->UsePulls(parts.pulls.get());
  parts.builds = TRY(sandbox::BuildKeeper::Open(config.builds, {.engine = *parts.engine,
                                                                .templates = *parts.templates,
                                                                .manager = *parts.manager,
                                                                .pulls = *parts.pulls,
                                                                .store = *parts.store,
                                                                .events = *parts.events}));
  parts.manager->UsePackages(parts.builds.get());
  TRY(CheckKeysAreNotLost(*parts.keys, *parts.manager));
  parts.collected = CollectLeftBehind(*parts.engine);
  // The sandboxes are known by now.
  parts.space = TRY(sandbox::SpaceKeeper::Open(config.space, *parts.templates));
  parts.processes = TRY(
      sandbox::ProcessKeeper::Open(config.processes, *parts.manager, *parts.store, *parts.events));
  TRY(parts.processes->SetRules(config.commands));
  parts.startups = TRY(sandbox::StartupKeeper::Open(*parts.manager, *parts.processes));
  parts.projects =
      TRY(sandbox::ProjectFiles::Open(parts.paths, config.projects, *parts.store, *parts.events));
  parts.webhooks = TRY(api::Webhooks::Open(config.webhooks, *parts.store, *parts.events));
  return parts;
}

api::ServerFacts FactsOf(const Config& config, const Parts& parts) {
  return {.version = CAY_VERSION,
          .state_dir = parts.paths.state_dir,
          .started_unix_ms = UnixMs(),
          .engine = parts.engine->Describe().name,
          .enforced_json = parts.diagnosis ? RenderDoctorJson(*parts.diagnosis) : std::string(),
          .processes = config.processes};
}

class Assembly : public ServeAssembly {
 public:
  Assembly(const Config& config, Parts parts)
      : parts_(std::move(parts)),
        launcher_timeout_(config.launcher_timeout),
        gate_(config.gate, *parts_.keys),
        audit_(*parts_.store, config.gate.audit_kept),
        dispatcher_(gate_, audit_, requests_),
        state_{.keys = *parts_.keys,
               .audit = audit_,
               .store = *parts_.store,
               .version = CAY_VERSION,
               .check_room = [this] { return parts_.manager->CheckRoom(); },
               .write_metrics = [this](api::MetricsText& text) { WriteMetrics(text); }} {
    dispatcher_.Add(api::ServerRoutes(state_));
    dispatcher_.Add(api::WebhookRoutes(*parts_.webhooks));
    const api::Services services{.manager = *parts_.manager,
                                 .processes = *parts_.processes,
                                 .projects = *parts_.projects,
                                 .events = *parts_.events,
                                 .templates = *parts_.templates,
                                 .pulls = *parts_.pulls,
                                 .builds = *parts_.builds,
                                 .pushes = *parts_.pushes,
                                 .facts = FactsOf(config, parts_),
                                 .answers = api::MakeAnswerShares(config.output_held)};
    std::vector<api::Route> routes = api::rest::RestRoutes(services);
    for (const api::Route& route : routes) {
      if (route.name == "proxyPortPath") dispatcher_.SetPortRoute(route);
    }
    dispatcher_.Add(std::move(routes));
    dispatcher_.Add(api::rest::LegacyRoutes(services));
    dispatcher_.set_log_requests(config.log_requests);
  }

  http::Intake Screen(http::Request& request) override { return dispatcher_.Screen(request); }
  void Handle(http::Exchange& exchange) override { dispatcher_.Handle(exchange); }
  void SetServer(const http::Server* server) override {
    server_ = server;
    if (server == nullptr) return;
    api_ = ApiOf(server->addresses());
    sandbox::ManagerOptions options = *parts_.manager->options();
    if (options.network.bounds.server == api_) return;
    options.network.bounds.server = api_;
    parts_.manager->Reconfigure(options);
  }

  std::vector<std::string> Report() override {
    std::vector<std::string> lines = {"state in " + parts_.paths.state_dir};
    const sandbox::ReconcileReport& found = parts_.manager->reconciled();
    if (found.adopted + found.lost.size() + found.removed > 0) {
      lines.push_back("took over " + std::to_string(found.adopted) + " sandboxes; lost " +
                      std::to_string(found.lost.size()) + "; removed " +
                      std::to_string(found.removed) + " that belonged to nobody");
    }
    if (found.orphaned > 0) {
      lines.push_back(std::to_string(found.orphaned) +
                      " sandboxes are not known to the database, and are kept as orphaned: see "
                      "cay adopt");
    }
    const engine::GarbageReport& left = parts_.collected;
    if (!left.nothing()) {
      std::string line =
          "removed what a crash left behind: sandboxes " + std::to_string(left.sandboxes.size());
      for (const engine::GarbageKind& other : left.others)
        line += ", " + other.what + " " + std::to_string(other.count());
      lines.push_back(std::move(line));
    }
    for (size_t i = 0; i < std::min(kMostNamed, found.lost.size()); ++i) {
      lines.push_back("lost " + found.lost[i].first + ": " + found.lost[i].second);
    }
    const auto diagnosis = parts_.engine->Diagnose();
    if (diagnosis && !diagnosis->fully_enforced) {
      lines.emplace_back("this machine, or this user, cannot enforce everything: see cay doctor");
    }
    if (!parts_.keys->needed()) {
      lines.emplace_back(
          "there are no API keys: everybody who reaches the server from this machine is its "
          "administrator");
    }
    return lines;
  }

  void Reconfigure(const Config& config) override {
    gate_.Reconfigure(config.gate);
    audit_.set_kept(config.gate.audit_kept);
    dispatcher_.set_log_requests(config.log_requests);
    parts_.webhooks->Reconfigure(config.webhooks);
    parts_.pulls->Reconfigure(config.pulls);
    parts_.pushes->Reconfigure(config.pulls);
    parts_.builds->Reconfigure(config.builds);
    parts_.space->Reconfigure(config.space);
    parts_.manager->Reconfigure(ManagerOptionsOf(config, parts_.paths, api_));
    // Patterns that are none are not in a configuration that was loaded.
    (void)parts_.processes->SetRules(config.commands);
  }

  void BeginDraining() override {
    state_.draining = true;
    parts_.engine->SetPatience(std::min(kEndPatience, launcher_timeout_));
    parts_.builds->Stop();
    parts_.pulls->Stop();
    parts_.space->Stop();
    parts_.pushes->Stop();
    parts_.webhooks->Stop();
    parts_.events->Close();
  }

  void FinishDraining(Millis patience) override { parts_.manager->Drain(patience); }

 private:
  void WriteMetrics(api::MetricsText& text) {
    api::WriteSandboxMetrics(text, parts_.manager->Metrics());
    api::WriteProcessMetrics(text, parts_.processes->GetMetrics());
    api::WritePullMetrics(text, parts_.pulls->GetMetrics());
    api::WritePushMetrics(text, parts_.pushes->GetMetrics());
    api::WriteBuildMetrics(text, parts_.builds->GetMetrics());
    api::WriteStoreMetrics(text, *parts_.store);
    if (const http::Server* server = server_.load()) {
      api::WriteConnectionMetrics(text, server->counters());
    }
    api::WriteWebhookMetrics(text, *parts_.webhooks);
    requests_.Write(text);
    api::WriteSelfMetrics(text, CAY_VERSION);
  }

  Parts parts_;
  const Millis launcher_timeout_;
  api::Gate gate_;
  api::AuditLog audit_;
  api::RequestMetrics requests_;
  api::Dispatcher dispatcher_;
  api::ServerState state_;
  std::atomic<const http::Server*> server_ = nullptr;
  std::vector<std::string> api_;  // where it listens
};

}  // namespace

Result<std::unique_ptr<ServeAssembly>> ServeAssembly::Make(const Config& config) {
  return std::make_unique<Assembly>(config, TRY(MakeParts(config)));
}

}  // namespace cay::cli
