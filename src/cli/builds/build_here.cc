#include "cli/builds/build_here.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>

#include "cli/frame/console.h"
#include "cli/local/forked_guest.h"
#include "cli/local/local_survey.h"
#include "cli/steps/build_network.h"
#include "cli/steps/stop_at_signal.h"
#include "engine/factory/factory.h"
#include "sandbox/secrets/trust.h"

namespace cay::cli {
namespace {

constexpr int kExitBuildFailed = 1;  // a step did, as docker's

// Whether nothing else is known to be why it failed.
bool MayWantNetwork(const build::StepEnd& end) {
  return end.signal == 0 && !end.timed_out && !end.oom_killed && !end.disk_full;
}

// What a step was denied, or that it had no network, where that may be why it failed.
void NoteNetwork(BuildNetwork* network) {
  if (network == nullptr) {
    Note("steps have no network unless you say so: --net open, --net pypi,npm, --allow HOST:443");
    return;
  }
  for (const std::string& denied : network->Denied()) Note("network: " + denied);
}

void UseProcessors(build::BuildRequest& request, bool has_cpus) {
  const size_t processors = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 1000);
  if (!has_cpus) request.limits.limits.cpus = static_cast<MilliCpus>(processors * 1000);
  request.at_a_time = std::min<size_t>(processors, 4);
}

}  // namespace

Result<void> CheckMayBuild() {
  if (::geteuid() == 0) return {};
  return Failure(
      Error(ErrorCode::kNotSupported, Fault::kCaller,
            "templates are built as root: the steps of a Dockerfile are done by root and "
            "other users of a sandbox, and one that an ordinary user makes has a single "
            "user")
          .WithRemedy("build it as root, or on a server; or import an image"));
}

Result<HereEnd> BuildHere(HereBuild build) {
  TRY(CheckMayBuild());
  build.request.authorities = TRY(sandbox::ReadTrusted(build.authorities, build::kMaxSecret));
  UseProcessors(build.request, build.has_cpus);
  std::unique_ptr<BuildNetwork> network;
  if (build.network.mode != network::Mode::kNone)
    network = TRY(BuildNetwork::Start(build.network, build.ways));
  engine::EngineOptions engine_options;
  engine_options.paths = build.paths;
  engine_options.one_shot = true;
  engine_options.fork_with_guest = ForkedGuest();
  const auto engine = TRY(engine::Make(engine::kUsualEngine, engine_options));
  ::signal(SIGPIPE, SIG_IGN);
  templates::TemplateStore store = TRY(OpenLocalTemplates(build.paths));
  StopTimer stop = TRY(StopTimer::Make());
  const auto signals = TRY(StopAtSignal::Begin(stop));
  BuildPrinter printer(build.progress);
  const build::BuildMachine machine{
      .store = store,
      .engine = *engine,
      .network = network.get(),
      .find_base =
          [&](const std::string& image, const std::optional<templates::oci::Platform>& platform) {
            return FindBaseHere(store, image, platform, build.bases);
          },
      .downloader = build::kThisProgram};
  auto end = build::Build(
      machine, build.request, [&](const build::BuildEvent& event) { printer.Take(event); }, stop);
  printer.Clear();
  if (!end && signals->signal() != 0) {
    Note("the build was stopped; what it finished is kept for the next one");
    return HereEnd{.exit_code = kExitSignalBase + signals->signal(), .stopped = true};
  }
  if (!end) {
    if (network != nullptr && end.error().code() == ErrorCode::kUnavailable)
      NoteNetwork(network.get());
    return Failure(std::move(end).error());
  }
  if (end->failure) {
    printer.TakeFailure(*end->failure, build.request.file_name);
    if (MayWantNetwork(end->failure->end)) NoteNetwork(network.get());
    return HereEnd{.exit_code = kExitBuildFailed};
  }
  return HereEnd{.end = *std::move(end)};
}

}  // namespace cay::cli
