#include "guest/sudo/command_request.h"

#include <linux/magic.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/nul.h"
#include "guest/processes/leftovers.h"
#include "guest/spawn/path_lookup.h"
#include "guest/spawn/spawn_error.h"

namespace cay::guest {
namespace {

using protocol::FrameType;

constexpr size_t kDescriptors = 3;

Failure Refused(std::string message) {
  return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, std::move(message)));
}

// The last close of a socket of the internet may wait for its peer (SO_LINGER in socket(7)), and of
// anything else that is not one of these, who knows.
bool ClosesAtOnce(const Fd& fd) {
  struct stat info{};
  struct statfs filesystem{};
  if (::fstat(fd.get(), &info) < 0 || ::fstatfs(fd.get(), &filesystem) < 0) return false;
  if (filesystem.f_type == ANON_INODE_FS_MAGIC) return false;  // epoll and the like
  if (S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode) ||
      S_ISDIR(info.st_mode)) {
    return true;
  }
  int domain = 0;
  socklen_t length = sizeof domain;
  return S_ISSOCK(info.st_mode) &&
         ::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

std::vector<Fd> DescriptorsOf(msghdr& message) {
  std::vector<Fd> taken;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int raw = -1;
      std::memcpy(&raw, CMSG_DATA(part) + i * sizeof(int), sizeof raw);
      taken.push_back(Fd::Adopt(raw));
    }
  }
  return taken;
}

Result<void> CheckRequest(const protocol::StartRequest& request) {
  if (request.argv.empty() || request.argv.front().empty() || request.cwd.empty())
    return Refused("a request without a command or a directory");
  if (HasNul(request.cwd) || std::ranges::any_of(request.argv, HasNul) ||
      std::ranges::any_of(request.env, HasNul)) {
    return Refused("a request with a NUL in a string");
  }
  const bool more = request.stdin_open || !request.rlimits.empty() ||
                    !request.account_env.empty() || request.shell || request.make_directory ||
                    request.passing;
  if (more) return Refused("a request with fields that are the host's");
  return {};
}

Result<ucred> WhoAsks(const Fd& socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
    return Failure(Error::FromErrno("asking who asks"));
  return peer;
}

Result<void> CheckRights(uid_t uid) {
  if (IsAdministrator(uid, ReadAccountFiles())) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "user " + std::to_string(uid) + " may not start commands as others")
                     .WithRemedy("root can let it: usermod -aG sudo NAME"));
}

}  // namespace

CommandRequest::CommandRequest(Surroundings surroundings, Fd socket,
                               std::function<void(CommandRequest&)> on_closed)
    : in_(surroundings), socket_(std::move(socket)), on_closed_(std::move(on_closed)) {}

CommandRequest::~CommandRequest() {
  in_.loop.CancelTimer(*this);
  if (!closed_) in_.loop.Forget(socket_.get());
}

Result<void> CommandRequest::Begin() {
  TRY(in_.loop.Watch(socket_.get(), EPOLLIN, *this));
  in_.loop.SetTimer(*this, EventLoop::Clock::now() + kRequestPatience);
  return {};
}

void CommandRequest::OnTime() {
  const auto self = shared_from_this();
  Fail(Error(ErrorCode::kTimeout, Fault::kCaller, "the request did not come"));
}

void CommandRequest::OnReady(uint32_t events) {
  const auto self = shared_from_this();
  if ((events & EPOLLIN) == 0) {
    Close();
    return;
  }
  if (const Result<void> read = Read(); !read) Fail(read.error());
}

Result<void> CommandRequest::Read() {
  const std::span<char> space = parser_.Space();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptors * sizeof(int))> control{};
  iovec part{.iov_base = space.data(), .iov_len = space.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  std::vector<Fd> taken = got < 0 ? std::vector<Fd>() : DescriptorsOf(message);
  if (!std::ranges::all_of(taken, ClosesAtOnce))
    return Refused("stdio that is no file, pipe, terminal or Unix socket");
  if (got <= 0) {
    Close();
    return {};
  }
  if (!taken.empty()) {
    if (asked_ || !descriptors_.empty()) return Refused("descriptors that nobody asked for");
    descriptors_ = std::move(taken);
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) return Refused("more descriptors than stdio has");
  parser_.Commit(static_cast<size_t>(got));
  while (!closed_) {
    const auto frame = TRY(parser_.Next());
    if (!frame) break;
    TRY(Take(*frame));
  }
  return {};
}

Result<void> CommandRequest::Take(const protocol::Frame& frame) {
  if (asked_) {
    if (frame.type != FrameType::kSignal) return Refused("a frame after the request");
    return Signal(TRY(protocol::Decode<protocol::SignalRequest>(frame.payload)));
  }
  if (frame.type != FrameType::kStart) return Refused("the first frame is no request");
  asked_ = true;
  in_.loop.CancelTimer(*this);
  return Start(TRY(protocol::Decode<protocol::StartRequest>(frame.payload)));
}

Result<void> CommandRequest::TakeDescriptors() {
  if (descriptors_.size() != kDescriptors) return Refused("a request without its stdio");
  if (request_.terminal) {
    const auto terminal =
        std::ranges::find_if(descriptors_, [](const Fd& fd) { return ::isatty(fd.get()) == 1; });
    if (terminal == descriptors_.end()) return Refused("a request without its terminal");
    job_.terminal = static_cast<int>(terminal - descriptors_.begin());
  }
  job_.stdin_fd = std::move(descriptors_[0]);
  job_.stdout_fd = std::move(descriptors_[1]);
  job_.stderr_fd = std::move(descriptors_[2]);
  descriptors_.clear();
  return {};
}

Result<void> CommandRequest::Start(protocol::StartRequest request) {
  TRY(CheckRequest(request));
  const ucred peer = TRY(WhoAsks(socket_));
  TRY(CheckRights(peer.uid));
  request_ = std::move(request);
  job_.account = TRY(LookUpUser(request_.user.empty() ? "0" : request_.user, false));
  job_.capabilities = CapabilitiesOf(job_.account.uid, in_.privileges);
  auto limits = LimitsOf(in_.proc, peer.pid);
  if (!limits) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "the process that asks is gone"));
  }
  job_.rlimits = *std::move(limits);
  job_.candidates = ExecCandidates(request_.argv.front(), request_.env);
  if (job_.candidates.empty()) {
    return Failure(Error(ErrorCode::kCommandNotFound, Fault::kCaller, "the command is too long"));
  }
  job_.Borrow(request_.argv, request_.env);
  job_.cwd = request_.cwd;
  TRY(TakeDescriptors());
  return in_.processes.Launch(shared_from_this());
}

void CommandRequest::OnSpawned() {
  job_.CloseStdio();
  if (job_.failed != SpawnStage::kNone) {
    Fail(DescribeSpawnFailure(job_));
    return;
  }
  job_.LetGoOfStrings();
  request_ = {};
  spawned_ = true;
  if (closed_) {
    ::kill(-job_.pid, SIGHUP);  // who asked went away meanwhile
    return;
  }
  protocol::Started started;
  started.pid = job_.pid;
  Send(FrameType::kStarted, protocol::Encode(started));
}

void CommandRequest::OnReaped(int wait_status) {
  reaped_ = true;
  protocol::Exited exited;
  if (WIFSIGNALED(wait_status)) {
    exited.signal = static_cast<uint32_t>(WTERMSIG(wait_status));
  } else {
    exited.exit_code = WEXITSTATUS(wait_status);
  }
  if (!closed_) Send(FrameType::kExited, protocol::Encode(exited));
  Close();
}

Result<void> CommandRequest::Signal(const protocol::SignalRequest& request) const {
  if (!runs()) return {};
  const pid_t target =
      request.target == protocol::SignalTarget::kGroup ? -job_.pid : pid_t{job_.pid};
  ::kill(target, static_cast<int>(request.signal));
  return {};
}

// The few bytes of an answer always have room; who does not read them is not answered.
void CommandRequest::Send(FrameType type, std::string_view payload) const {
  const std::string frame = protocol::MakeFrame(type, payload);
  [[maybe_unused]] const ssize_t sent =
      ::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void CommandRequest::Fail(const Error& error) {
  if (!closed_) Send(FrameType::kError, protocol::Encode(protocol::ToMessage(error)));
  Close();
}

void CommandRequest::Close() {
  if (closed_) return;
  closed_ = true;
  in_.loop.CancelTimer(*this);
  in_.loop.Forget(socket_.get());
  ::shutdown(socket_.get(), SHUT_RDWR);
  if (runs()) ::kill(-job_.pid, SIGHUP);
  on_closed_(*this);
}

}  // namespace cay::guest
