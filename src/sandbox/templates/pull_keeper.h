// PullKeeper: images of registries on their way to being templates of this server: who asked for
// them, how far they are, so many at a time, and what became of them.
//
//   auto pulls = TRY(PullKeeper::Open(rules, templates, store, events));
//   const PullView asked = TRY(pulls->Start(caller, {.image = "python:3.12-slim"}));
//   const PullView now = TRY(pulls->Await(caller, asked.id, asked.change, Millis(1000)));
//   TRY(pulls->Obtain(caller, "python:3.12-slim"));      // a create's: waits until it is there
//
// A pull is the server's, and not the request's that began it: it goes on when that one's client is
// gone. Who asks for a template that is on its way shares the pull. What it was, and what became of
// it, outlives the server (pull_table.h); one that was under way when the server ended is told of
// as interrupted, and the same again goes on with what was fetched
// (template/registry/blob_download.h).
//
// Threads: one for each pull that is under way. Any thread may call; of an owner's pulls others are
// told nothing, unless they are administrators or asked for the same.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/loop/stop_timer.h"
#include "base/replaceable.h"
#include "base/result.h"
#include "sandbox/events/event_log.h"
#include "sandbox/templates/pull_rules.h"
#include "sandbox/templates/pull_types.h"
#include "sandbox/types.h"
#include "store/store.h"
#include "template/pull/pull.h"

namespace cay::sandbox {

class PullKeeper {
 public:
  // The references outlive it.
  static Result<std::unique_ptr<PullKeeper>> Open(const PullRules& rules,
                                                  templates::TemplateStore& templates,
                                                  store::Store& store, EventLog& events);
  ~PullKeeper();
  PullKeeper(const PullKeeper&) = delete;
  PullKeeper& operator=(const PullKeeper&) = delete;

  // Of an administrator's. An image's own name means what the registry has now; a template of
  // another name is replaced where the spec says so, and is kAlreadyExists otherwise. Also
  // kInvalidArgument, kPermissionDenied (PullRules::allow), kIllegalState for a name that another
  // image is on its way to, and kUnavailable when too many wait.
  Result<PullView> Start(const Caller& caller, const PullSpec& spec);

  // kNotFound for what is not there, is not the caller's, or has been forgotten.
  Result<PullView> Get(const Caller& caller, const std::string& id);
  // The newest first.
  std::vector<PullView> List(const Caller& caller);
  // Waits until it has changed more often than `change` says, or has ended; at most so long.
  Result<PullView> Await(const Caller& caller, const std::string& id, uint64_t change,
                         Millis patience);
  // It ends soon. kIllegalState for one that has ended.
  Result<PullView> Cancel(const Caller& caller, const std::string& id);

  // Whether a create of this template has to wait for a pull: by the rules, its name, and whether
  // it is here.
  bool IsWanted(const std::string& template_name);
  // Waits until it is here, at most PullRules::create_patience. kUnavailable says how far it is;
  // the pull goes on.
  Result<void> Obtain(const Caller& caller, const std::string& template_name);
  // The same, at most so long, and until `is_stopped` says that nobody waits any more.
  Result<void> Obtain(const Caller& caller, const std::string& template_name, Millis patience,
                      const std::function<bool()>& is_stopped);

  void Reconfigure(const PullRules& rules) { rules_.Set(rules); }
  PullMetrics GetMetrics();
  // Those under way are interrupted; nobody waits any more, and nothing new begins.
  void Stop();
  bool stopping();

 private:
  struct Entry {
    PullView view;
    templates::PullOptions options;
    std::set<std::string> owners;     // who asked
    std::optional<StopTimer> stop{};  // while it is pulled
    bool cancelled = false;
    bool replaces = false;
    bool is_by_hand = false;  // somebody asked for it by its name, and not a create
  };
  using EntryPtr = std::shared_ptr<Entry>;

  PullKeeper(const PullRules& rules, templates::TemplateStore& templates, store::Store& store,
             EventLog& events);
  Result<void> Load();

  // With mutex_.
  Result<EntryPtr> FindLocked(const Caller& caller, const std::string& id);
  Result<EntryPtr> JoinLocked(const Caller& caller, const templates::PullOptions& options);
  Result<EntryPtr> EnterLocked(const Caller& caller, templates::PullOptions options);
  void DispatchLocked();
  void ForgetLocked();
  void TouchLocked(Entry& entry);

  Result<EntryPtr> Begin(const Caller& caller, templates::PullOptions options);
  void Run(const EntryPtr& entry);
  Result<templates::TemplateInfo> Pull(const EntryPtr& entry, const PullRules& rules);
  bool WasAskedFor(const Entry& entry);
  void Note(const EntryPtr& entry, const templates::PullProgress& progress);
  void End(const EntryPtr& entry, Result<templates::TemplateInfo> pulled);
  void Tell(const PullView& view);
  void Reap();

  Replaceable<PullRules> rules_;
  templates::TemplateStore& templates_;
  store::Store& store_;
  EventLog& events_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, EntryPtr> pulls_;       // by id
  std::map<std::string, EntryPtr> active_;      // by the template's name: waiting and under way
  std::list<EntryPtr> waiting_;                 // in the order in which they were asked for
  std::map<std::string, std::thread> threads_;  // by the pull's id
  std::vector<std::thread> ended_;              // to be joined
  size_t running_ = 0;
  bool stopping_ = false;
  PullMetrics metrics_;
};

}  // namespace cay::sandbox
