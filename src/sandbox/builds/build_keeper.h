// BuildKeeper: Dockerfiles on their way to being templates of this server: who asked for them, how
// far they are, so many at a time, and what became of them.
//
//   auto builds = TRY(BuildKeeper::Open(rules, {.engine = engine, .templates = templates, …}));
//   const BuildView asked = TRY(builds->Start(caller, {.names = {"app"}}, body));   // a tar
//   const BuildPage now = TRY(builds->Await(caller, asked.id, last_number, Millis(1000)));
//
// A build is the server's, and not the request's that began it: it goes on when that one's client
// is gone. What it was, and what became of it, outlives the server (build_table.h); one that was
// under way when the server ended is told of as interrupted. What was told of its steps is kept as
// long as this server knows it (build_log.h).
//
// The context is a stranger's archive. It is unpacked into a directory beside the layers that are
// being made (LayerStore::Begin), which goes with the build, or with the next start after a crash.
// Steps run in sandboxes that are nobody's but the build's, and end with it (build/build.h).
//
// Threads: one for each build that is under way. Any thread may call; of an
// owner's builds others are told nothing, unless they are administrators.
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

#include "archive/byte_stream.h"
#include "base/replaceable.h"
#include "base/result.h"
#include "build/packages/derive.h"
#include "build/stages/build.h"
#include "engine/engine.h"
#include "sandbox/builds/build_log.h"
#include "sandbox/builds/build_rules.h"
#include "sandbox/builds/build_types.h"
#include "sandbox/events/event_log.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/package_source.h"
#include "sandbox/templates/pull_keeper.h"
#include "store/store.h"
#include "template/store/template_store.h"

namespace cay::sandbox {

// What it stands on. All outlive it.
struct BuildServices {
  engine::Engine& engine;
  templates::TemplateStore& templates;
  Manager& manager;
  PullKeeper& pulls;
  store::Store& store;
  EventLog& events;
};

struct BuildPage {
  BuildView view;
  LoggedEvents log;
};

class BuildKeeper : public PackageSource {
 public:
  static Result<std::unique_ptr<BuildKeeper>> Open(const BuildRules& rules,
                                                   const BuildServices& services);
  ~BuildKeeper() override;
  BuildKeeper(const BuildKeeper&) = delete;
  BuildKeeper& operator=(const BuildKeeper&) = delete;

  // Of the context as a tar, plain or compressed (archive/compression.h), all of which has been
  // read when this returns. Of the names an administrator's are the templates' own, and any other
  // owner's are short ones of templates of its own ("@OWNER/NAME"); each replaces what is there.
  // kPermissionDenied, kInvalidArgument, kNotFound for a Dockerfile that is not in the context,
  // kLimitTooHigh for a context that is too large, kUnavailable and kResourceExhausted when too
  // many wait, or the owner has no room. Blocking.
  Result<BuildView> Start(const Caller& caller, BuildSpec spec, archive::ByteSource& context);

  // kNotFound for what is not there, is not the caller's, or has been forgotten.
  Result<BuildView> Get(const Caller& caller, const std::string& id);
  // The newest first.
  std::vector<BuildView> List(const Caller& caller);
  // What was told after the event of that number, a part of it where it is much: waits, at most so
  // long, until there is something, or the build has ended.
  Result<BuildPage> Await(const Caller& caller, const std::string& id, uint64_t after,
                          Millis patience);
  // It ends soon. kIllegalState for one that has ended.
  Result<BuildView> Cancel(const Caller& caller, const std::string& id);

  // A create's: builds as any other, known by what they make. Who asks for what is on its way waits
  // for the same build.
  Result<templates::Template> WithPackages(const Caller& caller, const templates::Template& base,
                                           PackagesSpec& packages) override;

  void Reconfigure(const BuildRules& rules) { rules_.Set(rules); }
  BuildRules rules() const { return *rules_.Get(); }
  BuildMetrics GetMetrics();
  // Those under way are interrupted; nobody waits any more, and nothing new begins.
  void Stop();
  bool stopping();

 private:
  struct Entry;
  using EntryPtr = std::shared_ptr<Entry>;
  class Place;

  BuildKeeper(const BuildRules& rules, const BuildServices& services)
      : rules_(rules), services_(services) {}
  Result<void> Load();

  // build_start.cc
  Result<EntryPtr> Prepare(const Caller& caller, BuildSpec spec, const BuildRules& rules);
  Result<void> Receive(Entry& entry, const BuildRules& rules, archive::ByteSource& context);
  Result<BuildView> Enter(const EntryPtr& entry);

  // package_builds.cc
  Result<EntryPtr> JoinOrBegin(const Caller& caller, const build::DerivePlan& plan,
                               const BuildRules& rules);
  Result<EntryPtr> PrepareDerived(const Caller& caller, const build::DerivePlan& plan,
                                  const BuildRules& rules);
  Result<void> AwaitDerived(const EntryPtr& entry, Millis patience);

  Result<void> CheckEngine() const;

  // build_run.cc
  void Run(const EntryPtr& entry);
  Result<build::BuildEnd> Build(const EntryPtr& entry, const BuildRules& rules);
  Result<templates::KeptTemplate> FindBase(const Entry& entry, const BuildRules& rules,
                                           const std::string& image,
                                           const std::optional<templates::oci::Platform>& platform);
  void Note(Entry& entry, const build::BuildEvent& event);
  void End(const EntryPtr& entry, Result<build::BuildEnd> ended);
  void Tell(const BuildView& view);

  // With mutex_.
  Result<EntryPtr> FindLocked(const Caller& caller, const std::string& id);
  void DispatchLocked();
  void ForgetLocked();
  void Reap();

  Replaceable<BuildRules> rules_;
  const BuildServices services_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, EntryPtr> builds_;      // by id
  std::map<std::string, EntryPtr> deriving_;    // by the derived template's name
  std::map<std::string, size_t> under_way_;     // by owner: with those whose context is on its way
  std::list<EntryPtr> waiting_;                 // in the order in which they were asked for
  std::map<std::string, std::thread> threads_;  // by the build's id
  std::vector<std::thread> ended_;              // to be joined
  size_t running_ = 0;
  bool stopping_ = false;
  BuildMetrics metrics_;
};

}  // namespace cay::sandbox
