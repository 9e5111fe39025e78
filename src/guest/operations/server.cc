#include "guest/operations/server.h"

#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "guest/operations/file_operations.h"
#include "guest/operations/process_operations.h"
#include "protocol/process_messages.h"

namespace cay::guest {

using protocol::FrameType;

namespace {
constexpr auto kAcceptPause = std::chrono::milliseconds(20);
}  // namespace

OperationOpener FindOpener(FrameType type) {
  switch (type) {
    case FrameType::kPing:
      return &OpenPing;
    case FrameType::kStart:
      return &OpenStart;
    case FrameType::kAttach:
      return &OpenAttach;
    case FrameType::kListProcesses:
      return &OpenListProcesses;
    case FrameType::kSignal:
      return &OpenSignal;
    case FrameType::kResize:
      return &OpenResize;
    case FrameType::kOpenStdin:
      return &OpenStdin;
    case FrameType::kKillLeftovers:
      return &OpenKillLeftovers;
    case FrameType::kWait:
      return &OpenWait;
    case FrameType::kReadFile:
      return &OpenReadFile;
    case FrameType::kWriteFile:
      return &OpenWriteFile;
    case FrameType::kList:
      return &OpenList;
    case FrameType::kStat:
      return &OpenStat;
    case FrameType::kMakeDirectory:
      return &OpenMakeDirectory;
    case FrameType::kMove:
      return &OpenMove;
    case FrameType::kRemove:
      return &OpenRemove;
    case FrameType::kChangeMode:
      return &OpenChangeMode;
    case FrameType::kWatch:
      return &OpenWatch;
    case FrameType::kArchiveOut:
      return &OpenArchiveOut;
    case FrameType::kArchiveIn:
      return &OpenArchiveIn;
    case FrameType::kConnectPort:
      return &OpenConnectPort;
    default:
      return nullptr;
  }
}

Result<void> Server::Begin() {
  TRY(SetNonBlocking(listener_, true));
  return guest_.loop.Watch(listener_.get(), EPOLLIN, *this);
}

void Server::OnReady(uint32_t /*events*/) {
  const int raw = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (raw < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    // Out of descriptors or memory: who connects waits in the backlog, and the loop must not turn
    // around that.
    guest_.loop.Change(listener_.get(), 0);
    guest_.loop.SetTimer(*this, EventLoop::Clock::now() + kAcceptPause);
    return;
  }
  Fd socket = Fd::Adopt(raw);
  if (connections_.size() >= protocol::kMaxConnections) {
    const std::string frame = protocol::MakeFrame(
        FrameType::kError, protocol::Encode(protocol::ToMessage(Error(
                               ErrorCode::kResourceExhausted, Fault::kCaller,
                               "the guest has its maximum of " +
                                   std::to_string(protocol::kMaxConnections) + " connections"))));
    ::send(socket.get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  connections_.push_back(std::make_unique<Connection>(guest_, std::move(socket),
                                                      [this](Connection& c) { Remove(c); }));
  Connection& connection = *connections_.back();
  if (!connection.Begin()) Remove(connection);
}

void Server::OnTime() { guest_.loop.Change(listener_.get(), EPOLLIN); }

void Server::Remove(Connection& connection) {
  const auto found = std::ranges::find_if(
      connections_, [&](const auto& known) { return known.get() == &connection; });
  if (found == connections_.end()) return;
  guest_.loop.Dispose(std::move(*found));
  connections_.erase(found);
}

}  // namespace cay::guest
