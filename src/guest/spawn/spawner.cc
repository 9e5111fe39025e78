#include "guest/spawn/spawner.h"

#include <pthread.h>
#include <unistd.h>

#include "base/os/log.h"
#include "guest/confinement/confine.h"
#include "guest/spawn/child.h"
#include "guest/spawn/request_socket.h"

namespace cay::guest {
namespace {

constexpr size_t kStackBytes = 64 * 1024;

}  // namespace

Result<Spawner*> Spawner::Start(Privileges privileges) {
  Wakeup done = TRY(Wakeup::Make());
  auto spawner = std::unique_ptr<Spawner>(new Spawner(std::move(done), privileges));
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const int error = ::pthread_create(&thread, &attributes, &ThreadMain, spawner.get());
  ::pthread_attr_destroy(&attributes);
  if (error != 0) return Failure(Error::FromErrno("pthread_create", error));
  return spawner.release();  // the thread's from here on
}

void* Spawner::ThreadMain(void* self) {
  auto& spawner = *static_cast<Spawner*>(self);
  Result<std::optional<Fd>> listener = ConfineSpawner(spawner.privileges_);
  if (!listener) {
    LogError(listener.error().ToString());
    ::_exit(1);
  }
  spawner.listener_ = *std::move(listener);
  // Here, in the commands' Landlock domain: they reach no abstract socket of outside it.
  if (spawner.privileges_ == Privileges::kRoot) {
    Result<Fd> requests = ListenForRequests();
    if (!requests) {
      LogError(requests.error().ToString());
      ::_exit(1);
    }
    spawner.requests_ = *std::move(requests);
  }
  spawner.thread_id_ = ::gettid();
  if (::getpid() == 1 && spawner.thread_id_ != kThreadIdInside) {
    LogError("the spawner is not where the filter protects it");
    ::_exit(1);
  }
  spawner.Serve();
}

void Spawner::Submit(SpawnJob& job) {
  {
    const std::lock_guard lock(mutex_);
    submitted_.push_back(&job);
  }
  changed_.notify_one();
}

std::vector<SpawnJob*> Spawner::TakeDone() {
  done_event_.Drain();
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void Spawner::Serve() {
  while (true) {
    SpawnJob* job = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !submitted_.empty(); });
      job = submitted_.front();
      submitted_.erase(submitted_.begin());
    }
    Spawn(*job);
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(job);
    }
    done_event_.Raise();
  }
}

}  // namespace cay::guest
