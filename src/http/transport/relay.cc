#include "http/transport/relay.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace cay::http {
namespace {

constexpr size_t kPieceSize = 64 * kKiB;
constexpr Millis kQuiet = std::chrono::hours(1);  // then it is polled again

// One direction: a piece that has been read and is not yet written.
struct Direction {
  InputBuffer piece;
  bool ended = false;      // nothing more will come
  bool passed_on = false;  // and the other end knows
};

Error GivenUp(std::string_view what) {
  return {ErrorCode::kTimeout, Fault::kCaller, std::string(what)};
}

class Relaying {
 public:
  Relaying(ByteStream& client, Stream& upstream, const RelayRules& rules)
      : client_(client), upstream_(upstream), rules_(rules) {}

  Direction& to_client() { return to_client_; }
  Result<void> Run();

 private:
  Result<void> ReadClient();
  Result<void> ReadUpstream();
  Result<void> WriteClient();
  Result<void> WriteUpstream();
  Result<int> Poll(std::array<pollfd, 2>& waited, Millis timeout);
  Result<bool> Wait(std::array<pollfd, 2>& waited);

  ByteStream& client_;
  Stream& upstream_;
  const RelayRules& rules_;
  Direction to_client_;
  Direction to_upstream_;
};

Result<void> Relaying::ReadClient() {
  const size_t got = TRY(client_.Read(to_upstream_.piece.Prepare(kPieceSize)));
  to_upstream_.piece.Commit(got);
  to_upstream_.ended = got == 0;
  return {};
}

Result<void> Relaying::ReadUpstream() {
  const auto got = TRY(upstream_.TryRead(to_client_.piece.Prepare(kPieceSize)));
  if (!got) return {};
  to_client_.piece.Commit(*got);
  to_client_.ended = *got == 0;
  return {};
}

Result<void> Relaying::WriteClient() {
  if (!to_client_.piece.empty()) {
    to_client_.piece.Consume(TRY(client_.TryWrite(to_client_.piece.view())));
  }
  if (to_client_.ended && to_client_.piece.empty() && !to_client_.passed_on) {
    to_client_.passed_on = true;
    client_.CloseWrite();
  }
  return {};
}

Result<void> Relaying::WriteUpstream() {
  if (!to_upstream_.piece.empty()) {
    const std::string_view piece = to_upstream_.piece.view();
    to_upstream_.piece.Consume(TRY(upstream_.TryWrite({&piece, 1})));
  }
  if (to_upstream_.ended && to_upstream_.piece.empty() && !to_upstream_.passed_on) {
    to_upstream_.passed_on = true;
    upstream_.CloseWrite();
  }
  return {};
}

// poll(2), in pieces between which the standing is asked for.
Result<int> Relaying::Poll(std::array<pollfd, 2>& waited, Millis timeout) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + timeout;
  for (;;) {
    if (rules_.standing) TRY(rules_.standing());
    const auto left = std::max(std::chrono::ceil<Millis>(end - Clock::now()), Millis(0));
    const Millis piece = std::min(left, Exchange::kStandingInterval);
    const int ready = ::poll(waited.data(), waited.size(), static_cast<int>(piece.count()));
    if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
    if (ready != 0 || piece == left) return ready;
  }
}

// False: nothing happened for as long as may be.
Result<bool> Relaying::Wait(std::array<pollfd, 2>& waited) {
  const auto events = [](const Direction& from, const Direction& to) {
    int16_t wanted = 0;
    if (!from.ended && from.piece.empty()) wanted |= POLLIN;
    if (!to.piece.empty()) wanted |= POLLOUT;
    return wanted;
  };
  waited[0].events = events(to_upstream_, to_client_);
  waited[1].events = events(to_client_, to_upstream_);
  // An end of which nothing is wanted would be reported again and again once it hangs up.
  waited[0].fd = waited[0].events != 0 ? client_.fd() : -1;
  waited[1].fd = waited[1].events != 0 ? upstream_.fd() : -1;
  const bool is_blocked = !to_client_.piece.empty() || !to_upstream_.piece.empty();
  const bool is_half = to_client_.ended || to_upstream_.ended;
  Millis timeout = is_blocked ? rules_.stall : is_half ? rules_.half_closed : kQuiet;
  const bool client_has = (waited[0].events & POLLIN) != 0 && client_.HasBuffered();
  const bool upstream_has = (waited[1].events & POLLIN) != 0 && upstream_.HasBuffered();
  const bool has_buffered = client_has || upstream_has;
  if (has_buffered) timeout = Millis(0);
  const int ready = TRY(Poll(waited, timeout));
  if (client_has) waited[0].revents |= POLLIN;
  if (upstream_has) waited[1].revents |= POLLIN;
  return ready != 0 || has_buffered || (!is_blocked && !is_half);
}

Result<void> Relaying::Run() {
  constexpr int16_t kReadable = POLLIN | POLLHUP | POLLERR;
  std::array<pollfd, 2> waited{};
  TRY(WriteClient());
  while (!to_client_.passed_on || !to_upstream_.passed_on) {
    waited[0].revents = waited[1].revents = 0;
    if (!TRY(Wait(waited))) {
      if (to_client_.piece.empty() && to_upstream_.piece.empty()) return {};
      return Failure(GivenUp(to_client_.piece.empty() ? "the upstream takes nothing more"
                                                      : "the client takes nothing more"));
    }
    const bool reads_client = (waited[0].events & POLLIN) != 0;
    const bool reads_upstream = (waited[1].events & POLLIN) != 0;
    if (reads_client && (waited[0].revents & kReadable) != 0) TRY(ReadClient());
    if (reads_upstream && (waited[1].revents & kReadable) != 0) TRY(ReadUpstream());
    TRY(WriteClient());
    TRY(WriteUpstream());
  }
  return {};
}

}  // namespace

Result<void> Relay(ByteStream& client, Stream& upstream, InputBuffer& upstream_input,
                   const RelayRules& rules) {
  Relaying relaying(client, upstream, rules);
  relaying.to_client().piece = std::exchange(upstream_input, InputBuffer());
  return relaying.Run();
}

}  // namespace cay::http
