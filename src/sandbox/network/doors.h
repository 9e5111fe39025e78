// Doors: connections into sandboxes, from their peers and from outside: one thread, which starts
// when it is first needed, makes them through the guests (port_dialer.h) and listens for published
// ports.
//
//   doors.Dial({.sandbox = db, .owner = "me", .port = 5432}, [](Result<Fd> socket) { … });
//   const auto rules = TRY(doors.Publish({.sandbox = web, .owner = "me", .name = "web"}, {"0:80"}));
//   doors.Unpublish(web);
//
// A connection to a published port is reset where the port inside does not listen. What listens
// does so while the sandbox is known here, running or not.
//
// Thread-safe; what publishes waits for the thread, and must not be called from it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/wakeup.h"
#include "network/link/limits.h"
#include "sandbox/network/port_dialer.h"
#include "sandbox/network/published_ports.h"

namespace cay::sandbox {

class Doors {
 public:
  Doors(PortDialer::Ask ask, PublishedPorts::Calls calls);
  ~Doors();
  Doors(const Doors&) = delete;
  Doors& operator=(const Doors&) = delete;

  // `done` is called from the thread, and not at all once this has stopped. It never waits.
  void Dial(PortOf to, PortDialer::Done done);
  // The same for anything else.
  void Later(std::function<void()> act);

  // See published_ports.h.
  Result<std::vector<std::string>> Publish(const Publisher& publisher,
                                           const std::vector<std::string>& rules);
  void Want(const Publisher& publisher, const std::vector<std::string>& rules);
  void Unpublish(const SandboxId& sandbox);
  void Permit(std::vector<std::string> addresses);
  std::vector<PublishedStanding> Look(const SandboxId& sandbox);

  // Nothing listens any more, and nothing is called.
  void Stop();

 private:
  struct Served;
  using Task = std::function<void(Served& served)>;

  // Where the thread cannot be started, or has ended, the task is not run.
  bool Note(const SandboxId& sandbox, bool publishes);
  Result<void> Post(Task task);
  Result<void> Await(const Task& task);
  Result<void> Start();
  void RunTasks();

  const PortDialer::Ask ask_;
  const PublishedPorts::Calls calls_;

  std::mutex mutex_;
  std::vector<std::string> permitted_;
  std::set<SandboxId> publishers_;  // that have been given ports
  std::vector<Task> tasks_;
  bool stopping_ = false;
  std::unique_ptr<Served> served_;  // the thread's, once it runs
  std::thread thread_;
};

}  // namespace cay::sandbox
