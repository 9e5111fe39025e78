// cay env test: each environment in a fresh sandbox, without a network, its tests one after the
// other: later ones see the files of those before.
#include <csignal>
#include <memory>
#include <utility>

#include "cli/environments/env_options.h"
#include "cli/environments/test_report.h"
#include "cli/frame/console.h"
#include "cli/local/forked_guest.h"
#include "cli/run/run_options.h"
#include "cli/run/run_session.h"
#include "cli/run/run_setup.h"
#include "engine/factory/factory.h"
#include "guest_link/guest_channel.h"

namespace cay::cli {
namespace {

using templates::Environment;

constexpr int kExitTestFailed = 1;
constexpr Millis kTestTimeout{120'000};
constexpr size_t kKeptOutput = size_t{64} * 1024;  // of each stream of a test

// Of every environment.
constexpr std::string_view kFilesAreWritten =
    "for place in . \"$HOME\" /tmp; do echo written > \"$place/.test-of-cay\" && rm "
    "\"$place/.test-of-cay\" || exit 1; done";

RunOptions OptionsFor(const EnvOptions& options, const std::string& name) {
  RunOptions run;
  run.template_name = name;
  run.state_dir = options.state_dir;
  run.limits.memory = 2 * kGiB;
  run.limits.disk = 4 * kGiB;
  run.limits.cpus = 2000;
  run.best_effort = true;
  run.timeout = kTestTimeout;
  return run;
}

// One sandbox; it ends with this, or with the engine.
class TestSandbox {
 public:
  static Result<std::unique_ptr<TestSandbox>> Create(engine::Engine& engine,
                                                     templates::TemplateStore& store,
                                                     RunOptions options) {
    auto base = TRY(store.Find(options.template_name));
    const SandboxId id = TRY(SandboxId::Generate());
    const auto created =
        engine.Create(BuildCreateRequest(options, id, base, std::vector<engine::Mount>()));
    if (!created) return Failure(created.error());
    return std::unique_ptr<TestSandbox>(
        new TestSandbox(engine, std::move(base), std::move(options), id));
  }
  TestSandbox(const TestSandbox&) = delete;
  TestSandbox& operator=(const TestSandbox&) = delete;
  ~TestSandbox() {
    if (const auto gone = engine_.Destroy(id_); !gone) Report(gone.error());
  }

  // The test, and how its command ended.
  Result<std::pair<TestOutcome, SessionEnd>> Run(const std::string& line, bool optional) {
    HeldOutput out(kKeptOutput);
    HeldOutput err(kKeptOutput);
    SessionOptions session_options;
    session_options.timeout = kTestTimeout;
    session_options.out = &out;
    session_options.err = &err;
    TypedCommand command;
    command.shell = line;
    CommandEnv env = TRY(BuildEnv(options_, base_, {}, false));
    RunSession session(guest_, session_options);
    const SessionEnd end = TRY(session.Run(
        BuildStartRequest(options_, base_, command, std::move(env), /*pass_stdin=*/false)));
    TestOutcome outcome{.command = line, .end = DescribeEndOf(end), .output = {}};
    const bool exited = end.kind == EndKind::kExited && end.exited.signal == 0 && !end.timed_out;
    outcome.verdict = JudgeTest(optional, exited, static_cast<int>(end.exited.exit_code));
    if (outcome.verdict == TestVerdict::kPassed) outcome.end.clear();
    outcome.output = TextOf(out) + TextOf(err);
    outcome.took = std::chrono::duration_cast<Millis>(end.ended - end.started);
    return std::pair(std::move(outcome), end);
  }

 private:
  TestSandbox(engine::Engine& engine, templates::Template base, RunOptions options, SandboxId id)
      : engine_(engine),
        base_(std::move(base)),
        options_(std::move(options)),
        id_(std::move(id)),
        guest_([this] { return engine_.Connect(id_); }) {}

  static std::string TextOf(const HeldOutput& output) {
    const auto kept = output.kept();
    const sandbox::ShownText shown = sandbox::Show(kept);
    return std::string(shown.begin) + shown.mark + std::string(shown.end);
  }

  static std::string DescribeEndOf(const SessionEnd& end) {
    if (end.timed_out || end.kind == EndKind::kTimedOut)
      return "did not end within " + FormatDuration(kTestTimeout);
    if (end.kind == EndKind::kGuestGone) return "took the sandbox with it: its memory was used up";
    if (end.exited.signal != 0) return "was ended by signal " + std::to_string(end.exited.signal);
    return "exited with " + std::to_string(end.exited.exit_code);
  }

  engine::Engine& engine_;
  templates::Template base_;
  RunOptions options_;
  SandboxId id_;
  GuestChannel guest_;
};

struct Tested {
  EnvironmentOutcome outcome;
  int signal = 0;  // that asks for an end
};

Result<Tested> TestOne(engine::Engine& engine, templates::TemplateStore& store,
                       const EnvOptions& options, const Environment& environment) {
  std::vector<templates::EnvironmentTest> tests = environment.tests;
  tests.push_back({.command = std::string(kFilesAreWritten)});
  const auto sandbox =
      TRY(TestSandbox::Create(engine, store, OptionsFor(options, environment.name)));
  Tested tested{.outcome = {.name = environment.name, .tests = {}}};
  for (const auto& test : tests) {
    auto [outcome, end] = TRY(sandbox->Run(test.command, test.optional));
    if (end.kind == EndKind::kInterrupted) {
      tested.signal = end.signal;
      return tested;
    }
    tested.outcome.tests.push_back(std::move(outcome));
    // What was stopped from outside runs still.
    if (end.kind != EndKind::kExited) break;
  }
  // What could not be tried has not passed.
  for (size_t i = tested.outcome.tests.size(); i < tests.size(); ++i) {
    tested.outcome.tests.push_back({.command = tests[i].command,
                                    .verdict = TestVerdict::kFailed,
                                    .end = "was not tried, after the one before",
                                    .output = {}});
  }
  return tested;
}

Result<int> TestAll(templates::TemplateStore& store, const EnvOptions& options,
                    const std::vector<const Environment*>& environments) {
  engine::EngineOptions engine_options;
  engine_options.paths = TRY(Paths::Resolve(options.state_dir));
  engine_options.one_shot = true;
  engine_options.fork_with_guest = ForkedGuest();
  const auto engine = TRY(engine::Make(engine::kUsualEngine, engine_options));
  ::signal(SIGPIPE, SIG_IGN);
  std::vector<EnvironmentOutcome> outcomes;
  bool failed = false;
  for (const Environment* environment : environments) {
    Tested tested = TRY(TestOne(*engine, store, options, *environment));
    if (tested.signal != 0) return kExitSignalBase + tested.signal;
    failed = failed || tested.outcome.Count(TestVerdict::kFailed) != 0;
    if (!options.json && !options.quiet) TRY(Print(RenderTests(tested.outcome)));
    outcomes.push_back(std::move(tested.outcome));
  }
  if (options.json) {
    JsonWriter json;
    json.BeginArray();
    for (const EnvironmentOutcome& outcome : outcomes) WriteTests(json, outcome);
    json.EndArray();
    TRY(Print(std::move(json).Take() + "\n"));
  } else {
    TRY(Print(SumOf(outcomes) + "\n"));
  }
  return failed ? kExitTestFailed : 0;
}

}  // namespace

Result<int> EnvTestMain(EnvOptions& options, Positionals& rest) {
  templates::TemplateStore store = TRY(OpenEnvironments(options));
  auto wanted = TRY(EnvironmentsOf(store.environments(), options, rest.values));
  if (options.all)
    std::erase_if(wanted, [&](const Environment* one) { return !store.Has(one->name); });
  // What is not built is an error before anything is tried.
  for (const Environment* one : wanted) {
    if (const auto info = store.InfoOf(one->name); !info) return Failure(info.error());
  }
  return TestAll(store, options, wanted);
}

}  // namespace cay::cli
