#include "build/run/step_runner.h"

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>

#include "build/run/step_process.h"
#include "build/run/step_root.h"
#include "engine/own_names.h"
#include "guest_link/guest_channel.h"
#include "guest_link/process_verdict.h"
#include "template/import/import_watch.h"
#include "template/layers/lower_chain.h"

namespace cay::build {
namespace {

constexpr Millis kQuickPatience{2000};
constexpr Bytes kSecretsBytes = 8 * kMiB;

bool IsSet(const std::vector<std::string>& env, std::string_view name) {
  return std::ranges::any_of(env, [&](const std::string& variable) {
    return variable.starts_with(name) && variable.substr(name.size()).starts_with('=');
  });
}

// One step in its sandbox. However this is left, the sandbox is gone.
class RunningStep {
 public:
  RunningStep(engine::Engine& engine, const StepRunnerOptions& options, const StopTimer& stop,
              const RunStep& step, SandboxId id)
      : engine_(engine),
        options_(options),
        stop_(stop),
        step_(step),
        id_(std::move(id)),
        guest_([this] { return engine_.Connect(id_); }) {}
  RunningStep(const RunningStep&) = delete;
  RunningStep& operator=(const RunningStep&) = delete;
  ~RunningStep() {
    if (networked_) options_.network->Close(id_);
    if (created_) (void)engine_.Destroy(id_);
  }

  Result<void> Create(const std::string& own, const std::vector<std::string>& below) {
    engine::CreateRequest request(id_, RootOf(own, below));
    request.limits = options_.limits.limits;
    request.best_effort = true;
    request.hostname = engine::kUsualHostname;
    request.privileges = Privileges::kRoot;
    // What was written is a layer like those of images.
    request.renames_directories = false;
    request.network = step_.network && options_.network != nullptr;
    request.label = "a step of a build";
    for (const StepMount& mount : step_.mounts) {
      if (mount.kind == StepMount::Kind::kTmpfs)
        request.tmpfs.push_back({.target = mount.target, .size = mount.size});
    }
    if (!step_.secrets.empty())
      request.tmpfs.push_back({.target = std::string(kSecretsDirectory), .size = kSecretsBytes});
    engine::Created created = TRY(engine_.Create(request));
    created_ = true;
    if (!request.network) return {};
    TRY(options_.network->Open(id_, *std::move(created.network)));
    networked_ = true;
    return {};
  }

  Result<void> BringSecrets() {
    for (size_t i = 0; i < step_.secrets.size(); ++i) {
      const StepSecret& secret = step_.secrets[i];
      if (secret.target.empty()) continue;
      TRY(guest_.WriteFile({.user = std::to_string(secret.uid) + ":" + std::to_string(secret.gid),
                            .path = std::string(kSecretsDirectory) + "/" + std::to_string(i),
                            .mode = secret.mode},
                           TextSource(secret.content)));
    }
    return {};
  }

  Result<StepEnd> Command(const StepOutput& output) {
    protocol::StartRequest request;
    request.argv = step_.argv;
    request.env = step_.env;
    if (!IsSet(step_.env, "HOME")) request.account_env = {"HOME"};
    request.cwd = step_.cwd;
    request.make_directory = true;
    request.user = step_.user;
    const auto oom_before = engine_.OomKills(id_);
    const ProcessEnd ended =
        TRY(RunProcess(guest_, request, options_.limits.timeout, stop_, output));
    StepEnd end{.exit_code = ended.exited.exit_code,
                .signal = static_cast<int>(ended.exited.signal),
                .timed_out = ended.timed_out};
    if (ended.guest_gone) return JudgeGone();
    if (end.succeeded()) {
      TRY(guest_.KillLeftovers(ended.process));
      return end;
    }
    const auto oom_now = engine_.OomKills(id_);
    if (oom_before && oom_now) end.oom_killed = RanOutOfMemory(oom_before->value_or(0), *oom_now);
    const GuestChannel quick([this] { return engine_.Connect(id_); }, kQuickPatience);
    if (const auto info = quick.Ping())
      end.disk_full = DiskIsFull(*info, options_.limits.limits.disk);
    return end;
  }

  // What it wrote to "/", and to the mounts that are kept, whatever its end.
  Result<void> TakeWritten(const std::string& into, const StepRoot& root, StepEnd& end) {
    const bool keeps = std::ranges::any_of(
        step_.mounts, [](const StepMount& mount) { return !mount.keep_into.empty(); });
    if (!end.succeeded() && !keeps) return {};
    const engine::WrittenLayers written = TRY(engine_.OpenWritten(id_));
    if (end.succeeded()) {
      end.written = TRY(CopyUpper(written, 0, into));
      TRY(root.TakeOut(TRY(templates::OpenLayerRoot(into))));
    }
    size_t overlay = 0;
    for (const StepMount& mount : step_.mounts) {
      if (mount.kind != StepMount::Kind::kLayers) continue;
      ++overlay;
      if (mount.keep_into.empty()) continue;
      end.kept.push_back(TRY(CopyUpper(written, overlay, mount.keep_into)));
    }
    return {};
  }

 private:
  engine::HostLayers RootOf(const std::string& own, const std::vector<std::string>& below) const {
    engine::Overlay whole{.target = "/", .layers = {own}};
    whole.layers.insert(whole.layers.end(), below.begin(), below.end());
    engine::HostLayers root{.overlays = {std::move(whole)},
                            .hostname = std::string(engine::kUsualHostname)};
    for (const StepMount& mount : step_.mounts) {
      if (mount.kind != StepMount::Kind::kLayers) continue;
      root.overlays.push_back(
          {.target = mount.target, .layers = mount.layers, .read_only = mount.read_only});
    }
    return root;
  }

  Result<StepEnd> JudgeGone() {
    const engine::Exit exit = TRY(engine_.GetExit(id_));
    if (exit.reason == engine::ExitReason::kOomKilled)
      return StepEnd{.signal = SIGKILL, .oom_killed = true};
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the sandbox of the step ended under its command: " +
                             std::string(engine::ExitReasonName(exit.reason))));
  }

  Result<templates::WrittenReport> CopyUpper(const engine::WrittenLayers& written, size_t index,
                                             const std::string& into) {
    const Fd root = TRY(templates::OpenLayerRoot(into));
    templates::ImportOptions options;
    options.is_stopped = [this] { return stop_.stopped(); };
    templates::ImportWatch watch(options);
    templates::WrittenOptions copy{.id_offset = written.id_offset};
    copy.on_progress = [&](const templates::WrittenReport& now) {
      return watch.Note({now.entries, now.bytes}, root);
    };
    return templates::CopyWritten(written.uppers.at(index), root, copy);
  }

  engine::Engine& engine_;
  const StepRunnerOptions& options_;
  const StopTimer& stop_;
  const RunStep& step_;
  SandboxId id_;
  GuestChannel guest_;
  bool created_ = false;
  bool networked_ = false;
};

}  // namespace

Result<StepEnd> StepRunner::Run(const RunStep& step, const std::vector<std::string>& below,
                                const std::string& into, const StepOutput& output) {
  const StepRoot root = TRY(StepRoot::Make(store_, TRY(templates::OpenLayerRoots(below)), step));
  RunningStep running(engine_, options_, stop_, step, TRY(SandboxId::Generate()));
  TRY(running.Create(root.directory(), below));
  TRY(running.BringSecrets());
  StepEnd end = TRY(running.Command(output));
  TRY(running.TakeWritten(into, root, end));
  return end;
}

}  // namespace cay::build
