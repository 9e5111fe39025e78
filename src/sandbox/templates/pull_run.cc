// PullKeeper: one pull, on its thread: from its turn to its end.
#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/os/log.h"
#include "json/json_writer.h"
#include "sandbox/templates/pull_keeper.h"
#include "sandbox/templates/pull_table.h"
#include "sandbox/templates/registry_errors.h"
#include "template/registry/registry_client.h"

namespace cay::sandbox {

using store::Database;
using templates::PullProgress;
using templates::registry::CallOptions;
using templates::registry::CredentialStore;
using templates::registry::RegistryClient;

void PullKeeper::Run(const EntryPtr& entry) {
  const auto rules = rules_.Get();
  End(entry, Pull(entry, *rules));
  const std::lock_guard lock(mutex_);
  --running_;
  // Whoever stops the keeper has taken it to join it.
  const auto own = threads_.find(entry->view.id);
  if (own != threads_.end()) {
    ended_.push_back(std::move(own->second));
    threads_.erase(own);
  }
  DispatchLocked();
}

Result<templates::TemplateInfo> PullKeeper::Pull(const EntryPtr& entry, const PullRules& rules) {
  auto stop = TRY(StopTimer::After(rules.timeout));
  const StopTimer* timer = nullptr;
  {
    const std::lock_guard lock(mutex_);
    timer = &entry->stop.emplace(std::move(stop));
    // It may have been cancelled before there was a timer.
    if (stopping_ || entry->cancelled) timer->Stop();
  }
  CredentialStore credentials;
  if (!rules.credentials_file.empty())
    credentials = TRY(CredentialStore::Load(rules.credentials_file));
  const auto client = TRY(RegistryClient::Open(TRY(SettingsOf(rules)), std::move(credentials)));
  CallOptions call;
  call.stop_fd = timer->fd();
  call.on_note = [&](const std::string& text) {
    LogInfo("pulling " + entry->options.image.Familiar() + ": " + text);
  };
  templates::PullOptions options = entry->options;
  options.on_progress = [&](const PullProgress& progress) { Note(entry, progress); };
  options.is_stopped = [timer] { return timer->stopped(); };
  auto pulled = PullImage(templates_, *client, options, call);
  if (pulled && WasAskedFor(*entry)) TRY(templates_.KeepByHand(pulled->name));
  if (pulled || !timer->stopped()) return pulled;
  const std::lock_guard lock(mutex_);
  if (stopping_ || entry->cancelled) return pulled;
  return Failure(
      Error(ErrorCode::kTimeout, Fault::kMachine,
            "it takes longer than " + FormatDuration(rules.timeout) + ", which is the maximum")
          .WithRemedy("pull it again, it goes on where it is; or raise "
                      "templates.pull_timeout"));
}

bool PullKeeper::WasAskedFor(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  return entry.is_by_hand;
}

void PullKeeper::Note(const EntryPtr& entry, const PullProgress& progress) {
  const std::lock_guard lock(mutex_);
  PullView& view = entry->view;
  if (progress.stage == PullProgress::Stage::kUnpacking) {
    view.unpacked = std::max<Bytes>(progress.done, 1);
    return TouchLocked(*entry);
  }
  auto layer = std::ranges::find(view.layers, progress.layer, &PulledLayer::digest);
  if (layer == view.layers.end()) {
    layer = view.layers.insert(layer, {.digest = progress.layer, .size = progress.total});
    view.size += progress.total;
  }
  // It goes back when a download begins anew.
  view.fetched = view.fetched - layer->done + progress.done;
  layer->done = progress.done;
  TouchLocked(*entry);
}

void PullKeeper::End(const EntryPtr& entry, Result<templates::TemplateInfo> pulled) {
  PullView told;
  bool was_here = false;
  {
    const std::lock_guard lock(mutex_);
    PullView& view = entry->view;
    metrics_.fetched += view.fetched;
    view.ended_unix_ms = UnixMs();
    if (pulled) {
      view.state = PullState::kDone;
      view.digest = pulled->digest;
      was_here = pulled->imported_unix_ms < view.asked_unix_ms;
      ++metrics_.done;
    } else if (entry->cancelled) {
      view.state = PullState::kCancelled;
      ++metrics_.cancelled;
    } else if (stopping_) {
      view.state = PullState::kInterrupted;
      ++metrics_.interrupted;
    } else {
      view.state = PullState::kFailed;
      view.error = OfRegistry(std::move(pulled).error());
      ++metrics_.failed;
    }
    entry->stop.reset();
    active_.erase(view.name);
    TouchLocked(*entry);
    told = view;
    ForgetLocked();
  }
  store_.WriteLater([told](Database& db) -> Result<void> {
    TRY(pull_table::Put(db, told));
    return pull_table::Trim(db);
  });
  // That nothing is new is no news: a create asks each time where the rules say so.
  if (!was_here) Tell(told);
}

// The oldest of those that have ended, over what is kept.
void PullKeeper::ForgetLocked() {
  std::vector<std::pair<int64_t, std::string>> ended;
  for (const auto& [id, entry] : pulls_)
    if (HasEnded(entry->view.state)) ended.emplace_back(entry->view.asked_unix_ms, id);
  if (ended.size() <= pull_table::kKept) return;
  std::ranges::sort(ended);
  for (size_t i = 0; i < ended.size() - pull_table::kKept; ++i) pulls_.erase(ended[i].second);
}

void PullKeeper::Tell(const PullView& view) {
  if (view.state != PullState::kDone && view.state != PullState::kFailed) return;
  JsonWriter json;
  json.BeginObject().Member("pull", view.id).Member("image", view.image);
  json.Member("template", view.name).Member("fetched", view.fetched);
  json.Member("duration_ms", view.ended_unix_ms - view.asked_unix_ms);
  if (view.error) {
    json.Member("code", ErrorCodeName(view.error->code())).Member("detail", view.error->message());
    LogWarning("pulling " + view.image + ": " + view.error->ToString());
  } else {
    json.Member("digest", view.digest);
  }
  json.EndObject();
  events_.Append({.type = view.error ? "template.pull_failed" : "template.pulled",
                  .sandbox = {},
                  .owner = view.owner,
                  .reason = view.error ? "failed" : "requested",
                  .data = std::move(json).Take()});
}

}  // namespace cay::sandbox
