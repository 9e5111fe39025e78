// cay run: a sandbox, one command in it, and nothing left of it.
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/local/forked_guest.h"
#include "cli/local/local_survey.h"
#include "cli/network/run_network.h"
#include "cli/network/run_ports.h"
#include "cli/run/run_options.h"
#include "cli/run/run_result.h"
#include "cli/run/run_session.h"
#include "cli/run/run_setup.h"
#include "cli/run/transfer.h"
#include "engine/factory/factory.h"
#include "guest_link/guest_channel.h"
#include "guest_link/process_verdict.h"
#include "sandbox/secrets/trust.h"

namespace cay::cli {
namespace {

using templates::Template;
using templates::TemplateStore;

constexpr Millis kKillPatience{2000};
constexpr Millis kGonePatience{10'000};

uint64_t MicrosBetween(Clock::time_point from, Clock::time_point to) {
  auto us = std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
  return static_cast<uint64_t>(std::max<int64_t>(0, us));
}

// One run. The sandbox lives as long as the engine object: however this is left, it ends with it.
class Run {
 public:
  explicit Run(const RunOptions& options) : options_(options), last_(Clock::now()) {}

  // The exit code; all that is to be printed has been.
  Result<int> Execute();

 private:
  Error ExplainNotFound(Error error) const;
  Result<SessionEnd> Live();
  Result<void> Create();
  Result<void> InstallPackages(const Paths& paths);
  Result<void> StartNetwork(const Paths& paths);
  Result<void> Publish();
  Result<void> OpenNetwork(engine::NetworkSockets sockets);
  void NoteCreated(const engine::Created& created, uint64_t wall_us);
  Result<SessionEnd> Command();
  Result<void> TakeOut(RunSession& session, const SessionEnd& end);
  Result<void> Judge(const SessionEnd& end);
  Result<void> JudgeGone();
  void TakeFigures(const SessionEnd& end);
  Result<int> Tell();
  void Stage(std::string name);
  TransferContext Transfers() const;

  const RunOptions& options_;
  RunResult result_;
  Clock::time_point last_;  // where the next stage begins
  std::unique_ptr<engine::Engine> engine_;
  std::optional<Template> template_;
  TypedCommand command_;
  std::optional<SandboxId> id_;
  std::optional<GuestChannel> guest_;
  std::optional<RunSecrets> secrets_;
  std::unique_ptr<RunNetwork> network_;  // null: neither a policy nor ports
  std::unique_ptr<RunPorts> ports_;      // null: none is published
};

void Run::Stage(std::string name) {
  Clock::time_point now = Clock::now();
  result_.stages.push_back({std::move(name), MicrosBetween(last_, now)});
  last_ = now;
}

// `docker run IMAGE COMMAND` typed here: what it starts from is an option.
Error Run::ExplainNotFound(Error error) const {
  if (command_.argv.empty()) return error;
  const std::string& first = command_.argv.front();
  const auto paths = Paths::Resolve(options_.state_dir);
  auto store = paths ? OpenLocalTemplates(*paths) : Failure(paths.error());
  const auto known = store ? store->List() : Failure(store.error());
  const bool is_template =
      known && std::ranges::find(*known, first, &templates::TemplateInfo::name) != known->end();
  const bool is_image = first.find(':') != std::string::npos && !first.starts_with('/');
  if (!is_template && !is_image) return error;
  const std::string name = is_template ? first : "NAME";
  std::string remedy =
      "cay run takes a command; what it starts from is --template: cay run --template " + name +
      " -- COMMAND";
  if (!is_template)
    remedy += ", with the image's name, which is pulled then, or one that was imported";
  return std::move(error).WithRemedy(std::move(remedy));
}

Result<int> Run::Execute() {
  Result<SessionEnd> end = Live();
  if (!end && end.error().code() == ErrorCode::kCommandNotFound)
    end = Failure(ExplainNotFound(std::move(end).error()));
  ports_.reset();
  if (id_ && guest_) {
    // What is wrong with the end of a sandbox matters only when nothing worse happened.
    Result<void> destroyed = engine_->Destroy(*id_);
    if (end && !destroyed) end = Failure(std::move(destroyed).error());
  }
  engine_.reset();
  Stage("destroy");
  if (!end) {
    result_.exit_code = ExitCodeOf(end.error());
    result_.error = end.error();
    if (options_.json) TRY(Print(RenderJson(result_, options_.timing)));
    return Failure(std::move(end).error());
  }
  return Tell();
}

Result<SessionEnd> Run::Live() {
  TRY(Create());
  for (const Transfer& transfer : options_.copies) TRY(CopyIn(Transfers(), transfer));
  if (!options_.copies.empty()) Stage("copy_in");
  return Command();
}

// Before the sandbox's own network and engine are there: a build has its own.
Result<void> Run::InstallPackages(const Paths& paths) {
  TemplateStore store = TRY(OpenLocalTemplates(paths));
  const Template base =
      TRY(FindOrPull(store, options_.template_name, options_.pull, options_.quiet));
  template_ =
      TRY(WithPackages(store, base, paths, options_.packages, options_.ways, options_.quiet));
  Stage("packages");
  return {};
}

Result<void> Run::Create() {
  std::vector<engine::Mount> mounts = TRY(ResolveMounts(options_.mounts));
  Paths paths = TRY(Paths::Resolve(options_.state_dir));
  if (!options_.packages.asked.none()) TRY(InstallPackages(paths));
  engine::EngineOptions engine_options;
  engine_options.paths = paths;
  engine_options.one_shot = true;
  if (options_.scratch != engine::Scratch::kMemory) engine_options.expected = options_.limits;
  engine_options.fork_with_guest = ForkedGuest();
  secrets_.emplace(TRY(RunSecrets::Take(options_.secrets)));
  engine_ = TRY(engine::Make(engine::kUsualEngine, engine_options));
  ::signal(SIGPIPE, SIG_IGN);
  TRY(StartNetwork(paths));
  id_ = TRY(SandboxId::Generate());
  TRY(Publish());
  Stage("launcher");
  TemplateStore store = TRY(OpenLocalTemplates(paths));
  if (!template_)
    template_ = TRY(FindOrPull(store, options_.template_name, options_.pull, options_.quiet));
  command_ = TRY(CommandOf(options_, *template_));
  Stage("template");
  engine::CreateRequest request = BuildCreateRequest(options_, *id_, *template_, std::move(mounts));
  request.volumes = TRY(FindVolumes(options_.volumes, paths));
  request.network = options_.network.mode != network::Mode::kNone;
  engine::Created created = TRY(engine_->Create(request));
  guest_.emplace([this] { return engine_->Connect(*id_); });
  Clock::time_point now = Clock::now();
  NoteCreated(created, MicrosBetween(last_, now));
  last_ = now;
  return request.network ? OpenNetwork(*std::move(created.network)) : Result<void>();
}

// Before the sandbox, while its launcher starts.
Result<void> Run::StartNetwork(const Paths& paths) {
  const bool has_policy = options_.network.mode != network::Mode::kNone;
  if (has_policy || !options_.publish.empty())
    network_ = TRY(RunNetwork::Start(options_.network, options_.ways, paths.state_dir));
  TRY(secrets_->AddKept(options_.secrets, paths.state_dir));
  if (!secrets_->empty() && !has_policy) {
    return Failure(Error::Invalid("--secret, and no network that it could be sent over")
                       .WithRemedy("allow its host: --allow HOST:443"));
  }
  if (!secrets_->empty()) RunSecrets::LeaveNoCore();
  return has_policy ? network_->Intercept(secrets_->Copies(), options_.authorities)
                    : Result<void>();
}

// What cannot be listened on is an error before anything is made.
Result<void> Run::Publish() {
  if (options_.publish.empty()) return {};
  ports_ = TRY(RunPorts::Listen(*engine_, *network_, *id_, options_.publish));
  result_.published = ports_->rules();
  if (options_.quiet) return {};
  for (size_t i = 0; i < options_.publish.size(); ++i) {
    const auto asked = network::PublishRule::Parse(options_.publish[i]);
    if (asked && asked->host_port == 0) Note("published: " + result_.published[i]);
  }
  return {};
}

Result<void> Run::OpenNetwork(engine::NetworkSockets sockets) {
  TRY(network_->Open(*id_, std::move(sockets)));
  if (!network_->certificate().empty())
    TRY(sandbox::InstallAuthority(
        *guest_, {network_->certificate()}, options_.read_only,
        ::geteuid() == 0 ? sandbox::SandboxUsers::kAll : sandbox::SandboxUsers::kOne));
  Stage("network");
  return {};
}

void Run::NoteCreated(const engine::Created& created, uint64_t wall_us) {
  uint64_t sum = 0;
  for (const engine::StageTime& stage : created.stage_us) {
    result_.stages.push_back({stage.name, stage.us});
    sum += stage.us;
  }
  // The way to the launcher and back.
  result_.stages.push_back({"request", wall_us - std::min(wall_us, sum)});
  result_.not_enforced = created.not_enforced;
  if (created.not_enforced.empty() || options_.quiet || options_.json) return;
  std::string line = "not enforced here:";
  for (const engine::NotEnforced& limit : created.not_enforced) {
    line.append(line.back() == ':' ? " " : "; ")
        .append(engine::LimitName(limit.limit))
        .append(" (" + limit.why + ")");
  }
  Note(line + "; see cay doctor");
}

TransferContext Run::Transfers() const {
  return {.guest = *guest_,
          .user = options_.user.empty() ? template_->user : options_.user,
          .workdir = options_.workdir.empty() ? template_->workdir : options_.workdir,
          .max_bytes = options_.limits.disk + options_.limits.memory};
}

Result<SessionEnd> Run::Command() {
  SessionOptions session_options;
  session_options.pass_stdin =
      !options_.no_input && (options_.interactive || options_.tty || ::isatty(STDIN_FILENO) == 0);
  session_options.timeout = CommandTimeout(options_);
  session_options.kill_grace = options_.kill_grace;
  if (options_.json) {
    session_options.out = &result_.out;
    session_options.err = &result_.err;
  }
  const bool intercepted = network_ && !network_->certificate().empty();
  CommandEnv env = TRY(BuildEnv(options_, *template_, secrets_->variables(), intercepted));
  protocol::StartRequest request =
      BuildStartRequest(options_, *template_, command_, std::move(env), session_options.pass_stdin);
  RunSession session(*guest_, session_options);
  SessionEnd end = TRY(session.Run(request));
  result_.stages.push_back({"start", MicrosBetween(last_, end.started)});
  if (end.first_byte) {
    result_.stages.push_back({"first_byte", MicrosBetween(end.started, *end.first_byte)});
  }
  result_.stages.push_back(
      {"command", MicrosBetween(end.first_byte.value_or(end.started), end.ended)});
  // From the request on: that a short command has started is often heard of only with its end.
  result_.duration_ms = MicrosBetween(last_, end.ended) / 1000;
  last_ = end.ended;
  TRY(Judge(end));
  // Figures before files: what is taken out may be slow, and the sandbox may end meanwhile.
  bool asked_to_end = end.kind == EndKind::kInterrupted || end.kind == EndKind::kOutputClosed;
  if (options_.json || (result_.exit_code != 0 && !asked_to_end)) TakeFigures(end);
  if (network_) result_.network = network_->Told();
  TRY(TakeOut(session, end));
  return end;
}

Result<void> Run::Judge(const SessionEnd& end) {
  switch (end.kind) {
    case EndKind::kExited:
      if (end.exited.signal != 0) {
        result_.signal = static_cast<int>(end.exited.signal);
      } else {
        result_.command_exit_code = static_cast<int>(end.exited.exit_code);
      }
      result_.timed_out = end.timed_out;
      result_.exit_code = ExitCode(end.exited.exit_code, result_.signal, end.timed_out);
      result_.output_cut = end.exited.output_cut;
      return {};
    case EndKind::kTimedOut:
      result_.timed_out = true;
      result_.exit_code = kExitTimeout;
      return {};
    case EndKind::kInterrupted:
      result_.signal = end.signal;
      result_.exit_code = kExitSignalBase + end.signal;
      return {};
    case EndKind::kOutputClosed:
      result_.signal = SIGPIPE;
      result_.exit_code = kExitSignalBase + SIGPIPE;
      return {};
    case EndKind::kGuestGone:
      return JudgeGone();
  }
  return {};
}

Result<void> Run::JudgeGone() {
  // Its connections end before the last of its processes does.
  if (Result<Fd> guest = engine_->Watch(*id_)) {
    pollfd polled{guest->get(), POLLIN, 0};
    ::poll(&polled, 1, static_cast<int>(kGonePatience.count()));
  }
  engine::Exit exit = TRY(engine_->GetExit(*id_));
  if (exit.reason != engine::ExitReason::kOomKilled) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the sandbox ended under its command: " +
                             std::string(engine::ExitReasonName(exit.reason)))
                       .WithRemedy("was it ended by somebody else? otherwise this is a defect"));
  }
  result_.oom_killed = true;
  result_.signal = SIGKILL;
  result_.exit_code = kExitSignalBase + SIGKILL;
  return {};
}

// Figures that cannot be had stay unknown: they never fail a run.
void Run::TakeFigures(const SessionEnd& end) {
  const bool well = end.kind == EndKind::kExited && !Failed(end.exited);
  if (Result<engine::Stats> stats = engine_->GetStats(*id_)) {
    if (!well && RanOutOfMemory(0, stats->oom_kills)) result_.oom_killed = true;
    if (stats->cpu_us) result_.cpu_ms = *stats->cpu_us / 1000;
    result_.memory_peak = stats->memory_peak;
  }
  if (!well && end.kind != EndKind::kGuestGone) {
    // Also of a command that was timed out, so the guest may be slow: a moment, and not more.
    const GuestChannel quick([this] { return engine_->Connect(*id_); }, kKillPatience);
    if (Result<protocol::Info> info = quick.Ping()) {
      result_.disk_full = DiskIsFull(*info, options_.limits.disk);
    }
  }
  if (end.kind == EndKind::kExited) {
    result_.file_size_exceeded =
        FileSizeExceeded(end.exited.signal, static_cast<int32_t>(end.exited.exit_code));
    const bool otherwise = result_.timed_out || result_.oom_killed;
    result_.cpu_time_exceeded = CpuTimeExceeded(
        end.exited.signal, static_cast<int32_t>(end.exited.exit_code), end.exited.cpu_us / 1000,
        otherwise ? Millis(0) : options_.cpu_time.value_or(Millis(0)));
  }
  // Without a cgroup: of the command and what it waited for.
  if (!result_.cpu_ms && end.kind == EndKind::kExited) result_.cpu_ms = end.exited.cpu_us / 1000;
  Stage("figures");
}

Result<void> Run::TakeOut(RunSession& session, const SessionEnd& end) {
  if (options_.outs.empty() || end.kind == EndKind::kOutputClosed ||
      end.kind == EndKind::kGuestGone) {
    return {};
  }
  if (end.kind != EndKind::kExited) TRY(session.Kill(kKillPatience));
  for (const Transfer& transfer : options_.outs) {
    Result<void> copied = CopyOut(Transfers(), transfer);
    if (copied) continue;
    // The command's own failure is the news; that its files are not there follows from it.
    if (result_.exit_code == 0) return copied;
    Report(copied.error());
  }
  Stage("copy_out");
  return {};
}

Result<int> Run::Tell() {
  if (options_.json) {
    TRY(Print(RenderJson(result_, options_.timing)));
    return result_.exit_code;
  }
  if (!options_.quiet && (result_.exit_code != 0 || result_.output_cut)) {
    for (const std::string& note :
         RenderNotes(result_, options_.limits, CommandTimeout(options_))) {
      Note(note);
    }
  }
  if (options_.timing) {
    std::string table = RenderTiming(result_.stages);
    // Nobody is left to be told when this fails.
    [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, table.data(), table.size());
  }
  return result_.exit_code;
}

}  // namespace

Result<int> RunMain(RunOptions& options, Positionals& rest) {
  options.command = ShellRule(std::move(rest.values), rest.after_separator);
  TRY(CheckRunOptions(options));
  TRY(ApplyLimitsFile(options));
  return Run(options).Execute();
}

}  // namespace cay::cli
