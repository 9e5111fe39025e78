#include "sandbox/templates/push_keeper.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/id.h"
#include "sandbox/templates/push_table.h"
#include "template/export/image_form.h"
#include "template/store/template_name.h"

namespace cay::sandbox {
namespace {

using store::Database;
using templates::registry::Credentials;

bool MaySee(const Caller& caller, const PushView& push) {
  return caller.admin || push.owner == caller.owner;
}

Error NoSuchPush(const std::string& id) {
  return {ErrorCode::kNotFound, Fault::kCaller,
          "there is no push \"" + id.substr(0, 40) + "\", or it has been forgotten"};
}

Error ShuttingDown() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down")
      .WithRemedy("try again when it has started anew: what the registry has is not sent again");
}

Result<void> CheckMayPush(const PullRules& rules, const Caller& caller, const std::string& name,
                          const templates::oci::ImageReference& image) {
  if (caller.admin) return {};
  const auto owned = templates::ParseOwnedName(name);
  if (owned && owned->owner == caller.owner) return CheckAllowed(rules, image);
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "the template " + name + " is everybody's: administrators push it")
                     .WithRemedy("push a template of your own: what was built, or a snapshot"));
}

// Nothing: none were sent.
Result<std::optional<Credentials>> CredentialsOf(const PushSpec& spec) {
  if (spec.username.empty() && spec.password.empty() && spec.identity_token.empty())
    return std::nullopt;
  Credentials credentials(spec.username, spec.password);
  credentials.identity_token = spec.identity_token;
  TRY(credentials.Check());
  return credentials;
}

}  // namespace

Result<std::unique_ptr<PushKeeper>> PushKeeper::Open(const PullRules& rules,
                                                     templates::TemplateStore& templates,
                                                     store::Store& store, EventLog& events) {
  std::unique_ptr<PushKeeper> keeper(new PushKeeper(rules, templates, store, events));
  TRY(keeper->Load());
  return keeper;
}

PushKeeper::~PushKeeper() { Stop(); }

// Those that the server before had under way are over.
Result<void> PushKeeper::Load() {
  std::vector<PushView> known;
  TRY(store_.Read([&](Database& db) -> Result<void> {
    known = TRY(push_table::All(db));
    return {};
  }));
  for (PushView& view : known) {
    if (!HasEnded(view.state)) {
      view.state = PushState::kInterrupted;
      view.ended_unix_ms = UnixMs();
      ++metrics_.interrupted;
      store_.WriteLater([view](Database& db) { return push_table::Put(db, view); });
    }
    auto entry = std::make_shared<Entry>();
    entry->view = std::move(view);
    pushes_[entry->view.id] = std::move(entry);
  }
  return {};
}

Result<PushView> PushKeeper::Start(const Caller& caller, const std::string& name,
                                   const PushSpec& spec) {
  const EntryPtr entry = TRY(Prepare(caller, name, spec));
  Reap();
  TRY(Enter(entry));
  const std::lock_guard lock(mutex_);
  return entry->view;
}

Result<PushKeeper::EntryPtr> PushKeeper::Prepare(const Caller& caller, const std::string& name,
                                                 const PushSpec& spec) {
  const auto kept = TRY(templates_.Open(name));
  if (spec.image.empty()) return Failure(Error::Invalid("\"image\" is empty"));
  auto image = TRY(templates::ReferenceToWrite(spec.image, name));
  TRY(CheckMayPush(*rules_.Get(), caller, name, image));
  templates::PushOptions options{.name = kept.metadata->info.name, .image = std::move(image)};
  if (!spec.compression.empty())
    options.compression = TRY(templates::ParseCompression(spec.compression));
  auto entry = std::make_shared<Entry>();
  entry->credentials = TRY(CredentialsOf(spec));
  entry->is_admins = caller.admin;
  PushView& view = entry->view;
  view.id = TRY(SandboxId::Generate()).text();
  view.name = options.name;
  view.image = options.image.Familiar();
  view.owner = caller.owner;
  view.asked_unix_ms = UnixMs();
  view.change = 1;
  entry->options = std::move(options);
  return entry;
}

Result<void> PushKeeper::CheckPlaceLocked(const Entry& entry) const {
  if (stopping_) return Failure(ShuttingDown());
  const auto rules = rules_.Get();
  const size_t most = rules->at_a_time + rules->waiting;
  if (active_.size() >= most) {
    return Failure(
        Error(ErrorCode::kUnavailable, Fault::kMachine,
              std::to_string(most) + " pushes are under way or wait already, which is the maximum")
            .WithRemedy("try again in a moment, or raise templates.max_waiting_pulls"));
  }
  // A half of all, so that others come to theirs.
  const auto own = static_cast<size_t>(std::ranges::count_if(
      active_, [&](const auto& one) { return one.second->view.owner == entry.view.owner; }));
  if (entry.is_admins || own < std::max<size_t>(most / 2, 1)) return {};
  return Failure(Error::Busy(std::to_string(own) +
                             " pushes of this owner are under way or wait already, which is the "
                             "maximum for one")
                     .WithRemedy("try again when one of them has ended"));
}

Result<void> PushKeeper::Enter(const EntryPtr& entry) {
  const PushView view = entry->view;
  {
    const std::lock_guard lock(mutex_);
    TRY(CheckPlaceLocked(*entry));
    active_[view.id] = entry;
  }
  // Before it is answered: a server that is killed tells of it afterwards.
  const auto written = store_.Write([&](Database& db) { return push_table::Put(db, view); });
  const std::lock_guard lock(mutex_);
  if (!written || stopping_) {
    active_.erase(view.id);
    return Failure(written ? ShuttingDown() : written.error());
  }
  pushes_[view.id] = entry;
  waiting_.push_back(entry);
  DispatchLocked();
  return {};
}

void PushKeeper::DispatchLocked() {
  const size_t most = rules_.Get()->at_a_time;
  while (!stopping_ && running_ < most && !waiting_.empty()) {
    const EntryPtr entry = waiting_.front();
    waiting_.pop_front();
    ++running_;
    entry->view.state = PushState::kPushing;
    TouchLocked(*entry);
    threads_.emplace(entry->view.id, std::thread([this, entry] { Run(entry); }));
  }
}

void PushKeeper::TouchLocked(Entry& entry) {
  ++entry.view.change;
  changed_.notify_all();
}

Result<PushKeeper::EntryPtr> PushKeeper::FindLocked(const Caller& caller, const std::string& id) {
  const auto found = pushes_.find(id);
  if (found == pushes_.end() || !MaySee(caller, found->second->view))
    return Failure(NoSuchPush(id));
  return found->second;
}

Result<PushView> PushKeeper::Get(const Caller& caller, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return TRY(FindLocked(caller, id))->view;
}

std::vector<PushView> PushKeeper::List(const Caller& caller) {
  std::vector<PushView> list;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : pushes_)
      if (MaySee(caller, entry->view)) list.push_back(entry->view);
  }
  std::ranges::sort(list, [](const PushView& a, const PushView& b) {
    return std::pair(b.asked_unix_ms, b.id) < std::pair(a.asked_unix_ms, a.id);
  });
  return list;
}

Result<PushView> PushKeeper::Await(const Caller& caller, const std::string& id, uint64_t change,
                                   Millis patience) {
  std::unique_lock lock(mutex_);
  const EntryPtr entry = TRY(FindLocked(caller, id));
  changed_.wait_for(lock, patience, [&] {
    return stopping_ || entry->view.change > change || HasEnded(entry->view.state);
  });
  return entry->view;
}

Result<PushView> PushKeeper::Cancel(const Caller& caller, const std::string& id) {
  std::unique_lock lock(mutex_);
  const EntryPtr entry = TRY(FindLocked(caller, id));
  if (HasEnded(entry->view.state)) {
    return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                         "the push of " + entry->view.name + " has ended already: it is " +
                             std::string(PushStateName(entry->view.state))));
  }
  entry->cancelled = true;
  if (entry->stop) entry->stop->Stop();
  const auto place = std::ranges::find(waiting_, entry);
  if (place == waiting_.end()) return entry->view;
  waiting_.erase(place);
  lock.unlock();
  End(entry, Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "cancelled")));
  lock.lock();
  return entry->view;
}

PushMetrics PushKeeper::GetMetrics() {
  const std::lock_guard lock(mutex_);
  PushMetrics metrics = metrics_;
  metrics.running = running_;
  metrics.waiting = waiting_.size();
  return metrics;
}

void PushKeeper::Stop() {
  std::map<std::string, std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [id, entry] : active_)
      if (entry->stop) entry->stop->Stop();
    threads.swap(threads_);
    changed_.notify_all();
  }
  for (auto& [id, thread] : threads) thread.join();
  Reap();
}

bool PushKeeper::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void PushKeeper::Reap() {
  std::vector<std::thread> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

}  // namespace cay::sandbox
