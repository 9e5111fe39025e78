#include "http/server/server.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <system_error>

#include "base/os/log.h"
#include "http/server/server_core.h"

#if defined(__SANITIZE_THREAD__)
// Once epoll_ctl has armed a connection again, the thread that gets its event may close it while
// epoll_ctl is still returning in the first one. The kernel orders the two; ThreadSanitizer takes
// the call for a use of the descriptor.
extern "C" const char* __tsan_default_suppressions() {
  return "race:cay::http::ServerCore::Watch\n";
}
#endif

namespace cay::http {
namespace {

// So many threads stay when there is nothing to do.
constexpr size_t kMinThreads = 2;
// Beyond one for each request under way: those that wait, and those that refuse.
constexpr size_t kSpareThreads = 4;
// Shares are one in so many. A slow sender of a body that is read as it comes holds a thread, so
// these have only so many of all requests; one client has so much of the memory for bodies, and so
// many of the public's places.
constexpr uint64_t kUploadShare = 2;
constexpr uint64_t kClientsBodyShare = 4;
constexpr uint64_t kClientsPublicShare = 4;
constexpr int kSurplusMs = 30'000;  // a thread that nobody needed for so long ends
constexpr Millis kSweepInterval{500};
constexpr Millis kAcceptPause{100};

// Connections are descriptors: take what the kernel allows.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    LogWarning("the limit of open files could not be raised: " +
               Error::FromErrno("setrlimit").message());
  }
}

// As many connections as there are descriptors for, beside those that requests need.
size_t ConnectionsFor(const ServerLimits& limits) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return limits.max_connections;
  constexpr rlim_t kForRequests = 2048;
  const auto room =
      static_cast<size_t>(files.rlim_cur - std::min(kForRequests, files.rlim_cur / 4));
  if (room >= limits.max_connections) return limits.max_connections;
  LogWarning("this process may open " + std::to_string(files.rlim_cur) +
             " files: it takes at most " + std::to_string(room) + " connections, not the " +
             std::to_string(limits.max_connections) + " that are configured");
  return room;
}

// Beside those of requests with a key.
uint64_t PublicPlaces(const ServerLimits& limits) {
  constexpr uint64_t kPublicShare = 16;
  return std::max<uint64_t>(1, limits.max_active / kPublicShare);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Handler handler,
                                              Screen screen) {
  if (options.listen.empty()) {
    return Failure(Error::Invalid("there is nothing to listen on")
                       .WithRemedy("give an address: --listen 127.0.0.1:8888"));
  }
  RaiseDescriptorLimit();
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return Failure(Error::FromErrno("epoll_create1"));
  Fd epoll_fd = Fd::Adopt(epoll);
  Wakeup wake = TRY(Wakeup::Make());
  Wakeup ending = TRY(Wakeup::Make());
  auto core =
      std::make_unique<ServerCore>(std::move(options), std::move(handler), std::move(screen),
                                   std::move(epoll_fd), std::move(wake), std::move(ending));
  TRY(core->Begin());
  return core;
}

ServerCore::ServerCore(ServerOptions options, Handler handler, Screen screen, Fd epoll, Wakeup wake,
                       Wakeup ending)
    : options_(std::move(options)),
      handler_(std::move(handler)),
      screen_(std::move(screen)),
      max_connections_(ConnectionsFor(options_.limits)),
      connection_places_(
          {.whole = max_connections_, .each = options_.limits.max_connections_per_client}),
      places_({.whole = options_.limits.max_active, .each = options_.limits.max_active_per_client}),
      public_places_(
          {.whole = PublicPlaces(options_.limits),
           .each = std::max<uint64_t>(1, PublicPlaces(options_.limits) / kClientsPublicShare)}),
      uploads_({.whole = std::max<uint64_t>(1, options_.limits.max_active / kUploadShare),
                .each = (options_.limits.max_active_per_client + 1) / kUploadShare}),
      bodies_({.whole = options_.limits.max_bodies_held,
               .each = options_.limits.max_bodies_held / kClientsBodyShare}),
      request_ended_([this] {
        if (!draining_) return;
        const std::lock_guard lock(threads_mutex_);
        threads_changed_.notify_all();
      }),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      ending_(std::move(ending)) {}

ServerCore::~ServerCore() {
  stopping_ = true;
  StopListeners();
  wake_.Raise();
  std::unique_lock lock(threads_mutex_);
  threads_changed_.notify_all();
  // Again and again: a connection may have been accepted meanwhile.
  while (!threads_.empty()) {
    lock.unlock();
    ShutDownAll();
    lock.lock();
    threads_changed_.wait_for(lock, kAcceptPause, [&] { return threads_.empty(); });
  }
  lock.unlock();
  if (sweeper_.joinable()) sweeper_.join();
  for (std::thread& thread : ended_) thread.join();
  connections_.clear();  // while what their requests count in is there
}

Result<void> ServerCore::Begin() {
  if (options_.tls.enabled()) {
    tls_ = TRY(TlsContext::ForServer(options_.tls.certificate_file, options_.tls.key_file));
  }
  for (const ListenAddress& address : options_.listen) {
    listeners_.push_back(TRY(Listen(address, options_.limits.unix_mode)));
  }
  TRY(Watch(wake_source_, wake_.fd(), EPOLLIN, false));
  for (const auto& listener : listeners_) {
    TRY(Watch(*listener, listener->fd.get(), EPOLLIN | EPOLLONESHOT, false));
  }
  for (size_t i = 0; i < kMinThreads; ++i) {
    if (!Spawn()) {
      return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                           "no thread could be started for the server"));
    }
  }
  sweeper_ = std::thread([this] { SweepLoop(); });
  return {};
}

Result<void> ServerCore::Watch(EventSource& source, int fd, uint32_t events, bool again) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  if (::epoll_ctl(epoll_.get(), again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
    return Failure(Error::FromErrno("epoll_ctl"));
  }
  return {};
}

std::vector<ListenAddress> ServerCore::addresses() const {
  std::vector<ListenAddress> addresses;
  for (const auto& listener : listeners_) addresses.push_back(listener->address);
  return addresses;
}

std::shared_ptr<TlsContext> ServerCore::tls() const {
  const std::lock_guard lock(tls_mutex_);
  return tls_;
}

Result<void> ServerCore::ReloadTls() {
  if (!options_.tls.enabled()) return {};
  auto fresh = TRY(TlsContext::ForServer(options_.tls.certificate_file, options_.tls.key_file));
  const std::lock_guard lock(tls_mutex_);
  tls_ = std::move(fresh);
  return {};
}

// One thread's life.
void ServerCore::Work() {
  ::pthread_setname_np(::pthread_self(), "cay-http");
  for (;;) {
    epoll_event event{};
    const int ready = ::epoll_wait(epoll_.get(), &event, 1, kSurplusMs);
    if (stopping_) break;
    if (ready == 0) {
      if (MayEnd()) break;
      continue;
    }
    if (ready < 0) continue;  // EINTR
    waiting_.fetch_sub(1);
    auto& source = *static_cast<EventSource*>(event.data.ptr);
    if (source.kind == EventSource::Kind::kListener) {
      AcceptSome(static_cast<Listener&>(source));
    } else if (source.kind == EventSource::Kind::kConnection) {
      OnReady(static_cast<Connection&>(source));
    }
    waiting_.fetch_add(1);
  }
  const std::lock_guard lock(threads_mutex_);
  const auto self = threads_.find(std::this_thread::get_id());
  ended_.push_back(std::move(self->second));
  threads_.erase(self);
  counters_.threads.store(threads_.size());
  threads_changed_.notify_all();
}

// One of the waiting threads may go as long as enough others wait.
bool ServerCore::MayEnd() {
  size_t waiting = waiting_.load();
  while (waiting > kMinThreads) {
    if (waiting_.compare_exchange_weak(waiting, waiting - 1)) return true;
  }
  return false;
}

// Before a thread does what may block: another one must wait for events. A thread stops counting as
// waiting before it comes here, so the last one always sees that it is the last.
bool ServerCore::EnsureWaiter() { return waiting_.load() > 0 || Spawn(); }

bool ServerCore::Spawn() {
  const std::lock_guard lock(threads_mutex_);
  const size_t most = options_.limits.max_active + PublicPlaces(options_.limits) + kSpareThreads;
  if (stopping_ || threads_.size() >= most) return false;
  waiting_.fetch_add(1);
  try {
    // The thread takes the mutex before it looks itself up.
    std::thread thread([this] { Work(); });
    const std::thread::id id = thread.get_id();
    threads_.emplace(id, std::move(thread));
  } catch (const std::system_error& error) {
    waiting_.fetch_sub(1);
    LogError(std::string("a thread could not be started: ") + error.what());
    return false;
  }
  counters_.threads.store(threads_.size());
  return true;
}

void ServerCore::SweepLoop() {
  ::pthread_setname_np(::pthread_self(), "cay-http-sweep");
  bool accept_paused = false;
  for (;;) {
    std::vector<std::thread> ended;
    {
      std::unique_lock lock(threads_mutex_);
      const Millis pause = accept_paused ? kAcceptPause : kSweepInterval;
      if (threads_changed_.wait_for(lock, pause, [&] { return stopping_.load(); })) return;
      ended.swap(ended_);
    }
    for (std::thread& thread : ended) thread.join();
    accept_paused = Sweep();
  }
}

// Ends the waits that took too long. Whether a listener is still paused.
bool ServerCore::Sweep() {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(connections_mutex_);
    for (const auto& [connection, owner] : connections_) {
      const bool is_over = connection->deadline.load() <= now;
      const bool is_unwanted = draining_ && connection->idle;
      if ((!is_over && !is_unwanted) || connection->expired.exchange(true)) continue;
      if (is_over) ++counters_.timeouts;
      // Makes the socket ready. The half that is left carries a last answer to a request that did
      // not end.
      const bool may_answer = connection->phase == Connection::Phase::kHead ||
                              connection->phase == Connection::Phase::kBody;
      ::shutdown(connection->stream.fd(), may_answer ? SHUT_RD : SHUT_RDWR);
    }
  }
  for (const auto& listener : listeners_) {
    if (draining_ || !listener->paused.exchange(false)) continue;
    if (!Watch(*listener, listener->fd.get(), EPOLLIN | EPOLLONESHOT, true)) {
      listener->paused = true;
    }
  }
  return std::ranges::any_of(listeners_, [](const auto& one) { return one->paused.load(); });
}

// Makes room by ending the waits of those that were idle for longest.
void ServerCore::EvictIdle() {
  constexpr size_t kAtOnce = 64;
  // It looks at every connection there is: not for each of a flood of new ones.
  constexpr Millis kPause{5};
  const std::lock_guard lock(connections_mutex_);
  const auto now = Clock::now();
  if (now < next_eviction_) return;
  next_eviction_ = now + kPause;
  std::vector<std::pair<Clock::time_point, Connection*>> idle;
  for (const auto& [connection, owner] : connections_) {
    if (connection->idle && !connection->expired) {
      idle.emplace_back(connection->deadline.load(), connection);
    }
  }
  const size_t count = std::min(kAtOnce, idle.size());
  const auto middle = idle.begin() + static_cast<std::ptrdiff_t>(count);
  std::ranges::nth_element(idle, middle);
  for (const auto& [deadline, connection] : std::span(idle).first(count)) {
    if (connection->expired.exchange(true)) continue;
    ::shutdown(connection->stream.fd(), SHUT_RDWR);
  }
}

void ServerCore::StopListeners() {
  if (draining_.exchange(true)) return;
  ending_.Raise();
  for (const auto& listener : listeners_) StopListening(*listener);
}

void ServerCore::ShutDownAll() {
  const std::lock_guard lock(connections_mutex_);
  for (const auto& [connection, owner] : connections_) {
    ::shutdown(connection->stream.fd(), SHUT_RDWR);
  }
}

void ServerCore::Drain(Millis patience) {
  StopListeners();
  Sweep();
  {
    std::unique_lock lock(threads_mutex_);
    threads_changed_.wait_for(lock, patience, [&] { return counters_.requests_active == 0; });
  }
  ShutDownAll();
}

}  // namespace cay::http
