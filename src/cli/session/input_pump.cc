#include "cli/session/input_pump.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <thread>

#include "base/os/wakeup.h"
#include "base/units.h"
#include "cli/client/api_client.h"
#include "cli/client/target.h"
#include "cli/session/event_source.h"

namespace cay::cli {
namespace {

// Of one request: what a pipe holds.
constexpr size_t kPieceBytes = 64 * 1024;

}  // namespace

struct InputPump::Shared {
  Shared(ApiClient client, std::string path, Wakeup at_end, Wakeup to_stop)
      : api(std::move(client)),
        target(std::move(path)),
        ended(std::move(at_end)),
        stop(std::move(to_stop)) {}

  Result<void> Run();
  Result<void> SendPiece(std::string_view bytes, bool close);
  // False when the pump is to stop.
  bool WaitFor(int fd, int timeout_ms) const;

  ApiClient api;
  std::string target;
  Wakeup ended;
  Wakeup stop;
  std::mutex mutex;
  Result<void> result;  // under mutex
};

bool InputPump::Shared::WaitFor(int fd, int timeout_ms) const {
  std::array<pollfd, 2> polled = {pollfd{stop.fd(), POLLIN, 0}, pollfd{fd, POLLIN, 0}};
  while (::poll(polled.data(), polled.size(), timeout_ms) < 0 && errno == EINTR) {
  }
  return polled[0].revents == 0;
}

Result<void> InputPump::Shared::SendPiece(std::string_view bytes, bool close) {
  const auto until = std::chrono::steady_clock::now() + EventSource::kPatience;
  while (true) {
    http::ClientRequest request;
    request.method = "POST";
    request.target = target + (close ? "?close=true" : "");
    request.headers.Add("Content-Type", "application/octet-stream");
    request.body = bytes;
    Result<std::unique_ptr<http::ClientResponse>> sent = api.Send(std::move(request));
    if (sent) {
      const Result<std::string> rest = (*sent)->ReadAll(kMaxAnswerBytes);
      return rest ? Result<void>() : Failure(rest.error());
    }
    // Only a request that never left may be sent again.
    const bool refused =
        sent.error().sys_errno() == ECONNREFUSED || sent.error().sys_errno() == ENOENT;
    if (!refused || std::chrono::steady_clock::now() >= until) {
      return Failure(std::move(sent).error());
    }
    if (!WaitFor(-1, 500)) return {};
  }
}

Result<void> InputPump::Shared::Run() {
  std::array<char, kPieceBytes> buffer;
  while (WaitFor(STDIN_FILENO, -1)) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    // EIO: the terminal was hung up.
    const size_t size = got > 0 ? static_cast<size_t>(got) : 0;
    Result<void> sent = SendPiece(std::string_view(buffer.data(), size), size == 0);
    if (!sent) {
      const ErrorCode code = sent.error().code();
      const bool unwanted = code == ErrorCode::kIllegalState || code == ErrorCode::kNotFound;
      if (unwanted) return {};
      return Failure(std::move(sent).error().WithContext("standard input"));
    }
    if (size == 0) return {};
  }
  return {};
}

Result<InputPump> InputPump::Start(const Connection& connection, std::string sandbox,
                                   std::string process) {
  ApiClient api = TRY(ApiClient::Open(connection));
  Wakeup ended = TRY(Wakeup::Make());
  Wakeup stop = TRY(Wakeup::Make());
  auto shared = std::make_shared<Shared>(std::move(api), ProcessPath(sandbox, process, "/stdin"),
                                         std::move(ended), std::move(stop));
  std::thread([shared] {
    Result<void> result = shared->Run();
    const std::scoped_lock lock(shared->mutex);
    shared->result = std::move(result);
    shared->ended.Raise();
  }).detach();
  return InputPump(std::move(shared));
}

InputPump::~InputPump() {
  if (shared_) shared_->stop.Raise();
}

int InputPump::fd() const { return shared_->ended.fd(); }

Result<void> InputPump::Finished() {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->result;
}

}  // namespace cay::cli
