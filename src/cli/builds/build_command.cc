// cay template build: a Dockerfile becomes a template of this machine.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <thread>

#include "build/stages/build.h"
#include "build/stages/context.h"
#include "cli/builds/build_network.h"
#include "cli/builds/build_options.h"
#include "cli/builds/build_printer.h"
#include "cli/builds/find_base.h"
#include "cli/builds/server_build.h"
#include "cli/client/call.h"
#include "cli/frame/console.h"
#include "cli/frame/signal_scope.h"
#include "cli/local/forked_guest.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "engine/factory/factory.h"
#include "json/json_writer.h"

namespace cay::cli {
namespace {

constexpr int kExitBuildFailed = 1;  // a step did, as docker's

// Stops the build at the first signal that asks for it; the second ends this program.
class StopAtSignal {
 public:
  static Result<std::unique_ptr<StopAtSignal>> Begin(build::BuildStop& stop) {
    auto begun = std::unique_ptr<StopAtSignal>(new StopAtSignal(stop));
    begun->signals_.emplace(TRY(begun->scope_.Open()));
    begun->ended_.emplace(TRY(Wakeup::Make()));
    begun->thread_ = std::thread([raw = begun.get()] { raw->Wait(); });
    return begun;
  }
  StopAtSignal(const StopAtSignal&) = delete;
  StopAtSignal& operator=(const StopAtSignal&) = delete;
  ~StopAtSignal() {
    if (!thread_.joinable()) return;
    ended_->Raise();
    thread_.join();
  }

  int signal() const { return signal_.load(); }

 private:
  explicit StopAtSignal(build::BuildStop& stop) : stop_(stop), scope_(false) {}

  void Wait() {
    while (true) {
      pollfd polled[2] = {{signals_->fd(), POLLIN, 0}, {ended_->fd(), POLLIN, 0}};
      if (::poll(polled, 2, -1) < 0 && errno != EINTR) return;
      if (polled[1].revents != 0) return;
      while (const auto signal = signals_->Next(nullptr)) {
        if (signal->kind == CallersSignal::Kind::kEndNow) ::_exit(kExitSignalBase + signal->signal);
        if (signal->kind != CallersSignal::Kind::kEnd) continue;
        signal_.store(signal->signal);
        stop_.Stop();
      }
    }
  }

  build::BuildStop& stop_;
  SignalScope scope_;
  std::optional<CallersSignals> signals_;
  std::optional<Wakeup> ended_;
  std::atomic<int> signal_ = 0;
  std::thread thread_;
};

Result<void> CheckMayBuild() {
  if (::geteuid() == 0) return {};
  return Failure(
      Error(ErrorCode::kNotSupported, Fault::kCaller,
            "templates are built as root: the steps of a Dockerfile are done by root and "
            "other users of a sandbox, and one that an ordinary user makes has a single "
            "user")
          .WithRemedy("build it as root, or on a server; or import an image"));
}

build::BuildRequest RequestOf(BuildOptions& options, build::OpenedContext context) {
  build::BuildRequest request{.names = options.tags};
  request.dockerfile = std::move(context.dockerfile);
  request.file_name = std::move(context.file_name);
  request.context = std::move(context.directory);
  request.ignore = std::move(context.ignore);
  request.target = options.target;
  request.build_args = options.build_args;
  request.labels = options.labels;
  request.secrets = std::move(options.secrets);
  request.platform = options.platform;
  request.no_cache = options.no_cache;
  request.limits = options.limits;
  const size_t processors = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 1000);
  if (!options.has_cpus) request.limits.limits.cpus = static_cast<MilliCpus>(processors * 1000);
  request.at_a_time = std::min<size_t>(processors, 4);
  return request;
}

Result<void> PrintMade(const build::BuildEnd& end, const BuildOptions& options) {
  if (options.json) {
    JsonWriter json;
    json.BeginObject().Key("templates").BeginArray();
    for (const templates::TemplateInfo& made : end.made) json.Value(made.name);
    json.EndArray()
        .Member("layers", end.made.front().layers)
        .Member("size", end.made.front().size)
        .Member("steps", end.steps)
        .Member("cached", end.cached)
        .EndObject();
    return Print(std::move(json).Take() + "\n");
  }
  for (const templates::TemplateInfo& made : end.made) {
    if (options.quiet) {
      TRY(Print(made.name + "\n"));
      continue;
    }
    TRY(Print("built " + made.name + " (" + std::to_string(made.layers) + " layers, " +
              HumanBytes(made.size) + "; " + std::to_string(end.cached) + " of " +
              std::to_string(end.steps) + " steps cached); try: cay run --template " + made.name +
              " -it -- sh\n"));
  }
  return {};
}

// What a step was denied, or that it had no network, where that may be why it failed.
void NoteNetwork(BuildNetwork* network) {
  if (network == nullptr) {
    Note("steps have no network unless you say so: --net open, --net pypi,npm, --allow HOST:443");
    return;
  }
  for (const std::string& denied : network->Denied()) Note("network: " + denied);
}

Result<int> BuildHere(BuildOptions& options, const std::string& directory) {
  TRY(CheckMayBuild());
  const Paths paths = TRY(Paths::Resolve(options.state_dir));
  build::OpenedContext context = TRY(build::OpenContext(directory, options.file));
  const std::string file_name = context.file_name;
  std::unique_ptr<BuildNetwork> network;
  if (options.network.mode != network::Mode::kNone)
    network = TRY(BuildNetwork::Start(options.network, options.ways));
  engine::EngineOptions engine_options;
  engine_options.paths = paths;
  engine_options.one_shot = true;
  engine_options.fork_with_guest = ForkedGuest();
  const auto engine = TRY(engine::Make(engine::kUsualEngine, engine_options));
  ::signal(SIGPIPE, SIG_IGN);
  templates::TemplateStore store = TRY(OpenLocalTemplates(paths));
  build::BuildStop stop = TRY(build::BuildStop::Make());
  const auto signals = TRY(StopAtSignal::Begin(stop));
  BuildPrinter printer(options.quiet || options.json ? BuildProgress::kQuiet : options.progress);
  const BaseOptions bases{
      .registry = options.registry, .pull = options.pull, .quiet = options.quiet || options.json};
  const build::BuildMachine machine{
      .store = store,
      .engine = *engine,
      .network = network.get(),
      .find_base = [&](const std::string& image,
                       const std::optional<templates::oci::Platform>& platform) {
        return FindBaseHere(store, image, platform, bases);
      }};
  const build::BuildRequest request = RequestOf(options, std::move(context));
  const auto end = build::Build(
      machine, request, [&](const build::BuildEvent& event) { printer.Take(event); }, stop);
  printer.Clear();
  if (!end && signals->signal() != 0) return kExitSignalBase + signals->signal();
  if (!end) return Failure(end.error());
  if (end->failure) {
    printer.TakeFailure(*end->failure, file_name);
    NoteNetwork(network.get());
    return kExitBuildFailed;
  }
  TRY(PrintMade(*end, options));
  return 0;
}

}  // namespace

Result<int> BuildMain(BuildOptions& options, Positionals& rest) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, BuildOnServer(*server, options, rest.values[0]));
  return BuildHere(options, rest.values[0]);
}

}  // namespace cay::cli
