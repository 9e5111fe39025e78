#include "guest_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "engine/native/seccomp/seccomp_filter.h"

namespace cay::testing {
namespace {

using Clock = std::chrono::steady_clock;

// Far from the ranges that the engine gives out, and from people.
constexpr const char* kIdMap = "0 1879000000 65536\n";

sockaddr_un AddressOf(const std::string& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = directory + "/guest.sock";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// The capabilities that the engine leaves to a guest.
void KeepGuestCapabilities() {
  unsigned kept = 0;
  for (const int capability : {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_SETUID,
                               CAP_SETGID, CAP_SETPCAP, CAP_FSETID, CAP_SYS_PTRACE}) {
    kept |= 1U << capability;
  }
  for (unsigned long capability = 0; capability < 64; ++capability) {
    if (capability < 32 && (kept & 1U << capability) != 0) continue;
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  data[0].effective = data[0].permitted = kept;
  ::syscall(SYS_capset, &header, data.data());
}

// The engine hands out network namespaces with the loopback up.
bool RaiseLoopback() {
  const Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

// In the new namespaces. Exits with the number of the step that failed.
[[noreturn]] void BecomeGuest(int listener, int go) {
  char byte = 0;
  if (::read(go, &byte, 1) != 1) ::_exit(101);
  if (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0) ::_exit(102);
  if (::setgroups(0, nullptr) < 0) ::_exit(102);
  if (::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) ::_exit(103);
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0) ::_exit(104);
  if (::mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
              "newinstance,ptmxmode=0666,mode=0620") < 0) {
    ::_exit(105);
  }
  if (!RaiseLoopback()) ::_exit(110);
  const int null_fd = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) ::dup2(null_fd, fd);
  // Of 3 itself dup2 makes nothing, and it would still be close-on-exec.
  if (::dup2(listener, 3) < 0 || ::fcntl(3, F_SETFD, 0) < 0) ::_exit(106);
  KeepGuestCapabilities();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) ::_exit(107);
  if (!engine::native::InstallSandboxFilter()) ::_exit(108);
  ::execl(CAY_GUEST_PATH, "cay-guest", static_cast<char*>(nullptr));
  ::_exit(109);
}

void Collect(Outcome& outcome, ProcessEvent&& event) {
  if (auto* output = std::get_if<ProcessOutput>(&event)) {
    (output->stream == OutputStream::kStdout ? outcome.out : outcome.err).append(output->bytes);
    outcome.end_seq = output->seq + output->bytes.size();
  } else if (auto* gap = std::get_if<protocol::Gap>(&event)) {
    outcome.gaps.push_back(*gap);
    outcome.end_seq = gap->to;
  } else if (auto* started = std::get_if<protocol::Started>(&event)) {
    outcome.started = *started;
  } else {
    outcome.exited = std::get<protocol::Exited>(std::move(event));
  }
}

}  // namespace

Result<std::unique_ptr<RunningGuest>> RunningGuest::Start() {
  std::string directory = "/tmp/cay-guest-test-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return Failure(Error::FromErrno("mkdtemp"));
  const int raw = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Fd listener = Fd::Adopt(raw);
  const sockaddr_un address = AddressOf(directory);
  if (::bind(raw, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(raw, 128) < 0) {
    return Failure(Error::FromErrno("listening"));
  }
  Pipe go = TRY(MakePipe());
  clone_args args{};
  args.flags =
      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
  args.exit_signal = SIGCHLD;
  const pid_t pid = TRY(sys::Clone3(args));
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    BecomeGuest(listener.get(), go.read.get());
  }
  auto guest = std::unique_ptr<RunningGuest>(new RunningGuest(directory, pid));
  const std::string proc = "/proc/" + std::to_string(pid);
  TRY(WriteKnobAt(AT_FDCWD, proc + "/uid_map", kIdMap));
  TRY(WriteKnobAt(AT_FDCWD, proc + "/gid_map", kIdMap));
  TRY(WriteAll(go.write.get(), "g"));
  const auto alive = GuestChannel([&] { return guest->Connect(); }, Millis(5000)).Ping();
  if (!alive) {
    int status = 0;
    ::waitpid(pid, &status, WNOHANG);
    return Failure(Error(alive.error()).WithRemedy("wait status " + std::to_string(status)));
  }
  return guest;
}

RunningGuest::~RunningGuest() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::unlink((directory_ + "/guest.sock").c_str());
  ::rmdir(directory_.c_str());
}

Result<Fd> RunningGuest::Connect() const {
  Fd fd = Fd::Adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf(directory_);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return Failure(Error::FromErrno("connecting to the guest"));
  }
  return fd;
}

GuestChannel RunningGuest::Channel() const {
  return GuestChannel([this] { return Connect(); });
}

bool RunningGuest::Alive() const {
  int status = 0;
  return ::waitpid(pid_, &status, WNOHANG) == 0 && Channel().Ping().has_value();
}

Outcome Drive(ProcessStream& stream, std::string_view input, bool close_stdin,
              const std::function<bool(const Outcome&)>& done, Millis patience) {
  Outcome outcome;
  const auto deadline = Clock::now() + patience;
  while (!stream.finished() && !done(outcome)) {
    while (!done(outcome)) {
      auto event = stream.Next();
      if (!event) {
        outcome.error = event.error();
        return outcome;
      }
      if (!*event) break;
      Collect(outcome, **std::move(event));
    }
    if (stream.finished() || done(outcome)) break;
    if (!input.empty()) {
      const auto accepted = stream.WriteStdin(input);
      if (accepted) input.remove_prefix(*accepted);
      if (stream.stdin_closed()) input = {};
    }
    if (input.empty() && std::exchange(close_stdin, false)) {
      EXPECT_TRUE(stream.CloseStdin());
    }
    const auto left = std::chrono::ceil<Millis>(deadline - Clock::now());
    pollfd wait{.fd = stream.fd(), .events = stream.poll_events(), .revents = 0};
    if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) == 0) {
      ADD_FAILURE() << "no end in time; so far: " << outcome.out.substr(0, 200)
                    << outcome.err.substr(0, 200);
      break;
    }
  }
  return outcome;
}

Outcome Finish(ProcessStream& stream, std::string_view input, Millis patience) {
  return Drive(stream, input, true, [](const Outcome&) { return false; }, patience);
}

Outcome ReadUntil(ProcessStream& stream, const std::function<bool(const Outcome&)>& done,
                  Millis patience) {
  return Drive(stream, {}, false, done, patience);
}

protocol::StartRequest Shell(const std::string& script) {
  protocol::StartRequest request;
  request.argv = {"sh", "-c", script};
  request.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"};
  return request;
}

void GuestFixture::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  auto guest = RunningGuest::Start();
  ASSERT_TRUE(guest) << guest.error().ToString();
  guest_ = *std::move(guest);
  channel_ = guest_->Channel();
}

void GuestFixture::TearDown() {
  if (guest_ && !HasFatalFailure()) {
    EXPECT_TRUE(guest_->Alive());
  }
}

Outcome GuestFixture::Run(const protocol::StartRequest& request, std::string_view input) {
  auto stream = channel_->Start(request);
  if (!stream) {
    Outcome outcome;
    outcome.error = stream.error();
    return outcome;
  }
  return Finish(*stream, input);
}

}  // namespace cay::testing
