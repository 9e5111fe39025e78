#include "build/run/step_process.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/clock.h"

namespace cay::build {
namespace {

constexpr Millis kStartPatience{60'000};
constexpr int kEventsInARow = 64;

class Follower {
 public:
  Follower(ProcessStream stream, Millis timeout, const StopTimer& stop, const StepOutput& output)
      : stream_(std::move(stream)), timeout_(timeout), stop_(stop), output_(output) {
    deadline_ = SteadyNow() + kStartPatience;
  }

  Result<ProcessEnd> Follow() {
    while (true) {
      TRY(CheckWanted(stop_));
      const auto taken = TakeEvents();
      if (!taken) {
        if (end_.process == 0 || taken.error().code() != ErrorCode::kUnavailable)
          return Failure(taken.error());
        end_.guest_gone = true;
        return end_;
      }
      if (*taken == Taken::kEnd) return end_;
      if (deadline_ && SteadyNow() >= *deadline_) return OnDeadline();
      TRY(Wait(*taken == Taken::kMore ? 0 : WaitMillis()));
    }
  }

 private:
  enum class Taken : uint8_t { kMore, kNone, kEnd };

  Result<Taken> TakeEvents() {
    for (int i = 0; i < kEventsInARow; ++i) {
      const std::optional<ProcessEvent> event = TRY(stream_.Next());
      if (!event) return Taken::kNone;
      if (const auto* output = std::get_if<ProcessOutput>(&*event)) {
        output_(output->stream, output->bytes);
      } else if (const auto* gap = std::get_if<protocol::Gap>(&*event)) {
        output_(OutputStream::kStderr,
                "[" + std::to_string(gap->to - gap->from) + " bytes of output were lost]\n");
      } else if (const auto* exited = std::get_if<protocol::Exited>(&*event)) {
        end_.exited = *exited;
        return Taken::kEnd;
      } else if (const auto* started = std::get_if<protocol::Started>(&*event)) {
        end_.process = started->process;
        deadline_.reset();
        if (timeout_ > Millis(0)) deadline_ = SteadyNow() + timeout_;
      }
    }
    return Taken::kMore;
  }

  Result<ProcessEnd> OnDeadline() {
    if (end_.process == 0) {
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                           "the command was not started within " + FormatDuration(kStartPatience)));
    }
    end_.timed_out = true;
    return end_;
  }

  int WaitMillis() const {
    if (!deadline_) return -1;
    const auto left = std::chrono::ceil<Millis>(*deadline_ - SteadyNow()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
  }

  Result<void> Wait(int millis) {
    std::array<pollfd, 2> polled = {pollfd{stream_.fd(), stream_.poll_events(), 0},
                                    pollfd{stop_.fd(), POLLIN, 0}};
    if (::poll(polled.data(), polled.size(), millis) < 0 && errno != EINTR)
      return Failure(Error::FromErrno("poll"));
    return {};
  }

  ProcessStream stream_;
  const Millis timeout_;
  const StopTimer& stop_;
  const StepOutput& output_;
  std::optional<SteadyTime> deadline_;
  ProcessEnd end_{};
};

}  // namespace

Result<ProcessEnd> RunProcess(const GuestChannel& guest, const protocol::StartRequest& request,
                              Millis timeout, const StopTimer& stop, const StepOutput& output) {
  return Follower(TRY(guest.Start(request)), timeout, stop, output).Follow();
}

}  // namespace cay::build
