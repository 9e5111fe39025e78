#include "sandbox/projects/content_types.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/os/log.h"
#include "base/os/reap.h"
#include "base/units.h"
#include "sandbox/projects/content_types_child.h"

namespace cay::sandbox {
namespace {

// Its database is read in some milliseconds, a content's child has two seconds of processor time:
// on a machine that is busy with much else.
constexpr Millis kPatience{20'000};

Error Gone(const std::string& what) {
  return Error(ErrorCode::kUnavailable, Fault::kMachine,
               "the process that tells types of files " + what)
      .WithRemedy("try again");
}

// One packet; empty when the other side is gone.
Result<std::string> Receive(const Fd& control) {
  pollfd poller{.fd = control.get(), .events = POLLIN, .revents = 0};
  if (::poll(&poller, 1, static_cast<int>(kPatience.count())) <= 0) {
    return Failure(Gone("did not answer within " + FormatDuration(kPatience)));
  }
  std::array<char, kMaxTypeAnswer> space{};
  const ssize_t got = ::recv(control.get(), space.data(), space.size(), MSG_DONTWAIT);
  if (got <= 0) return Failure(Gone("has ended"));
  return std::string(space.data(), static_cast<size_t>(got));
}

}  // namespace

Result<pid_t> ContentTypes::LaunchSelf(const Fd& control) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, control.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  std::array<char*, 3> argv = {const_cast<char*>("cay"), const_cast<char*>(kContentTypesCommand),
                               nullptr};
  std::array<char*, 1> envp = {nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), envp.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Failure(Error::FromErrno("starting cay content-types", error));
  return pid;
}

Result<std::unique_ptr<ContentTypes>> ContentTypes::Start(Launch launch) {
  std::unique_ptr<ContentTypes> types(new ContentTypes(launch));
  TRY(types->Open());
  return types;
}

ContentTypes::~ContentTypes() { Close(); }

Result<void> ContentTypes::Open() {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  process_ = TRY(launch_(pair.second));
  control_ = std::move(pair.first);
  {
    const Fd theirs = std::move(pair.second);  // so that its end is seen
  }
  const auto greeting = Receive(*control_);
  if (greeting && *greeting == kTypesGreeting) return {};
  Close();
  if (!greeting) return Failure(greeting.error());
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "the database of types of files cannot be read: " + *greeting)
                     .WithRemedy("install libmagic-mgc, or leave projects.allowed_types empty"));
}

void ContentTypes::Close() {
  control_.reset();
  if (process_ > 0 && !KillAndReap(process_))
    LogWarning("cay content-types hangs, and is left behind");
  process_ = -1;
}

Result<std::string> ContentTypes::Ask(std::string_view bytes) {
  if (::send(control_->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
    return Failure(Gone("has ended"));
  }
  return Receive(*control_);
}

Result<std::string> ContentTypes::TypeOf(std::string_view first_bytes) {
  const std::string_view bytes = first_bytes.substr(0, kLookedAt);
  if (bytes.empty()) return std::string();  // an empty packet is none
  const std::lock_guard lock(mutex_);
  if (!control_) TRY(Open());
  auto type = Ask(bytes);
  if (type) return type;
  // It may have been killed since it was asked last; once, since a content that ends it would do so
  // again.
  Close();
  TRY(Open());
  type = Ask(bytes);
  if (!type) Close();
  return type;
}

}  // namespace cay::sandbox
