#include "sandbox/templates/pull_keeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/id.h"
#include "base/os/log.h"
#include "sandbox/templates/pull_table.h"
#include "template/store/template_name.h"

namespace cay::sandbox {
namespace {

using store::Database;
using templates::oci::Platform;

// Who stops waiting for a pull cannot wake its keeper.
constexpr Millis kStopLook{200};

bool MaySee(const Caller& caller, const std::set<std::string>& owners) {
  return caller.admin || owners.contains(caller.owner);
}

// What makes two pulls the same.
bool IsSame(const templates::PullOptions& a, const templates::PullOptions& b) {
  return a.image == b.image && a.platform.Text() == b.platform.Text();
}

Error NoSuchPull(const std::string& id) {
  return {ErrorCode::kNotFound, Fault::kCaller,
          "there is no pull \"" + id.substr(0, 40) + "\", or it has been forgotten"};
}

Error ShuttingDown() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down")
      .WithRemedy("try again when it has started anew: what was fetched is kept");
}

Error StillPulled(const PullView& pull) {
  return Error(ErrorCode::kUnavailable, Fault::kMachine,
               "the image " + pull.image + " is being pulled: " + HowFar(pull))
      .WithRemedy("try again, it goes on meanwhile: " + Remedy(Action::kAwaitPull, pull.id));
}

}  // namespace

Result<std::unique_ptr<PullKeeper>> PullKeeper::Open(const PullRules& rules,
                                                     templates::TemplateStore& templates,
                                                     store::Store& store, EventLog& events) {
  std::unique_ptr<PullKeeper> keeper(new PullKeeper(rules, templates, store, events));
  TRY(keeper->Load());
  return keeper;
}

PullKeeper::PullKeeper(const PullRules& rules, templates::TemplateStore& templates,
                       store::Store& store, EventLog& events)
    : rules_(rules), templates_(templates), store_(store), events_(events) {}

PullKeeper::~PullKeeper() { Stop(); }

// Those that the server before had under way are over.
Result<void> PullKeeper::Load() {
  std::vector<PullView> known;
  TRY(store_.Read([&](Database& db) -> Result<void> {
    known = TRY(pull_table::All(db));
    return {};
  }));
  for (PullView& view : known) {
    if (!HasEnded(view.state)) {
      view.state = PullState::kInterrupted;
      view.ended_unix_ms = UnixMs();
      ++metrics_.interrupted;
      store_.WriteLater([view](Database& db) { return pull_table::Put(db, view); });
    }
    auto entry = std::make_shared<Entry>();
    entry->owners.insert(view.owner);
    entry->view = std::move(view);
    pulls_[entry->view.id] = std::move(entry);
  }
  return {};
}

Result<PullView> PullKeeper::Start(const Caller& caller, const PullSpec& spec) {
  templates::PullOptions options{.image = TRY(templates::ImageOfName(spec.image)), .name = {}};
  options.name =
      TRY(templates::NormalTemplateName(spec.name.empty() ? options.image.Familiar() : spec.name));
  if (!spec.platform.empty()) options.platform = TRY(Platform::Parse(spec.platform));
  const bool is_own = !templates::IsShortName(options.name);
  options.replace = spec.replace || is_own;
  if (!options.replace && templates_.InfoOf(options.name)) {
    return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                         "there is a template \"" + options.name + "\" already")
                       .WithRemedy("take another name, or say \"replace\""));
  }
  const EntryPtr entry = TRY(Begin(caller, std::move(options)));
  const std::lock_guard lock(mutex_);
  return entry->view;
}

Result<PullKeeper::EntryPtr> PullKeeper::Begin(const Caller& caller,
                                               templates::PullOptions options) {
  const auto rules = rules_.Get();
  TRY(CheckAllowed(*rules, options.image));
  Reap();
  std::unique_lock lock(mutex_);
  if (stopping_) return Failure(ShuttingDown());
  if (EntryPtr joined = TRY(JoinLocked(caller, options))) return joined;
  const EntryPtr entry = TRY(EnterLocked(caller, std::move(options)));
  const PullView view = entry->view;
  lock.unlock();
  // Before it is answered: a server that is killed tells of it afterwards.
  const auto written = store_.Write([&](Database& db) { return pull_table::Put(db, view); });
  lock.lock();
  if (!written) {
    waiting_.remove(entry);
    active_.erase(view.name);
    pulls_.erase(view.id);
    entry->view.state = PullState::kFailed;
    entry->view.error = written.error();
    TouchLocked(*entry);
    return Failure(written.error());
  }
  waiting_.push_back(entry);
  DispatchLocked();
  return entry;
}

// Null: there is none.
Result<PullKeeper::EntryPtr> PullKeeper::JoinLocked(const Caller& caller,
                                                    const templates::PullOptions& options) {
  const auto found = active_.find(options.name);
  if (found == active_.end()) return EntryPtr();
  if (!IsSame(found->second->options, options)) {
    return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                         "the template " + options.name + " is being pulled from another image, " +
                             found->second->view.image)
                       .WithRemedy("try again when that has ended"));
  }
  found->second->owners.insert(caller.owner);
  if (options.came == templates::Came::kByHand) found->second->is_by_hand = true;
  ++metrics_.joined;
  return found->second;
}

Result<PullKeeper::EntryPtr> PullKeeper::EnterLocked(const Caller& caller,
                                                     templates::PullOptions options) {
  const auto rules = rules_.Get();
  // Those that are being written down are in neither.
  const size_t most = rules->at_a_time + rules->waiting;
  if (active_.size() >= most) {
    return Failure(
        Error(ErrorCode::kUnavailable, Fault::kMachine,
              std::to_string(most) + " pulls are under way or wait already, which is the maximum")
            .WithRemedy("try again in a moment, or raise templates.max_waiting_pulls"));
  }
  auto entry = std::make_shared<Entry>();
  PullView& view = entry->view;
  view.id = TRY(SandboxId::Generate()).text();
  view.image = options.image.Familiar();
  view.name = options.name;
  view.platform = options.platform.Text();
  view.owner = caller.owner;
  view.asked_unix_ms = UnixMs();
  view.change = 1;
  entry->owners.insert(caller.owner);
  options.max_bytes = rules->max_size;
  options.keep_same = true;
  entry->options = std::move(options);
  pulls_[view.id] = entry;
  active_[view.name] = entry;
  return entry;
}

void PullKeeper::DispatchLocked() {
  const size_t most = rules_.Get()->at_a_time;
  while (!stopping_ && running_ < most && !waiting_.empty()) {
    const EntryPtr entry = waiting_.front();
    waiting_.pop_front();
    ++running_;
    entry->view.state = PullState::kPulling;
    TouchLocked(*entry);
    threads_.emplace(entry->view.id, std::thread([this, entry] { Run(entry); }));
  }
}

void PullKeeper::TouchLocked(Entry& entry) {
  ++entry.view.change;
  changed_.notify_all();
}

Result<PullKeeper::EntryPtr> PullKeeper::FindLocked(const Caller& caller, const std::string& id) {
  const auto found = pulls_.find(id);
  if (found == pulls_.end() || !MaySee(caller, found->second->owners))
    return Failure(NoSuchPull(id));
  return found->second;
}

Result<PullView> PullKeeper::Get(const Caller& caller, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return TRY(FindLocked(caller, id))->view;
}

std::vector<PullView> PullKeeper::List(const Caller& caller) {
  std::vector<PullView> list;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : pulls_)
      if (MaySee(caller, entry->owners)) list.push_back(entry->view);
  }
  std::ranges::sort(list, [](const PullView& a, const PullView& b) {
    return std::pair(b.asked_unix_ms, b.id) < std::pair(a.asked_unix_ms, a.id);
  });
  return list;
}

Result<PullView> PullKeeper::Await(const Caller& caller, const std::string& id, uint64_t change,
                                   Millis patience) {
  std::unique_lock lock(mutex_);
  const EntryPtr entry = TRY(FindLocked(caller, id));
  changed_.wait_for(lock, patience, [&] {
    return stopping_ || entry->view.change > change || HasEnded(entry->view.state);
  });
  return entry->view;
}

Result<PullView> PullKeeper::Cancel(const Caller& caller, const std::string& id) {
  std::unique_lock lock(mutex_);
  const EntryPtr entry = TRY(FindLocked(caller, id));
  if (HasEnded(entry->view.state)) {
    return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                         "the pull of " + entry->view.image + " has ended already: it is " +
                             std::string(PullStateName(entry->view.state))));
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

bool PullKeeper::IsWanted(const std::string& template_name) {
  const auto rules = rules_.Get();
  if (rules->policy == PullPolicy::kNever) return false;
  // A short name is what somebody called an import, or mistyped; no registry is asked for that.
  const auto name = templates::NormalTemplateName(template_name);
  if (!name || templates::IsShortName(*name)) return false;
  const auto here = templates_.InfoOf(*name);
  // What is another name of an environment is in no registry.
  if (!here && templates_.environments().Find(*name) != nullptr) return false;
  if (!here) return here.error().code() == ErrorCode::kNotFound;
  // What a digest names does not change.
  return rules->policy == PullPolicy::kAlways && !name->contains('@');
}

Result<void> PullKeeper::Obtain(const Caller& caller, const std::string& template_name) {
  return Obtain(caller, template_name, rules_.Get()->create_patience, [] { return false; });
}

Result<void> PullKeeper::Obtain(const Caller& caller, const std::string& template_name,
                                Millis patience, const std::function<bool()>& is_stopped) {
  const std::string name = TRY(templates::NormalTemplateName(template_name));
  templates::PullOptions options{.image = TRY(templates::ImageOfName(name)), .name = name};
  options.replace = true;
  options.came = templates::Came::kPulled;
  const EntryPtr entry = TRY(Begin(caller, std::move(options)));
  const auto until = SteadyNow() + patience;
  std::unique_lock lock(mutex_);
  const auto is_over = [&] { return stopping_ || HasEnded(entry->view.state); };
  while (!is_over() && !is_stopped()) {
    const auto left = std::chrono::duration_cast<Millis>(until - SteadyNow());
    if (left <= Millis(0)) break;
    changed_.wait_for(lock, std::min(left, kStopLook), is_over);
  }
  switch (entry->view.state) {
    case PullState::kDone:
      return {};
    case PullState::kFailed: {
      Error error = *entry->view.error;
      return Failure(std::move(error).WithContext("pulling " + entry->view.image));
    }
    case PullState::kCancelled:
      return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                           "the pull of " + entry->view.image + " was cancelled"));
    default:
      return Failure(stopping_ ? ShuttingDown() : StillPulled(entry->view));
  }
}

PullMetrics PullKeeper::GetMetrics() {
  const std::lock_guard lock(mutex_);
  PullMetrics metrics = metrics_;
  metrics.running = running_;
  metrics.waiting = waiting_.size();
  return metrics;
}

void PullKeeper::Stop() {
  std::map<std::string, std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [name, entry] : active_)
      if (entry->stop) entry->stop->Stop();
    threads.swap(threads_);
    changed_.notify_all();
  }
  for (auto& [id, thread] : threads) thread.join();
  Reap();
}

bool PullKeeper::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void PullKeeper::Reap() {
  std::vector<std::thread> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

}  // namespace cay::sandbox
