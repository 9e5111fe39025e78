// PushKeeper: templates on their way to registries: who asked for it, how far they are, so many at
// a time, and what became of them.
//
//   auto pushes = TRY(PushKeeper::Open(rules, templates, store, events));
//   const PushView asked = TRY(pushes->Start(caller, "app", spec));
//   const PushView now = TRY(pushes->Await(caller, asked.id, asked.change, Millis(1000)));
//
// A push is the server's, and not the request's that began it: it goes on when that one's client is
// gone. Which registries may be spoken to, and how, is what holds for pulls (pull_rules.h), as are
// the bounds of how many, which pushes have for themselves. What a caller proves who it is with is
// in memory until the push ends, goes to that registry alone, and is in no log, event, answer or
// table. What became of a push outlives the server (push_table.h), without that.
//
// Threads: one for each push that is under way. Any thread may call; of an owner's pushes others
// are told nothing, unless they are administrators.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/loop/stop_timer.h"
#include "base/replaceable.h"
#include "base/result.h"
#include "sandbox/events/event_log.h"
#include "sandbox/templates/pull_rules.h"
#include "sandbox/templates/push_types.h"
#include "sandbox/types.h"
#include "store/store.h"
#include "template/pull/push_image.h"
#include "template/registry/rules/credentials.h"

namespace cay::sandbox {

class PushKeeper {
 public:
  // The references outlive it.
  static Result<std::unique_ptr<PushKeeper>> Open(const PullRules& rules,
                                                  templates::TemplateStore& templates,
                                                  store::Store& store, EventLog& events);
  ~PushKeeper();
  PushKeeper(const PushKeeper&) = delete;
  PushKeeper& operator=(const PushKeeper&) = delete;

  // `name`: of the template, in full ("@OWNER/NAME" of one that is an owner's own). An
  // administrator pushes any, with the server's credentials where it sends none; any other owner
  // its own, to images of PullRules::allow where there is such a list, and with no others'
  // credentials. kPermissionDenied, kNotFound, kInvalidArgument, kUnavailable and
  // kResourceExhausted when too many wait.
  Result<PushView> Start(const Caller& caller, const std::string& name, const PushSpec& spec);

  // kNotFound for what is not there, is not the caller's, or has been forgotten.
  Result<PushView> Get(const Caller& caller, const std::string& id);
  // The newest first.
  std::vector<PushView> List(const Caller& caller);
  // Waits until it has changed more often than `change` says, or has ended; at most so long.
  Result<PushView> Await(const Caller& caller, const std::string& id, uint64_t change,
                         Millis patience);
  // It ends soon. kIllegalState for one that has ended.
  Result<PushView> Cancel(const Caller& caller, const std::string& id);

  void Reconfigure(const PullRules& rules) { rules_.Set(rules); }
  PushMetrics GetMetrics();
  // Those under way are interrupted; nobody waits any more, and nothing new begins.
  void Stop();
  bool stopping();

 private:
  struct Entry {
    PushView view;
    templates::PushOptions options;
    bool is_admins = false;
    std::optional<templates::registry::Credentials> credentials{};  // until its end
    std::optional<StopTimer> stop{};                                // while it is pushed
    bool cancelled = false;
  };
  using EntryPtr = std::shared_ptr<Entry>;

  PushKeeper(const PullRules& rules, templates::TemplateStore& templates, store::Store& store,
             EventLog& events)
      : rules_(rules), templates_(templates), store_(store), events_(events) {}
  Result<void> Load();
  Result<EntryPtr> Prepare(const Caller& caller, const std::string& name, const PushSpec& spec);
  Result<void> Enter(const EntryPtr& entry);

  // With mutex_.
  Result<void> CheckPlaceLocked(const Entry& entry) const;
  Result<EntryPtr> FindLocked(const Caller& caller, const std::string& id);
  void DispatchLocked();
  void ForgetLocked();
  void TouchLocked(Entry& entry);

  // push_run.cc
  void Run(const EntryPtr& entry);
  Result<templates::oci::Digest> Push(const EntryPtr& entry, const PullRules& rules);
  void Note(const EntryPtr& entry, const templates::PullProgress& progress);
  void End(const EntryPtr& entry, Result<templates::oci::Digest> pushed);
  void Tell(const PushView& view);
  void Reap();

  Replaceable<PullRules> rules_;
  templates::TemplateStore& templates_;
  store::Store& store_;
  EventLog& events_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, EntryPtr> pushes_;      // by id
  std::map<std::string, EntryPtr> active_;      // by id: waiting, under way, being written down
  std::list<EntryPtr> waiting_;                 // in the order in which they were asked for
  std::map<std::string, std::thread> threads_;  // by the push's id
  std::vector<std::thread> ended_;              // to be joined
  size_t running_ = 0;
  bool stopping_ = false;
  PushMetrics metrics_;
};

}  // namespace cay::sandbox
