#include "engine/native/spawn/netns.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/ids/userns.h"
#include "engine/native/ipc/packet.h"
#include "engine/native/ipc/worker.h"

namespace cay::engine::native {
namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

struct Setting {
  const char* file;
  std::string_view value;
};

// What the kernel keeps for connections that are over (264 bytes each), and how much a socket may
// come to hold by itself: neither is charged to a cgroup in full. On a loopback windows of half a
// MiB are as fast as the default's 32.
constexpr std::array<Setting, 2> kBounds = {{
    {"/proc/sys/net/ipv4/tcp_max_tw_buckets", "4096"},
    {"/proc/sys/net/ipv4/tcp_rmem", "4096 131072 524288"},
}};

// In a network of its own everybody may serve port 80 and ping, as in docker's containers. Ids that
// have no mapping cannot be named: of an ordinary user's sandbox there is one.
constexpr Setting kAnyPort = {"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"};
constexpr Setting kPing = {"/proc/sys/net/ipv4/ping_group_range", "0 2147483647"};
constexpr Setting kPingOfOne = {"/proc/sys/net/ipv4/ping_group_range", "1000 1000"};
static_assert(kUserId == 1000);

// Not everywhere is /proc/sys writable; the bounds of guest/confinement/socket_bounds.h stand
// without it.
Result<void> Set(const Setting& setting) {
  const auto file = sys::OpenAt(AT_FDCWD, setting.file, O_WRONLY);
  if (file) TRY(sys::Write(*file, setting.value, setting.file));
  return {};
}

Result<void> BringLoopbackUp() {
  const int raw = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return Failure(Error::FromErrno("opening a socket"));
  const Fd socket = Fd::Adopt(raw);
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  TRY(sys::Ioctl(socket, SIOCSIFFLAGS, &request, "bringing lo up"));
  return {};
}

Result<void> Send(const Fd& socket, const Netns& netns) {
  std::vector<const Fd*> fds = {&netns.fd};
  for (const Fd& fd : netns.furniture.fds) fds.push_back(&fd);
  return SendPacket(socket, PacketType::kReply, netns.furniture.text, fds);
}

}  // namespace

Result<void> PrepareNetwork(bool single_user) {
  for (const Setting& bound : kBounds) TRY(Set(bound));
  TRY(Set(kAnyPort));
  TRY(Set(single_user ? kPingOfOne : kPing));
  return BringLoopbackUp();
}

Result<NetnsPool> NetnsPool::Open(size_t wanted, Furnish furnish) {
  Fd home = TRY(sys::OpenAt(AT_FDCWD, kOwnNetns, O_RDONLY));
  return NetnsPool(std::move(home), wanted, furnish);
}

void NetnsPool::GoHome() const {
  if (::setns(home_.get(), CLONE_NEWNET) == 0) return;
  LogError("cannot return to the host's network namespace");
  std::abort();
}

// With this thread inside.
Result<Netns> NetnsPool::MakeHere() const {
  TRY(PrepareNetwork(/*single_user=*/false));
  Netns made{.fd = TRY(sys::OpenAt(AT_FDCWD, kOwnNetns, O_RDONLY))};
  if (furnish_ != nullptr) made.furniture = TRY(furnish_());
  return made;
}

Result<Netns> NetnsPool::Make() const {
  TRY(sys::Unshare(CLONE_NEWNET));
  Result<Netns> made = MakeHere();
  GoHome();
  return made;
}

Result<bool> NetnsPool::Refill() {
  if (ready_.size() >= wanted_.target()) return false;
  ready_.push_back(TRY(Make()));
  return true;
}

// In the worker.
void NetnsPool::Serve(const Fd& socket, Furnish furnish) {
  const auto pool = Open(0, furnish);
  while (pool) {
    const auto request = ReceivePacket(socket);
    if (!request || !*request) return;
    const auto made = pool->Make();
    const auto sent = made ? Send(socket, *made)
                           : SendPacket(socket, PacketType::kFailed, EncodeError(made.error()));
    if (!sent) return;
  }
}

// What has come of the worker. One that failed is nothing: who needs one finds out why.
void NetnsPool::Collect() {
  while (worker_ && coming_ > 0) {
    pollfd poller{.fd = worker_->get(), .events = POLLIN, .revents = 0};
    if (::poll(&poller, 1, 0) != 1) return;
    auto packet = ReceivePacket(*worker_);
    if (!packet || !*packet) {
      LetGo();
      return;
    }
    --coming_;
    std::vector<Fd>& fds = (*packet)->fds;
    if ((*packet)->type != PacketType::kReply || fds.empty()) continue;
    Netns& come = ready_.emplace_back(Netns{.fd = std::move(fds.front())});
    fds.erase(fds.begin());
    come.furniture = {.text = std::move((*packet)->body), .fds = std::move(fds)};
  }
}

Result<void> NetnsPool::Order() {
  Collect();
  while (ready_.size() + coming_ < wanted_.target()) {
    if (!worker_) {
      worker_ = TRY(StartWorker(
          "cay-netns", [furnish = furnish_](const Fd& socket) { Serve(socket, furnish); }));
    }
    if (auto sent = SendPacket(*worker_, PacketType::kRequest, {}); !sent) {
      LetGo();
      return sent;
    }
    ++coming_;
  }
  return {};
}

void NetnsPool::Shrink() {
  wanted_.Rest();
  Collect();
  while (ready_.size() > wanted_.target()) ready_.pop_back();
}

void NetnsPool::LetGo() {
  worker_.reset();
  coming_ = 0;
}

std::optional<Netns> NetnsPool::TakeReady() {
  if (ready_.empty()) Collect();
  if (ready_.empty()) {
    wanted_.NoteMiss();
    return std::nullopt;
  }
  Netns netns = std::move(ready_.front());
  ready_.pop_front();
  return netns;
}

Result<Netns> NetnsPool::Take() {
  std::optional<Netns> ready = TakeReady();
  return ready ? *std::move(ready) : Make();
}

Result<void> NetnsPool::Inside(const Fd& netns,
                               const std::function<Result<void>()>& function) const {
  TRY(sys::SetNs(netns, CLONE_NEWNET));
  Result<void> result = function();
  GoHome();
  return result;
}

}  // namespace cay::engine::native
