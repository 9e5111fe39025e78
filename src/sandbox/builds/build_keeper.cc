#include "sandbox/builds/build_keeper.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "sandbox/builds/build_entry.h"
#include "sandbox/builds/build_table.h"

namespace cay::sandbox {
namespace {

using store::Database;

// Of events, in one page.
constexpr Bytes kPage = 256 * kKiB;

bool MaySee(const Caller& caller, const BuildView& view) {
  return caller.admin || caller.owner == view.owner;
}

Error NoSuchBuild(const std::string& id) {
  return {ErrorCode::kNotFound, Fault::kCaller,
          "there is no build \"" + id.substr(0, 40) + "\", or it has been forgotten"};
}

}  // namespace

Result<std::unique_ptr<BuildKeeper>> BuildKeeper::Open(const BuildRules& rules,
                                                       const BuildServices& services) {
  std::unique_ptr<BuildKeeper> keeper(new BuildKeeper(rules, services));
  TRY(keeper->Load());
  return keeper;
}

BuildKeeper::~BuildKeeper() { Stop(); }

// Those that the server before had under way are over.
Result<void> BuildKeeper::Load() {
  std::vector<BuildView> known;
  TRY(services_.store.Read([&](Database& db) -> Result<void> {
    known = TRY(build_table::All(db));
    return {};
  }));
  for (BuildView& view : known) {
    if (!HasEnded(view.state)) {
      view.state = BuildState::kInterrupted;
      view.ended_unix_ms = UnixMs();
      ++metrics_.interrupted;
      services_.store.WriteLater([view](Database& db) { return build_table::Put(db, view); });
    }
    auto entry = std::make_shared<Entry>();
    entry->view = std::move(view);
    builds_[entry->view.id] = std::move(entry);
  }
  return {};
}

void BuildKeeper::DispatchLocked() {
  const size_t most = rules_.Get()->at_a_time;
  while (!stopping_ && running_ < most && !waiting_.empty()) {
    const EntryPtr entry = waiting_.front();
    waiting_.pop_front();
    ++running_;
    entry->view.state = BuildState::kBuilding;
    entry->view.started_unix_ms = UnixMs();
    changed_.notify_all();
    threads_.emplace(entry->view.id, std::thread([this, entry] { Run(entry); }));
  }
}

Result<BuildKeeper::EntryPtr> BuildKeeper::FindLocked(const Caller& caller, const std::string& id) {
  const auto found = builds_.find(id);
  if (found == builds_.end() || !MaySee(caller, found->second->view))
    return Failure(NoSuchBuild(id));
  return found->second;
}

Result<BuildView> BuildKeeper::Get(const Caller& caller, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return TRY(FindLocked(caller, id))->view;
}

std::vector<BuildView> BuildKeeper::List(const Caller& caller) {
  std::vector<BuildView> list;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : builds_)
      if (MaySee(caller, entry->view)) list.push_back(entry->view);
  }
  std::ranges::sort(list, [](const BuildView& a, const BuildView& b) {
    return std::pair(b.asked_unix_ms, b.id) < std::pair(a.asked_unix_ms, a.id);
  });
  return list;
}

Result<BuildPage> BuildKeeper::Await(const Caller& caller, const std::string& id, uint64_t after,
                                     Millis patience) {
  std::unique_lock lock(mutex_);
  const EntryPtr entry = TRY(FindLocked(caller, id));
  changed_.wait_for(lock, patience, [&] {
    return stopping_ || entry->log.newest() > after || HasEnded(entry->view.state);
  });
  return BuildPage{.view = entry->view, .log = entry->log.After(after, kPage)};
}

Result<BuildView> BuildKeeper::Cancel(const Caller& caller, const std::string& id) {
  std::unique_lock lock(mutex_);
  const EntryPtr entry = TRY(FindLocked(caller, id));
  if (HasEnded(entry->view.state)) {
    return Failure(Error(
        ErrorCode::kIllegalState, Fault::kCaller,
        "the build has ended already: it is " + std::string(BuildStateName(entry->view.state))));
  }
  entry->cancelled = true;
  entry->stop->Stop();
  const auto place = std::ranges::find(waiting_, entry);
  if (place == waiting_.end()) return entry->view;
  waiting_.erase(place);
  lock.unlock();
  entry->Release();
  End(entry, Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "cancelled")));
  lock.lock();
  return entry->view;
}

BuildMetrics BuildKeeper::GetMetrics() {
  const std::lock_guard lock(mutex_);
  BuildMetrics metrics = metrics_;
  metrics.running = running_;
  metrics.waiting = waiting_.size();
  return metrics;
}

// The oldest of those that have ended, over what is kept.
void BuildKeeper::ForgetLocked() {
  std::vector<std::pair<int64_t, std::string>> ended;
  for (const auto& [id, entry] : builds_)
    if (HasEnded(entry->view.state)) ended.emplace_back(entry->view.asked_unix_ms, id);
  if (ended.size() <= build_table::kKept) return;
  std::ranges::sort(ended);
  for (size_t i = 0; i < ended.size() - build_table::kKept; ++i) builds_.erase(ended[i].second);
}

void BuildKeeper::Stop() {
  std::map<std::string, std::thread> threads;
  std::list<EntryPtr> waiting;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [id, entry] : builds_)
      if (entry->stop && !HasEnded(entry->view.state)) entry->stop->Stop();
    threads.swap(threads_);
    waiting.swap(waiting_);
    changed_.notify_all();
  }
  for (auto& [id, thread] : threads) thread.join();
  // They are told of as interrupted when the server starts anew.
  for (const EntryPtr& entry : waiting) entry->Release();
  Reap();
}

bool BuildKeeper::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void BuildKeeper::Reap() {
  std::vector<std::thread> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

}  // namespace cay::sandbox
