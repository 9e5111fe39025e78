// BuildKeeper: one build, on its thread: from its turn to its end.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/os/log.h"
#include "json/json_writer.h"
#include "sandbox/builds/build_entry.h"
#include "sandbox/builds/build_table.h"
#include "template/store/template_name.h"

namespace cay::sandbox {
namespace {

using build::BuildEnd;
using store::Database;
using templates::KeptTemplate;
using templates::oci::Platform;

constexpr Millis kStopsBefore{60'000};

FailedStep FailedOf(const build::StepFailure& failure) {
  return {.step = ToUtf8Lossy(failure.step.text),
          .stage = ToUtf8Lossy(failure.step.stage),
          .line = failure.step.line,
          .exit_code = failure.end.exit_code,
          .signal = failure.end.signal,
          .timed_out = failure.end.timed_out,
          .oom_killed = failure.end.oom_killed,
          .disk_full = failure.end.disk_full,
          .output_end = ToUtf8Lossy(failure.output_end)};
}

Error TookTooLong(Millis timeout) {
  return Error(ErrorCode::kTimeout, Fault::kMachine,
               "it takes longer than " + FormatDuration(timeout) + ", which is the maximum")
      .WithRemedy(
          "build it again, it goes on with the steps that were finished; or raise "
          "templates.build_timeout");
}

Result<void> CheckPlatform(const KeptTemplate& kept, const std::string& image,
                           const std::optional<Platform>& asked) {
  if (!asked) return {};
  const Platform is =
      kept.metadata->image ? kept.metadata->image->config.platform : Platform::Native();
  if (Runs(*asked, is.Normalized())) return {};
  return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                       "the template " + image.substr(0, 200) + " is for " + is.Text() + ", and " +
                           asked->Text() + " was asked for"));
}

// Whether its registry may have another image of that name by now: one that no digest decides.
bool MayHaveMoved(const std::string& name) {
  return !templates::IsShortName(name) && !name.contains('@');
}

// What is here is everybody's, and would be another then.
Result<void> CheckMayRenew(const Caller& caller, const std::string& name) {
  if (caller.admin) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "the image " + name +
                           " is here, and everybody's: only administrators look again what "
                           "its registry has now")
                     .WithRemedy("leave \"pull\" out, or ask the administrator to pull it"));
}

}  // namespace

void BuildKeeper::Run(const EntryPtr& entry) {
  const auto rules = rules_.Get();
  const auto timed = [&] {
    const std::lock_guard lock(mutex_);  // beside whoever cancels it
    return entry->stop->StopAfter(rules->timeout);
  }();
  Result<BuildEnd> ended = timed ? Build(entry, *rules) : Failure(timed.error());
  entry->Release();
  End(entry, std::move(ended));
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

Result<BuildEnd> BuildKeeper::Build(const EntryPtr& entry, const BuildRules& rules) {
  const build::BuildMachine machine{
      .store = services_.templates,
      .engine = services_.engine,
      .network = entry->network.get(),
      .find_base =
          [&](const std::string& image, const std::optional<Platform>& platform) {
            return FindBase(*entry, rules, image, platform);
          },
      .downloader = build::kThisProgram};
  const auto watch = [&](const build::BuildEvent& event) { Note(*entry, event); };
  if (entry->derive)
    return build::Derive(machine, *entry->derive, entry->derive_options, watch, *entry->stop);
  return build::Build(machine, entry->request, watch, *entry->stop);
}

// What the caller may use and is here, or an image that may be pulled for it.
Result<KeptTemplate> BuildKeeper::FindBase(const Entry& entry, const BuildRules& rules,
                                           const std::string& image,
                                           const std::optional<Platform>& platform) {
  templates::TemplateStore& store = services_.templates;
  std::string name = TRY(TemplateNameFor(store, entry.caller, image));
  // Of a Dockerfile's a short name is an image's as well, unlike a create's.
  const bool is_owned = templates::ParseOwnedName(name).has_value();
  if (!is_owned && templates::IsShortName(name) && name != "host" && !store.Has(name)) {
    // An environment's own name is no image's; its other names are: "python" is.
    const templates::Environment* environment = store.environments().Find(name);
    if (environment != nullptr && environment->name == name)
      return Failure(templates::NotBuilt(name, *environment));
    name = TRY(templates::ImageOfName(name)).Familiar();
  }
  const bool is_wanted = !is_owned && services_.pulls.IsWanted(name);
  const bool is_renewed = !is_owned && !is_wanted && entry.pulls_again && MayHaveMoved(name);
  if (is_renewed) TRY(CheckMayRenew(entry.caller, name));
  if (is_wanted || is_renewed) {
    // As long as the build may take, which is what ends it then.
    TRY(services_.pulls.Obtain(entry.caller, name, rules.timeout + kStopsBefore,
                               [&] { return entry.stop->stopped(); }));
  }
  KeptTemplate kept = TRY(store.Open(name));
  TRY(CheckPlatform(kept, image, platform));
  return kept;
}

void BuildKeeper::Note(Entry& entry, const build::BuildEvent& event) {
  const std::lock_guard lock(mutex_);
  entry.log.Add(event);
  entry.view.events = entry.log.newest();
  changed_.notify_all();
}

void BuildKeeper::End(const EntryPtr& entry, Result<BuildEnd> ended) {
  BuildView told;
  {
    const std::lock_guard lock(mutex_);
    BuildView& view = entry->view;
    view.ended_unix_ms = UnixMs();
    if (ended) {
      view.steps = ended->steps;
      view.cached = ended->cached;
      metrics_.steps += view.steps;
      metrics_.cached += view.cached;
      for (const templates::TemplateInfo& made : ended->made)
        view.made.push_back({.name = made.name, .size = made.size});
      if (ended->failure) view.failure = FailedOf(*ended->failure);
      if (ended->failure && entry->is_of_packages) {
        entry->package_error = build::PackageError(*ended->failure);
        view.error = entry->package_error;
      }
    }
    if (ended && !ended->failure) {
      view.state = BuildState::kDone;
      ++metrics_.done;
    } else if (entry->cancelled) {
      view.state = BuildState::kCancelled;
      ++metrics_.cancelled;
    } else if (stopping_ && !ended) {
      view.state = BuildState::kInterrupted;
      ++metrics_.interrupted;
    } else {
      view.state = BuildState::kFailed;
      if (!ended)
        view.error = entry->stop->stopped() ? TookTooLong(rules_.Get()->timeout) : ended.error();
      ++metrics_.failed;
    }
    if (entry->is_of_packages) deriving_.erase(view.names.front());
    entry->stop.reset();  // a descriptor
    told = view;
    ForgetLocked();
    changed_.notify_all();
  }
  services_.store.WriteLater([told](Database& db) -> Result<void> {
    TRY(build_table::Put(db, told));
    return build_table::Trim(db);
  });
  Tell(told);
}

void BuildKeeper::Tell(const BuildView& view) {
  if (view.state != BuildState::kDone && view.state != BuildState::kFailed) return;
  JsonWriter json;
  json.BeginObject().Member("build", view.id).Key("templates").BeginArray();
  for (const BuiltTemplate& made : view.made) json.Value(made.name);
  json.EndArray().Member("steps", view.steps).Member("cached", view.cached);
  json.Member("duration_ms", view.ended_unix_ms - view.asked_unix_ms);
  if (view.failure) {
    json.Member("detail", DescribeFailure(*view.failure, view.dockerfile));
  } else if (view.error) {
    json.Member("code", ErrorCodeName(view.error->code()));
    json.Member("detail", ToUtf8Lossy(view.error->message()));
  }
  json.EndObject();
  const bool failed = view.state == BuildState::kFailed;
  services_.events.Append({.type = failed ? "template.build_failed" : "template.built",
                           .sandbox = {},
                           .owner = view.owner,
                           .reason = failed ? "failed" : "requested",
                           .data = std::move(json).Take()});
}

}  // namespace cay::sandbox
