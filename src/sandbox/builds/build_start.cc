// BuildKeeper: what is asked for, and its context, up to its turn.
#include <algorithm>
#include <numeric>
#include <utility>

#include "archive/compression.h"
#include "archive/unpack.h"
#include "base/clock.h"
#include "build/stages/context.h"
#include "sandbox/builds/build_entry.h"
#include "sandbox/builds/build_table.h"
#include "template/import/import_watch.h"
#include "template/layers/lower_chain.h"
#include "template/store/template_name.h"

namespace cay::sandbox {
namespace {

using store::Database;
using templates::OwnedName;
using templates::oci::Platform;

// Whose cache builds of all owners use, where they share one: no owner is called so.
constexpr const char* kEverybody = "*";

constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxWord = 256;

Error ShuttingDown() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down")
      .WithRemedy("try again when it has started anew");
}

// The form in which it is kept.
Result<std::string> NameFor(const Caller& caller, const std::string& asked) {
  if (caller.admin) return templates::NormalTemplateName(asked);
  if (templates::IsShortName(asked)) return TextOf(OwnedName{.owner = caller.owner, .name = asked});
  const auto owned = templates::ParseOwnedName(asked);
  if (owned && owned->owner == caller.owner && templates::IsShortName(owned->name)) return asked;
  return Failure(
      Error::Invalid("not a name for what is built: \"" + asked.substr(0, 80) + "\"")
          .WithRemedy("use 1 to 64 of a-z, 0-9, '.', '_' and '-', the first one a letter or a "
                      "digit; other names are administrators'"));
}

Result<std::vector<std::string>> NamesFor(const Caller& caller, const BuildSpec& spec) {
  if (spec.names.size() > BuildSpec::kMaxNames) {
    return Failure(Error::Impossible("\"names\" has more than " +
                                     std::to_string(BuildSpec::kMaxNames) + " names"));
  }
  if (spec.names.empty() && !caller.admin)
    return Failure(Error::Invalid("a build needs a name for what it makes: \"names\" is empty"));
  std::vector<std::string> names;
  for (const std::string& asked : spec.names) {
    std::string name = TRY(NameFor(caller, asked));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

Result<void> CheckWords(const BuildSpec& spec) {
  if (spec.dockerfile.size() > kMaxPath)
    return Failure(Error::Invalid("\"dockerfile\" is too long"));
  if (spec.file_name.size() > kMaxPath) return Failure(Error::Invalid("\"file_name\" is too long"));
  if (spec.target.size() > kMaxWord) return Failure(Error::Invalid("\"target\" is too long"));
  if (spec.secrets.size() > BuildSpec::kMaxSecrets) {
    return Failure(Error::Impossible("\"secrets\" has more than " +
                                     std::to_string(BuildSpec::kMaxSecrets) + " entries"));
  }
  for (const auto& [id, content] : spec.secrets) {
    if (content.size() <= build::kMaxSecret) continue;
    return Failure(Error(
        ErrorCode::kLimitTooHigh, Fault::kCaller,
        "the secret \"" + id.substr(0, 80) + "\" is larger than " + HumanBytes(build::kMaxSecret)));
  }
  return {};
}

// What a build of an owner's own templates may still write.
Result<Bytes> RoomOf(Manager& manager, const Caller& caller, const std::vector<std::string>& names,
                     Bytes most) {
  if (caller.admin) return most;
  return std::min(most, TRY(manager.snapshots().RoomFor(caller.owner, names.front())));
}

}  // namespace

Result<BuildKeeper::Place> BuildKeeper::Place::Take(BuildKeeper& keeper, const Caller& caller,
                                                    const BuildRules& rules) {
  const size_t most = rules.at_a_time + rules.waiting;
  const std::lock_guard lock(keeper.mutex_);
  if (keeper.stopping_) return Failure(ShuttingDown());
  const size_t all = std::accumulate(keeper.under_way_.begin(), keeper.under_way_.end(), size_t{0},
                                     [](size_t sum, const auto& one) { return sum + one.second; });
  if (all >= most) {
    return Failure(
        Error(ErrorCode::kUnavailable, Fault::kMachine,
              std::to_string(most) + " builds are under way or wait already, which is the maximum")
            .WithRemedy("try again in a moment, or raise templates.max_waiting_builds"));
  }
  size_t& own = keeper.under_way_[caller.owner];
  if (own >= MostOf(rules, caller)) {
    return Failure(Error::Busy(std::to_string(own) +
                               " builds of this owner are under way or wait already, which is the "
                               "maximum for one")
                       .WithRemedy("try again when one of them has ended"));
  }
  ++own;
  return Place(keeper, caller.owner);
}

BuildKeeper::Place::~Place() {
  if (keeper_ == nullptr) return;
  const std::lock_guard lock(keeper_->mutex_);
  const auto own = keeper_->under_way_.find(owner_);
  if (--own->second == 0) keeper_->under_way_.erase(own);
}

Result<void> BuildKeeper::CheckEngine() const {
  if (services_.engine.capabilities().root) return {};
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "this server cannot build templates: the steps of a Dockerfile are done "
                       "by root and other users of a sandbox, and its sandboxes have a single "
                       "user")
                     .WithRemedy("run the server as root; or import an image"));
}

Result<BuildView> BuildKeeper::Start(const Caller& caller, BuildSpec spec,
                                     archive::ByteSource& context) {
  const auto rules = rules_.Get();
  TRY(CheckMayBuild(*rules, caller));
  TRY(CheckEngine());
  Reap();
  const EntryPtr entry = TRY(Prepare(caller, std::move(spec), *rules));
  auto started = [&]() -> Result<BuildView> {
    TRY(Receive(*entry, *rules, context));
    return Enter(entry);
  }();
  if (!started) entry->Release();
  return started;
}

Result<BuildKeeper::EntryPtr> BuildKeeper::Prepare(const Caller& caller, BuildSpec spec,
                                                   const BuildRules& rules) {
  TRY(CheckWords(spec));
  auto entry = std::make_shared<Entry>();
  entry->caller = caller;
  build::BuildRequest& request = entry->request;
  request.names = TRY(NamesFor(caller, spec));
  if (!spec.platform.empty()) request.platform = TRY(Platform::Parse(spec.platform));
  entry->network = TRY(services_.manager.NetworkOfSteps(caller, spec.network));
  request.max_bytes = TRY(RoomOf(services_.manager, caller, request.names, rules.max_size));
  request.target = spec.target;
  request.build_args = std::move(spec.args);
  request.labels = std::move(spec.labels);
  request.secrets = std::move(spec.secrets);
  request.owner = rules.share_cache ? kEverybody : caller.owner;
  request.no_cache = spec.no_cache;
  entry->pulls_again = spec.pull;
  request.limits = {.limits = rules.limits, .timeout = rules.step_timeout};
  request.keep = {.max_bytes = rules.cache_size, .max_age = rules.cache_age};
  BuildView& view = entry->view;
  view.id = TRY(SandboxId::Generate()).text();
  view.names = request.names;
  entry->dockerfile = spec.dockerfile.empty() ? "Dockerfile" : spec.dockerfile;
  view.dockerfile = spec.file_name.empty() ? entry->dockerfile : spec.file_name;
  view.target = spec.target;
  view.platform = request.platform.value_or(Platform::Native()).Text();
  view.owner = caller.owner;
  entry->stop.emplace(TRY(StopTimer::Make()));
  entry->place.emplace(TRY(Place::Take(*this, caller, rules)));
  return entry;
}

Result<void> BuildKeeper::Receive(Entry& entry, const BuildRules& rules,
                                  archive::ByteSource& context) {
  templates::LayerStore layers = services_.templates.layers();
  entry.context.emplace(TRY(layers.Begin()));
  auto directory = std::make_shared<Fd>(TRY(templates::OpenLayerRoot(entry.context->root())));
  templates::ImportOptions watched;
  watched.is_stopped = [this] { return stopping(); };
  templates::ImportWatch watch(watched);
  archive::UnpackOptions options;
  options.max_entries = BuildRules::kMaxContextEntries;
  options.max_bytes = options.max_file_bytes = rules.max_context;
  options.on_progress = [&](const archive::UnpackReport& now) {
    return watch.Note({now.entries, now.bytes}, *directory);
  };
  const auto plain = TRY(archive::Decompress(context));
  auto unpacked = archive::Unpack(*plain, *directory, options);
  if (!unpacked) {
    Error error = std::move(unpacked).error().WithContext("the context");
    if (error.code() != ErrorCode::kLimitTooHigh) return Failure(std::move(error));
    return Failure(std::move(error).WithRemedy(
        "leave more out of it in .dockerignore, or raise templates.max_context"));
  }
  entry.view.context = unpacked->bytes;
  auto opened = TRY(build::OpenUnpackedContext(std::move(directory), entry.dockerfile));
  entry.request.context = std::move(opened.directory);
  entry.request.dockerfile = std::move(opened.dockerfile);
  entry.request.file_name = entry.view.dockerfile;
  entry.request.ignore = std::move(opened.ignore);
  return {};
}

Result<BuildView> BuildKeeper::Enter(const EntryPtr& entry) {
  entry->view.asked_unix_ms = UnixMs();
  const BuildView view = entry->view;
  // Before it is answered: a server that is killed tells of it afterwards.
  TRY(services_.store.Write([&](Database& db) { return build_table::Put(db, view); }));
  const std::lock_guard lock(mutex_);
  // The next server tells of it as interrupted.
  if (stopping_) return Failure(ShuttingDown());
  builds_[view.id] = entry;
  waiting_.push_back(entry);
  DispatchLocked();
  return entry->view;
}

}  // namespace cay::sandbox
