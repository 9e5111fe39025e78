// Core: what the parts of the manager share, and the few things that all of them do.
//
// Order of locks: a sandbox's `transition`, then the store's or a component's own. Nobody holds two
// sandboxes' transitions.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/replaceable.h"
#include "engine/engine.h"
#include "sandbox/events/event_log.h"
#include "sandbox/network/network_keeper.h"
#include "sandbox/options.h"
#include "sandbox/package_source.h"
#include "sandbox/records/record.h"
#include "sandbox/rules/engine_rules.h"
#include "sandbox/secrets/secret_keeper.h"
#include "sandbox/state/admission.h"
#include "sandbox/state/guest_watch.h"
#include "sandbox/state/metrics_book.h"
#include "sandbox/state/registry.h"
#include "sandbox/state/template_cache.h"
#include "sandbox/state/timer.h"
#include "sandbox/templates/pull_keeper.h"
#include "sandbox/volumes/volume_keeper.h"
#include "store/store.h"

namespace cay::sandbox {

// The label of a server's sandboxes in the engine, so that no other sandboxes are touched.
inline constexpr std::string_view kServerLabel = "server ";

class Core {
 public:
  Core(ManagerOptions options, engine::Engine& an_engine, templates::TemplateStore& template_store,
       store::Store& a_store, EventLog& event_log);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  engine::Engine& engine;
  const EngineFacts engine_is;
  store::Store& store;
  EventLog& events;
  TemplateCache templates;
  std::atomic<PullKeeper*> pulls = nullptr;        // null: what is not here is not found
  std::atomic<PackageSource*> packages = nullptr;  // null: no packages are installed
  Registry registry;
  Admission admission;
  MetricsBook metrics;
  std::unique_ptr<GuestWatch> watch;
  std::unique_ptr<Timer> timer;
  SecretKeeper secrets;
  VolumeKeeper volumes;
  std::unique_ptr<NetworkKeeper> networks;

  std::shared_ptr<const ManagerOptions> options() const;
  void SetOptions(const ManagerOptions& options);

  // kNotFound; of one that is destroyed it says when and why.
  Result<std::shared_ptr<Sandbox>> Find(const Caller& caller, std::string_view which);

  // With its transition held: the change is in the store, with its event, or has not happened.
  using Change = std::function<void(SandboxRecord&)>;
  Result<void> Commit(Sandbox& sandbox, const Change& change, const std::string& type,
                      const std::string& reason, std::string data = {});
  // The same, and may use the store's reserve: for a change that makes room, or keeps a sandbox
  // from growing.
  Result<void> CommitUrgently(Sandbox& sandbox, const Change& change, const std::string& type,
                              const std::string& reason);
  // The same as CommitUrgently, for a change that has happened already: when it cannot be written,
  // that is logged, and reconciliation finds it again.
  void CommitFact(Sandbox& sandbox, const Change& change, const std::string& type,
                  const std::string& reason);

  // Runs a call of the engine that may write to the disk that the store is on: when there is no
  // room, once more with the store's reserve given up.
  template <class Act>
  auto WithReserve(Act act) -> decltype(act()) {
    auto done = act();
    const bool full = !done && done.error().code() == ErrorCode::kResourceExhausted &&
                      done.error().fault() == Fault::kMachine;
    return full && store.GiveUpReserve() ? act() : std::move(done);
  }

  // Writes the owner and the document down with the sandbox itself, soon after its row: no request
  // waits for what is needed only when the row is lost. What cannot be written is logged, and
  // written by reconciliation.
  void KeepPromise(const SandboxRecord& record);

  // Gives a sandbox that runs the certificates that its secrets need, where it has any: before
  // anybody uses it. The record is not written.
  Result<void> GiveTrust(Sandbox& sandbox, const NetworkSpec& spec,
                         Millis patience = kTrustPatience);
  static constexpr Millis kTrustPatience{5000};

  // Watches the guest: `guest`, or the one that the engine has.
  Result<void> WatchGuest(Sandbox& sandbox, Fd guest);
  Result<void> WatchGuest(Sandbox& sandbox);
  void UnwatchGuest(Sandbox& sandbox);
  // Sets the timer for the next of its deadlines.
  void SetTimer(const Sandbox& sandbox);

  // The process that starts with a sandbox: has it started, where it is to be, by the one who is
  // told. Without its transition. And asks it to end: how long it still has at the most, or nothing
  // where nobody waits for it any more.
  using GuestBegun = std::function<void(const SandboxId&)>;
  void OnGuestBegun(GuestBegun callback);
  void BeginStartup(Sandbox& sandbox);
  std::optional<Millis> AskStartupToEnd(Sandbox& sandbox);

  void OnGuestGone(GuestGone callback);
  // With its transition held, so that a new guest does not begin meanwhile.
  void SayGone(const SandboxId& id, const GuestEnd& end);

 private:
  using Write = Result<void> (store::Store::*)(const store::Work&);
  Result<void> CommitBy(Write write, Sandbox& sandbox, const Change& change, Event event);

  // Where the promises that wait in the store's queue go. They may outlive this object: then
  // nowhere.
  struct PromisedTo {
    explicit PromisedTo(engine::Engine& an_engine) : engine(&an_engine) {}
    std::mutex mutex;
    engine::Engine* engine;
  };
  const std::shared_ptr<PromisedTo> promised_to_;

  Replaceable<ManagerOptions> options_;
  std::mutex callbacks_mutex_;
  std::vector<GuestGone> callbacks_;
  GuestBegun begun_;
};

AdmissionRules RulesOf(const ManagerOptions& options, const engine::Capabilities& can);

// What a sandbox is promised in the state that it is in.
Holding HoldingOf(const SandboxView& view);
// … and while it runs.
Holding HoldingOf(const engine::Limits& limits);

// Takes the sandbox's transition; kNotFound when it has been destroyed meanwhile.
Result<std::unique_lock<std::mutex>> LockTransition(Sandbox& sandbox);

}  // namespace cay::sandbox
