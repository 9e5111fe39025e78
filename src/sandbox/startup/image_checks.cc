#include "sandbox/startup/image_checks.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/encoding.h"
#include "sandbox/startup/rules/startup_rules.h"

namespace cay::sandbox {
namespace {

constexpr Millis kLongestWait{1000};  // so often the clock is looked at while anything is tested
constexpr Millis kAgainSoon{1000};
constexpr Millis kKillPatience{5000};
constexpr int kEventsInARound = 64;
constexpr int32_t kNoResult = -1;
constexpr int32_t kBySignal = 128;

Millis TimeOf(const CheckPlan& plan) { return std::min(plan.timeout, kLongestCheck); }

}  // namespace

Result<std::unique_ptr<ImageChecks>> ImageChecks::Start(Manager& manager,
                                                        ProcessKeeper& processes) {
  std::unique_ptr<ImageChecks> checks(new ImageChecks(manager, processes, TRY(Wakeup::Make())));
  checks->thread_ = std::thread([raw = checks.get()] { raw->Run(); });
  return checks;
}

ImageChecks::~ImageChecks() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.Raise();
  thread_.join();
}

void ImageChecks::Watch(const SandboxId& id, int64_t started_unix_ms, CheckPlan plan) {
  {
    const std::lock_guard lock(mutex_);
    orders_.emplace_back(id, Tested{.started_unix_ms = started_unix_ms, .plan = std::move(plan)});
  }
  wake_.Raise();
}

void ImageChecks::Run() {
  while (TakeOrders()) {
    StartDue();
    std::erase_if(running_, [&](const auto& running) {
      if (!Advance(*running)) return false;
      const auto found = tested_.find(running->id);
      if (found != tested_.end()) found->second.runs = false;
      return true;
    });
    Wait();
  }
}

bool ImageChecks::TakeOrders() {
  std::vector<std::pair<SandboxId, Tested>> orders;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    orders.swap(orders_);
  }
  for (auto& [id, tested] : orders) {
    Forget(id);
    tested.runs = std::ranges::any_of(running_, [&](const auto& one) { return one->id == id; });
    Tested& own = tested_.emplace(id, std::move(tested)).first->second;
    SetDue(id, own, PauseBeforeCheck(own.plan, own.report.status, Millis(0)));
  }
  return true;
}

void ImageChecks::Forget(const SandboxId& id) {
  const auto found = tested_.find(id);
  if (found == tested_.end()) return;
  if (found->second.due) queue_.erase({*found->second.due, id});
  tested_.erase(found);
}

void ImageChecks::SetDue(const SandboxId& id, Tested& tested, Millis pause) {
  if (tested.due) queue_.erase({*tested.due, id});
  tested.due = SteadyNow() + pause;
  queue_.emplace(*tested.due, id);
}

void ImageChecks::StartDue() {
  const SteadyTime now = SteadyNow();
  while (!queue_.empty() && queue_.begin()->first <= now && running_.size() < kMaxChecksAtOnce) {
    const SandboxId id = queue_.begin()->second;
    queue_.erase(queue_.begin());
    Tested& tested = tested_.at(id);
    tested.due.reset();
    StartOne(id, tested);
  }
}

void ImageChecks::StartOne(const SandboxId& id, Tested& tested) {
  if (tested.runs) return SetDue(id, tested, kAgainSoon);  // what the one before left is ended
  const auto view = manager_.Get({.owner = {}, .admin = true}, id.text());
  const bool lives = view && view->started_unix_ms == tested.started_unix_ms;
  if (lives && view->state == SandboxState::kPaused)
    return SetDue(id, tested, tested.plan.interval);
  if (!lives || view->state != SandboxState::kRunning) return Forget(id);
  auto lease = manager_.UseQuietly(id);
  if (!lease || lease->view().started_unix_ms != tested.started_unix_ms)
    return SetDue(id, tested, kAgainSoon);
  auto running = std::make_unique<Running>(id, tested.started_unix_ms);
  tested.runs = true;
  const auto begun = Begin(*running, tested.plan, *std::move(lease));
  if (!begun) OnError(*running, begun.error());
  running_.push_back(std::move(running));
}

Result<void> ImageChecks::Begin(Running& running, const CheckPlan& plan, Lease lease) {
  running.result.started_unix_ms = UnixMs();
  running.until = SteadyNow() + TimeOf(plan);
  running.lease = std::move(lease);
  ProcessSpec spec;
  spec.argv = plan.argv;
  spec.background = true;
  spec.output_held = protocol::kMinRingBytes;
  protocol::StartRequest request = TRY(processes_.RequestFor(*running.lease, spec));
  request.passing = running.lease->guest().protocol() >= protocol::kPassingSince;
  running.stream = TRY(running.lease->guest().Start(request));
  return {};
}

bool ImageChecks::Advance(Running& running) {
  if (running.stream && !running.over) TakeOutput(running);
  if (running.kill) {
    const auto killed = running.kill->Next();
    if ((killed && !*killed) && SteadyNow() < running.until) return false;
    running.kill.reset();
    return true;
  }
  return running.over;
}

void ImageChecks::TakeOutput(Running& running) {
  running.goes_on = true;
  for (int i = 0; i < kEventsInARound; ++i) {
    auto event = running.stream->Next();
    if (!event) return OnError(running, event.error());
    if (!*event) {
      running.goes_on = false;
      break;
    }
    if (const auto* started = std::get_if<protocol::Started>(&**event)) {
      running.process = started->process;
    } else if (const auto* output = std::get_if<ProcessOutput>(&**event)) {
      std::string& kept = running.result.output;
      kept += output->bytes.substr(0, kMaxCheckOutput - std::min(kMaxCheckOutput, kept.size()));
      running.bytes += output->bytes.size();
      running.result.output_truncated = running.bytes > kept.size();
    } else if (const auto* exited = std::get_if<protocol::Exited>(&**event)) {
      return OnExited(running, *exited);
    }
  }
  if (running.bytes > kMaxCheckBytes) {
    return GiveUp(running, "the test wrote more than " + FormatBytes(kMaxCheckBytes));
  }
  if (SteadyNow() < running.until) return;
  const auto tested = tested_.find(running.id);
  const Millis time = tested == tested_.end() ? kLongestCheck : TimeOf(tested->second.plan);
  GiveUp(running, "the test took longer than " + FormatDuration(time));
}

void ImageChecks::OnExited(Running& running, const protocol::Exited& exited) {
  running.result.exit_code =
      exited.signal != 0 ? kBySignal + static_cast<int32_t>(exited.signal) : exited.exit_code;
  Tell(running);
  if (exited.leftover_count > 0) EndLeftovers(running);
}

// A connection that is cut is, as a rule, the end of the guest: its sandbox is stopped, or reset,
// and no test says so. What is cut twice is an answer.
void ImageChecks::OnError(Running& running, const Error& error) {
  const auto found = tested_.find(running.id);
  const bool is_cut = error.code() == ErrorCode::kUnavailable;
  if (is_cut && found != tested_.end() && !std::exchange(found->second.was_cut, true)) {
    running.over = true;
    if (found->second.started_unix_ms == running.started_unix_ms)
      SetDue(running.id, found->second, kAgainSoon);
    return;
  }
  GiveUp(running, "the test could not be run: " + error.message());
}

void ImageChecks::GiveUp(Running& running, const std::string& why) {
  CheckResult& result = running.result;
  result.exit_code = kNoResult;
  const std::string wrote = result.output.empty() ? "" : "\n" + result.output;
  result.output_truncated = result.output_truncated || why.size() + wrote.size() > kMaxCheckOutput;
  result.output = (why + wrote).substr(0, kMaxCheckOutput);
  const bool runs = running.process != 0 && !running.stream->finished();
  Tell(running);
  if (runs) EndLeftovers(running);
}

// All of it, the test too where it runs. Where that cannot be asked for, its guest ends what it
// sees of it with the connection.
void ImageChecks::EndLeftovers(Running& running) {
  if (auto kill = running.lease->guest().BeginKillLeftovers(running.process)) {
    running.kill = *std::move(kill);
    running.until = SteadyNow() + kKillPatience;
  }
}

void ImageChecks::Tell(Running& running) {
  running.over = true;
  running.result.ended_unix_ms = UnixMs();
  running.result.output = ToUtf8Lossy(running.result.output);
  const auto found = tested_.find(running.id);
  if (found == tested_.end() || found->second.started_unix_ms != running.started_unix_ms) return;
  Tested& tested = found->second;
  if (running.result.exit_code != kNoResult) tested.was_cut = false;
  NoteCheck(tested.report, tested.plan, running.result, tested.started_unix_ms);
  manager_.NoteHealth(running.id, tested.started_unix_ms, tested.report);
  const Millis age(UnixMs() - tested.started_unix_ms);
  SetDue(running.id, tested, PauseBeforeCheck(tested.plan, tested.report.status, age));
}

void ImageChecks::Wait() {
  std::vector<pollfd> polled = {{.fd = wake_.fd(), .events = POLLIN, .revents = 0}};
  SteadyTime next = queue_.empty() ? SteadyTime::max() : queue_.begin()->first;
  for (const auto& running : running_) {
    next = std::min(next, running->goes_on && !running->over ? SteadyNow() : running->until);
    if (running->kill) {
      polled.push_back({.fd = running->kill->fd(), .events = POLLIN, .revents = 0});
    } else if (running->stream && !running->over) {
      polled.push_back(
          {.fd = running->stream->fd(), .events = running->stream->poll_events(), .revents = 0});
    }
  }
  int wait_ms = -1;
  if (next != SteadyTime::max()) {
    const Millis left = std::chrono::ceil<Millis>(next - SteadyNow());
    wait_ms = static_cast<int>(std::clamp(left, Millis(0), kLongestWait).count());
  }
  ::poll(polled.data(), polled.size(), wait_ms);
  wake_.Drain();
}

}  // namespace cay::sandbox
