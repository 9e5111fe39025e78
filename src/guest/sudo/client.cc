#include "guest/sudo/client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/os/sys.h"
#include "guest/spawn/accounts.h"
#include "guest/spawn/request_socket.h"
#include "guest/sudo/own_terminal.h"
#include "guest/sudo/wanted_command.h"
#include "protocol/frame.h"
#include "protocol/process_messages.h"

extern char** environ;

namespace cay::guest::sudo {
namespace {

using protocol::FrameType;

constexpr int kRefused = 1;  // sudo's, whatever went wrong before the command

// What is sent on to the command. At a terminal its keys make them there.
constexpr std::array<int, 8> kForwarded = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                           SIGUSR1, SIGUSR2, SIGALRM, SIGCONT};

Error NoRoot() {
  return {ErrorCode::kNotSupported, Fault::kCaller,
          "there is no root here: the sandbox was made without root's privileges"};
}

Result<Fd> Connect() {
  const int raw = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return Failure(Error::FromErrno("a socket"));
  Fd socket = Fd::Adopt(raw);
  const RequestAddress at = AddressOfRequests();
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&at.address), at.length) == 0)
    return socket;
  if (errno == ECONNREFUSED || errno == EPERM) return Failure(NoRoot());
  return Failure(Error::FromErrno("asking for root"));
}

Result<void> SendRest(const Fd& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    // It may have been refused already: then the answer says why.
    if (sent < 0 && errno == EPIPE) return {};
    if (sent < 0) return Failure(Error::FromErrno("asking for root"));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

// The descriptors go with the first bytes.
Result<void> SendRequest(const Fd& socket, const protocol::StartRequest& request,
                         const std::array<int, 3>& stdio) {
  const std::string payload = protocol::Encode(request);
  if (payload.size() > protocol::kMaxStartBytes)
    return Failure(Error::Invalid("arguments and environment are too long"));
  const std::string frame = protocol::MakeFrame(FrameType::kStart, payload);
  iovec part{.iov_base = const_cast<char*>(frame.data()), .iov_len = protocol::kFrameHeaderBytes};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof stdio)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof stdio);
  std::memcpy(CMSG_DATA(rights), stdio.data(), sizeof stdio);
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) !=
      static_cast<ssize_t>(protocol::kFrameHeaderBytes)) {
    return Failure(Error::FromErrno("asking for root"));
  }
  return SendRest(socket, std::string_view(frame).substr(protocol::kFrameHeaderBytes));
}

Result<Fd> CatchSignals() {
  sigset_t caught;
  ::sigemptyset(&caught);
  for (const int signal : kForwarded) ::sigaddset(&caught, signal);
  ::sigaddset(&caught, SIGWINCH);
  ::sigprocmask(SIG_BLOCK, &caught, nullptr);
  ::signal(SIGTTOU, SIG_IGN);  // to set a terminal's modes from the background
  const int raw = ::signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
  if (raw < 0) return Failure(Error::FromErrno("signalfd"));
  return Fd::Adopt(raw);
}

// From the request to the command's end.
class Wait {
 public:
  Wait(Fd socket, Fd signals, std::optional<OwnTerminal> terminal)
      : socket_(std::move(socket)), signals_(std::move(signals)), terminal_(std::move(terminal)) {}

  Result<protocol::Exited> UntilExited() {
    while (!exited_) TRY(Round());
    if (terminal_) terminal_->ShowRest();
    return *exited_;
  }

 private:
  Result<void> Round() {
    std::array<pollfd, 4> pollers = {
        pollfd{.fd = socket_.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = terminal_ && shows_ ? terminal_->master_fd() : -1,
               .events = POLLIN,
               .revents = 0},
        pollfd{
            .fd = terminal_ && types_ ? terminal_->input_fd() : -1, .events = POLLIN, .revents = 0},
    };
    if (::poll(pollers.data(), pollers.size(), -1) < 0) {
      if (errno == EINTR) return {};
      return Failure(Error::FromErrno("poll"));
    }
    if (pollers[2].revents != 0) shows_ = terminal_->FromCommand();
    if (pollers[3].revents != 0) types_ = terminal_->FromCaller();
    if (pollers[1].revents != 0) TakeSignal();
    if (pollers[0].revents != 0) return Read();
    return {};
  }

  void TakeSignal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) return;
    const auto signal = static_cast<int>(info.ssi_signo);
    if (terminal_ && signal == SIGWINCH) terminal_->TakeSize();
    if (terminal_ && signal == SIGCONT) terminal_->TakeForeground();
    if (signal == SIGWINCH) return;
    const protocol::SignalRequest request{
        .process = 0, .signal = info.ssi_signo, .target = protocol::SignalTarget::kGroup};
    [[maybe_unused]] const Result<void> sent =
        SendRest(socket_, protocol::MakeFrame(FrameType::kSignal, protocol::Encode(request)));
  }

  Result<void> Read() {
    const std::span<char> space = parser_.Space();
    const ssize_t got = ::recv(socket_.get(), space.data(), space.size(), 0);
    if (got < 0 && errno == EINTR) return {};
    if (got <= 0) return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "no answer came"));
    parser_.Commit(static_cast<size_t>(got));
    while (const auto frame = TRY(parser_.Next())) TRY(Take(*frame));
    return {};
  }

  Result<void> Take(const protocol::Frame& frame) {
    if (frame.type == FrameType::kError) {
      return Failure(
          protocol::FromMessage(TRY(protocol::Decode<protocol::ErrorMessage>(frame.payload))));
    }
    if (frame.type == FrameType::kStarted && terminal_) terminal_->Begin();
    if (frame.type == FrameType::kExited)
      exited_ = TRY(protocol::Decode<protocol::Exited>(frame.payload));
    return {};
  }

  Fd socket_;
  Fd signals_;
  std::optional<OwnTerminal> terminal_;
  protocol::FrameParser parser_{protocol::Sender::kGuest, 4096};
  std::optional<protocol::Exited> exited_;
  bool shows_ = true;
  bool types_ = true;
};

std::string Spec(const WantedCommand& wanted) {
  return wanted.group.empty() ? wanted.user : wanted.user + ":" + wanted.group;
}

Result<Caller> WhoCalls() {
  Caller caller;
  caller.account = TRY(LookUpUser(std::to_string(::getuid()), false));
  for (char** variable = environ; *variable != nullptr; ++variable)
    caller.env.emplace_back(*variable);
  std::array<char, 4096> path{};
  caller.directory = ::getcwd(path.data(), path.size()) == nullptr ? "/" : path.data();
  return caller;
}

Result<protocol::Exited> RunWanted(const WantedCommand& wanted) {
  const Account target = TRY(LookUpUser(Spec(wanted), false));
  protocol::StartRequest request = TRY(MakeRequest(wanted, target, TRY(WhoCalls())));
  Fd socket = TRY(Connect());
  Fd signals = TRY(CatchSignals());
  std::optional<OwnTerminal> terminal = TRY(OwnTerminal::Open());
  std::array<int, 3> stdio = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  if (terminal) {
    request.terminal = protocol::TerminalSize();  // its size it has already
    for (int& fd : stdio) fd = terminal->Replaced(fd);
  }
  TRY(SendRequest(socket, request, stdio));
  return Wait(std::move(socket), std::move(signals), std::move(terminal)).UntilExited();
}

int EndLike(const protocol::Exited& exited) {
  if (exited.signal == 0) return exited.exit_code;
  const auto signal = static_cast<int>(exited.signal);
  ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::raise(signal);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  return 128 + signal;  // one that does not end a process
}

int Complain(const char* program, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", program, error.message().c_str());
  if (!error.remedy().empty())
    std::fprintf(stderr, "%s: %s\n", program, error.remedy().text().c_str());
  return kRefused;
}

int Show() {
  const auto caller = WhoCalls();
  const auto socket = Connect();
  if (!socket) return Complain("sudo", socket.error());
  if (!caller || !IsAdministrator(caller->account.uid, ReadAccountFiles())) {
    std::printf("User %u is not allowed to run sudo here.\n", ::getuid());
    return kRefused;
  }
  std::printf("User %s may run the following commands here:\n    (ALL : ALL) NOPASSWD: ALL\n",
              caller->account.name.c_str());
  return 0;
}

int Do(const char* program, const WantedCommand& wanted, const char* help) {
  switch (wanted.act) {
    case Act::kHelp:
      std::fputs(help, stdout);
      return 0;
    case Act::kVersion:
      std::printf("%s of cay's sandboxes\n", program);
      return 0;
    case Act::kShow:
      return Show();
    case Act::kNothing: {
      const auto socket = Connect();
      return socket ? 0 : Complain(program, socket.error());
    }
    case Act::kRun:
      break;
  }
  if (wanted.background) {
    const pid_t child = ::fork();
    if (child != 0) return child > 0 ? 0 : Complain(program, Error::FromErrno("fork"));
  }
  const auto exited = RunWanted(wanted);
  return exited ? EndLike(*exited) : Complain(program, exited.error());
}

// Root has what su(1) needs, where it is set up (pam.d(5)), and that knows more.
void BecomeRealSu(std::span<const std::string> arguments) {
  if (::access("/etc/pam.d/su", R_OK) != 0) return;
  std::vector<const char*> argv = {"su"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  argv.push_back(nullptr);
  for (const char* path : {"/usr/bin/su", "/bin/su"})
    ::execv(path, const_cast<char* const*>(argv.data()));
}

}  // namespace

int SudoMain(std::span<const std::string> arguments) {
  const auto wanted = ParseSudo(arguments);
  return wanted ? Do("sudo", *wanted, kSudoHelp) : Complain("sudo", wanted.error());
}

int SuMain(std::span<const std::string> arguments) {
  if (::getuid() == 0) BecomeRealSu(arguments);
  const auto wanted = ParseSu(arguments);
  return wanted ? Do("su", *wanted, kSuHelp) : Complain("su", wanted.error());
}

}  // namespace cay::guest::sudo
