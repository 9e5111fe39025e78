#include "sandbox/network/doors.h"

#include <condition_variable>
#include <utility>

#include "base/os/log.h"

namespace cay::sandbox {

// What the thread has.
struct Doors::Served final : EventLoop::Handler {
  Served(Doors& its_doors, EventLoop its_loop, Wakeup its_wake)
      : doors(its_doors),
        loop(std::move(its_loop)),
        wake(std::move(its_wake)),
        deadlines(loop),
        dialer(loop, deadlines, its_doors.ask_),
        ports(loop, deadlines, dialer, its_doors.calls_) {}
  void OnReady(uint32_t /*events*/) override {
    wake.Drain();
    doors.RunTasks();
  }

  Doors& doors;
  EventLoop loop;
  Wakeup wake;
  network::Deadlines deadlines;
  PortDialer dialer;
  PublishedPorts ports;
};

Doors::Doors(PortDialer::Ask ask, PublishedPorts::Calls calls)
    : ask_(std::move(ask)), calls_(std::move(calls)) {}

Doors::~Doors() { Stop(); }

// With the lock.
Result<void> Doors::Start() {
  if (stopping_)
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down"));
  if (served_) return {};
  auto served = std::make_unique<Served>(*this, TRY(EventLoop::Create()), TRY(Wakeup::Make()));
  TRY(served->loop.Watch(served->wake.fd(), EPOLLIN, *served));
  served->ports.Permit(permitted_);
  served_ = std::move(served);
  thread_ = std::thread([this] {
    if (const auto ran = served_->loop.Run(); !ran) LogError(ran.error().ToString());
    {
      const std::lock_guard no_more(mutex_);
      stopping_ = true;
    }
    RunTasks();
  });
  return {};
}

Result<void> Doors::Post(Task task) {
  const std::lock_guard lock(mutex_);
  TRY(Start());
  tasks_.push_back(std::move(task));
  served_->wake.Raise();
  return {};
}

void Doors::RunTasks() {
  std::vector<Task> tasks;
  bool stops = false;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
    stops = stopping_;
  }
  for (const Task& task : tasks) task(*served_);
  if (stops) served_->loop.Stop();
}

Result<void> Doors::Await(const Task& task) {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  TRY(Post([&](Served& served) {
    task(served);
    // Told with the lock: who waits owns what is told with.
    const std::lock_guard lock(mutex);
    done = true;
    ended.notify_one();
  }));
  std::unique_lock lock(mutex);
  ended.wait(lock, [&] { return done; });
  return {};
}

void Doors::Dial(PortOf to, PortDialer::Done done) {
  (void)Post([to = std::move(to), done = std::move(done)](Served& served) {
    served.dialer.Dial(to, done);
  });
}

void Doors::Later(std::function<void()> act) {
  (void)Post([act = std::move(act)](Served& /*served*/) { act(); });
}

// Whether the thread has to be asked. Without ports, before and after, it is not.
bool Doors::Note(const SandboxId& sandbox, bool publishes) {
  const std::lock_guard lock(mutex_);
  if (publishes) return publishers_.insert(sandbox), true;
  return publishers_.erase(sandbox) > 0 && served_ && !stopping_;
}

Result<std::vector<std::string>> Doors::Publish(const Publisher& publisher,
                                                const std::vector<std::string>& rules) {
  Result<std::vector<std::string>> published = std::vector<std::string>{};
  if (!Note(publisher.sandbox, !rules.empty())) return published;
  TRY(Await([&](Served& served) { published = served.ports.Publish(publisher, rules); }));
  return published;
}

void Doors::Want(const Publisher& publisher, const std::vector<std::string>& rules) {
  if (!Note(publisher.sandbox, !rules.empty())) return;
  if (const auto done = Await([&](Served& served) { served.ports.Want(publisher, rules); }); !done)
    LogWarning("ports of sandbox " + publisher.sandbox.text() + ": " + done.error().ToString());
}

void Doors::Unpublish(const SandboxId& sandbox) {
  if (!Note(sandbox, false)) return;
  (void)Await([&](Served& served) { served.ports.Unpublish(sandbox); });
}

void Doors::Permit(std::vector<std::string> addresses) {
  {
    const std::lock_guard lock(mutex_);
    permitted_ = addresses;
    if (!served_ || stopping_) return;
  }
  (void)Await([&](Served& served) { served.ports.Permit(addresses); });
}

std::vector<PublishedStanding> Doors::Look(const SandboxId& sandbox) {
  std::vector<PublishedStanding> all;
  {
    const std::lock_guard lock(mutex_);
    if (!publishers_.contains(sandbox) || !served_ || stopping_) return all;
  }
  (void)Await([&](Served& served) { all = served.ports.Look(sandbox); });
  return all;
}

void Doors::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (served_) served_->wake.Raise();
  }
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  served_.reset();
}

}  // namespace cay::sandbox
