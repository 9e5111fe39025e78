#include "guest/operations/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cassert>

#include "guest/operations/server.h"

namespace cay::guest {
namespace {

using protocol::FrameType;

// Most connections carry one small request; the parser grows when more comes.
constexpr size_t kReadBytes = 16 * 1024;

}  // namespace

Connection::Connection(Guest& guest, Fd socket, OnClosed on_closed)
    : guest_(guest),
      socket_(std::move(socket)),
      on_closed_(std::move(on_closed)),
      parser_(protocol::Sender::kHost, kReadBytes) {}

Connection::~Connection() {
  operation_.reset();
  guest_.loop.Forget(socket_.get());
}

Result<void> Connection::Begin() {
  TRY(guest_.loop.Watch(socket_.get(), EPOLLIN, *this));
  Read();
  return {};
}

void Connection::Send(FrameType type, std::string_view head, std::string_view payload) {
  if (closed_ || finishing_) return;
  const protocol::FrameHeader header =
      protocol::MakeFrameHeader(type, head.size() + payload.size());
  size_t sent = 0;
  if (queued() == 0) {
    std::array<iovec, 3> parts = {
        iovec{const_cast<char*>(header.data()), header.size()},
        iovec{const_cast<char*>(head.data()), head.size()},
        iovec{const_cast<char*>(payload.data()), payload.size()},
    };
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t written = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    // An error other than a full socket shows again when the loop reads.
    if (written > 0) sent = static_cast<size_t>(written);
  }
  for (const std::string_view part :
       {std::string_view(header.data(), header.size()), head, payload}) {
    const size_t skip = std::min(sent, part.size());
    queue_.Append(part.substr(skip));
    sent -= skip;
  }
}

void Connection::Finish() {
  finishing_ = true;
  if (!taking_) Update();
}

void Connection::Fail(const Error& error) {
  SendMessage(FrameType::kError, protocol::ToMessage(error));
  Finish();
}

Result<Connection::Raw> Connection::EnterRaw(EventLoop::Handler& handler) {
  assert(queued() == 0);
  guest_.loop.Forget(socket_.get());
  TRY(guest_.loop.Watch(socket_.get(), 0, handler));
  raw_ = true;
  return Raw{.socket = socket_.get(), .early = std::string(parser_.Pending())};
}

bool Connection::Takes() const { return !finishing_ && (!operation_ || operation_->WantsFrames()); }

void Connection::OnReady(uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    Flush();
    if (!closed_ && !finishing_ && operation_ && operation_->WantsToSend() && HasRoom()) {
      if (const Result<void> done = operation_->OnRoom(); !done) Fail(done.error());
    }
  }
  if (closed_) return;
  if ((events & EPOLLIN) != 0 && !raw_ && Takes()) {
    Read();
  } else if ((events & (EPOLLHUP | EPOLLERR)) != 0 && !raw_) {
    Close();  // nobody is there to be answered
  } else {
    Update();
  }
}

void Connection::Read() {
  // One read a round: a host that sends without end must not keep others waiting.
  const std::span<char> space = parser_.Space();
  const ssize_t got = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
    Close();
    return;
  }
  if (got > 0) parser_.Commit(static_cast<size_t>(got));
  Update();
}

void Connection::TakeFrames() {
  taking_ = true;
  while (!closed_ && Takes()) {
    const auto frame = parser_.Next();
    if (!frame) {
      Fail(frame.error());
    } else if (!*frame) {
      break;
    } else if (const Result<void> done = TakeFrame(**frame); !done) {
      Fail(done.error());
    }
  }
  taking_ = false;
}

Result<void> Connection::TakeFrame(const protocol::Frame& frame) {
  if (opened_) {
    if (operation_) return operation_->OnFrame(frame);
    return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, "a frame after the request"));
  }
  opened_ = true;
  const OperationOpener opener = FindOpener(frame.type);
  if (opener == nullptr) {
    return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, "the first frame is no request"));
  }
  operation_ = TRY(opener(guest_, *this, frame.payload));
  if (!operation_) Finish();
  return {};
}

void Connection::Flush() {
  while (queued() > 0) {
    const ssize_t written =
        ::send(socket_.get(), queue_.front().data(), queued(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) Close();
      return;
    }
    queue_.Take(static_cast<size_t>(written));
  }
}

void Connection::Update() {
  if (closed_ || taking_) return;
  if (!raw_) TakeFrames();
  if (finishing_ && queued() == 0) {
    Close();
    return;
  }
  if (raw_) return;
  const bool sends = queued() > 0 || (!finishing_ && operation_ && operation_->WantsToSend());
  guest_.loop.Change(socket_.get(), (Takes() ? static_cast<uint32_t>(EPOLLIN) : 0U) |
                                        (sends ? static_cast<uint32_t>(EPOLLOUT) : 0U));
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  guest_.loop.Forget(socket_.get());
  on_closed_(*this);
}

}  // namespace cay::guest
