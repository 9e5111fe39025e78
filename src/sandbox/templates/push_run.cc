// PushKeeper: one push, on its thread: from its turn to its end.
#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/os/log.h"
#include "json/json_writer.h"
#include "sandbox/templates/push_keeper.h"
#include "sandbox/templates/push_table.h"
#include "sandbox/templates/registry_errors.h"
#include "template/registry/registry_client.h"

namespace cay::sandbox {

using store::Database;
using templates::PullProgress;
using templates::oci::Digest;
using templates::registry::CallOptions;
using templates::registry::CredentialStore;
using templates::registry::RegistryClient;

void PushKeeper::Run(const EntryPtr& entry) {
  const auto rules = rules_.Get();
  End(entry, Push(entry, *rules));
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

Result<Digest> PushKeeper::Push(const EntryPtr& entry, const PullRules& rules) {
  auto stop = TRY(StopTimer::After(rules.timeout));
  const StopTimer* timer = nullptr;
  {
    const std::lock_guard lock(mutex_);
    timer = &entry->stop.emplace(std::move(stop));
    // It may have been cancelled before there was a timer.
    if (stopping_ || entry->cancelled) timer->Stop();
  }
  // The server's own are not for those who are no administrators.
  CredentialStore credentials;
  if (entry->is_admins && !entry->credentials && !rules.credentials_file.empty())
    credentials = TRY(CredentialStore::Load(rules.credentials_file));
  const auto client = TRY(RegistryClient::Open(TRY(SettingsOf(rules)), std::move(credentials)));
  CallOptions call;
  call.credentials = entry->credentials;
  call.stop_fd = timer->fd();
  call.on_note = [&](const std::string& text) {
    LogInfo("pushing " + entry->options.image.Familiar() + ": " + text);
  };
  templates::PushOptions options = entry->options;
  options.on_progress = [&](const PullProgress& progress) { Note(entry, progress); };
  auto pushed = PushImage(templates_, *client, options, call);
  if (pushed || !timer->stopped()) return pushed;
  const std::lock_guard lock(mutex_);
  if (stopping_ || entry->cancelled) return pushed;
  return Failure(
      Error(ErrorCode::kTimeout, Fault::kMachine,
            "it takes longer than " + FormatDuration(rules.timeout) + ", which is the maximum")
          .WithRemedy("push it again, what the registry has is not sent again; or raise "
                      "templates.pull_timeout"));
}

void PushKeeper::Note(const EntryPtr& entry, const PullProgress& progress) {
  using Stage = PullProgress::Stage;
  const std::lock_guard lock(mutex_);
  PushView& view = entry->view;
  if (progress.stage == Stage::kPacking) {
    view.packed = progress.done;
    return TouchLocked(*entry);
  }
  auto layer = std::ranges::find(view.layers, progress.layer, &PushedLayer::digest);
  if (layer == view.layers.end())
    layer = view.layers.insert(layer, {.digest = progress.layer, .size = progress.total});
  // It goes back when it is sent anew.
  view.sent -= std::min(view.sent, layer->done);
  layer->was_there = progress.stage == Stage::kWasThere;
  layer->done = progress.done;
  if (!layer->was_there) view.sent += layer->done;
  TouchLocked(*entry);
}

void PushKeeper::End(const EntryPtr& entry, Result<Digest> pushed) {
  PushView told;
  {
    const std::lock_guard lock(mutex_);
    PushView& view = entry->view;
    metrics_.sent += view.sent;
    view.ended_unix_ms = UnixMs();
    if (pushed) {
      view.state = PushState::kDone;
      view.digest = pushed->text();
      ++metrics_.done;
    } else if (entry->cancelled) {
      view.state = PushState::kCancelled;
      ++metrics_.cancelled;
    } else if (stopping_) {
      view.state = PushState::kInterrupted;
      ++metrics_.interrupted;
    } else {
      view.state = PushState::kFailed;
      view.error = OfRegistry(std::move(pushed).error());
      ++metrics_.failed;
    }
    entry->stop.reset();
    entry->credentials.reset();
    active_.erase(view.id);
    TouchLocked(*entry);
    told = view;
    ForgetLocked();
  }
  store_.WriteLater([told](Database& db) -> Result<void> {
    TRY(push_table::Put(db, told));
    return push_table::Trim(db);
  });
  Tell(told);
}

// The oldest of those that have ended, over what is kept.
void PushKeeper::ForgetLocked() {
  std::vector<std::pair<int64_t, std::string>> ended;
  for (const auto& [id, entry] : pushes_)
    if (HasEnded(entry->view.state)) ended.emplace_back(entry->view.asked_unix_ms, id);
  if (ended.size() <= push_table::kKept) return;
  std::ranges::sort(ended);
  for (size_t i = 0; i < ended.size() - push_table::kKept; ++i) pushes_.erase(ended[i].second);
}

void PushKeeper::Tell(const PushView& view) {
  if (view.state != PushState::kDone && view.state != PushState::kFailed) return;
  JsonWriter json;
  json.BeginObject().Member("push", view.id).Member("template", view.name);
  json.Member("image", view.image).Member("sent", view.sent);
  json.Member("duration_ms", view.ended_unix_ms - view.asked_unix_ms);
  if (view.error) {
    json.Member("code", ErrorCodeName(view.error->code())).Member("detail", view.error->message());
    LogWarning("pushing " + view.image + ": " + view.error->ToString());
  } else {
    json.Member("digest", view.digest);
  }
  json.EndObject();
  events_.Append({.type = view.error ? "template.push_failed" : "template.pushed",
                  .sandbox = {},
                  .owner = view.owner,
                  .reason = view.error ? "failed" : "requested",
                  .data = std::move(json).Take()});
}

}  // namespace cay::sandbox
