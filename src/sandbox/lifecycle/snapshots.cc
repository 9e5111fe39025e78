#include "sandbox/lifecycle/snapshots.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "base/os/log.h"
#include "sandbox/lifecycle/transitions.h"
#include "sandbox/rules/state_machine.h"
#include "template/space/make_room.h"
#include "template/store/template_name.h"

namespace cay::sandbox {
namespace {

using templates::OwnedName;
using templates::SnapshotDraft;
using templates::TemplateInfo;

// More files than any disk of a sandbox has inodes for.
constexpr uint64_t kMaxFiles = 10'000'000;

Error NoSnapshot(const std::string& name) {
  return Error(ErrorCode::kNotFound, Fault::kCaller, "there is no snapshot \"" + name + "\"");
}

// While it lives, nothing of a running sandbox runs.
class Stillness {
 public:
  static Result<Stillness> Begin(engine::Engine& engine, const SandboxId& id, bool runs) {
    if (runs) TRY(engine.HoldStill(id));
    return Stillness(engine, id, runs);
  }
  Stillness(Stillness&& other) noexcept
      : engine_(other.engine_), id_(other.id_), holds_(std::exchange(other.holds_, false)) {}
  Stillness& operator=(Stillness&&) = delete;
  ~Stillness() {
    if (!holds_) return;
    if (const auto on = engine_.GoOn(id_); !on)
      LogWarning("sandbox " + id_.text() + " stands still: " + on.error().ToString());
  }

 private:
  Stillness(engine::Engine& engine, const SandboxId& id, bool holds)
      : engine_(engine), id_(id), holds_(holds) {}
  engine::Engine& engine_;
  const SandboxId id_;
  bool holds_;
};

}  // namespace

bool MaySee(const Caller& caller, const std::string& template_name) {
  const auto owned = templates::ParseOwnedName(template_name);
  return !owned || caller.admin || owned->owner == caller.owner;
}

Result<std::string> TemplateNameFor(const templates::TemplateStore& store, const Caller& caller,
                                    const std::string& asked) {
  if (!MaySee(caller, asked)) return Failure(NoSnapshot(asked));
  if (!templates::IsShortName(asked)) return asked;
  std::string own = TextOf(OwnedName{.owner = caller.owner, .name = asked});
  if (store.Has(own)) return own;
  return asked;
}

Result<Snapshots::Room> Snapshots::RoomOf(const std::string& owner, const std::string& replaced) {
  const auto options = core_.options();
  Room left{.count = options->max_snapshots_per_owner,
            .bytes = options->max_snapshot_bytes_per_owner};
  for (const TemplateInfo& info : TRY(core_.templates.store().List())) {
    const auto owned = templates::ParseOwnedName(info.name);
    if (!owned || owned->owner != owner || info.name == replaced) continue;
    // What is made for packages goes by itself.
    if (info.packages.empty()) left.count -= std::min<size_t>(left.count, 1);
    left.bytes -= std::min(left.bytes, info.written);
  }
  if (left.count > 0 && left.bytes > 0) return left;
  return Failure(Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                       left.count == 0 ? "there are as many snapshots as one owner may have"
                                       : "the snapshots are as large as one owner's may be")
                     .WithRemedy("remove one, or raise limits.snapshots_per_owner or "
                                 "limits.snapshots_size_per_owner in the configuration"));
}

Result<Bytes> Snapshots::RoomFor(const std::string& owner, const std::string& replaced) {
  return TRY(RoomOf(owner, replaced)).bytes;
}

Result<SnapshotDraft> Snapshots::Copy(Sandbox& sandbox, Bytes room) {
  const Stillness still =
      TRY(Stillness::Begin(core_.engine, sandbox.id(), sandbox.state() == SandboxState::kRunning));
  const engine::WrittenLayers written = TRY(core_.engine.OpenWritten(sandbox.id()));
  templates::ImportOptions options;
  options.max_bytes = room;
  options.max_entries = kMaxFiles;
  auto draft = core_.templates.store().DraftSnapshot(written, options);
  if (draft || draft.error().code() != ErrorCode::kLimitTooHigh) return draft;
  return Failure(std::move(draft).error().WithRemedy(
      "remove other snapshots, or raise limits.snapshots_size_per_owner in the configuration"));
}

Result<TemplateInfo> Snapshots::Take(Sandbox& sandbox, const SnapshotRequest& request) {
  if (!templates::IsShortName(request.name)) {
    return Failure(
        Error::Invalid("not a name for a snapshot: \"" + request.name.substr(0, 80) + "\"")
            .WithRemedy("use 1 to 64 of a-z, 0-9, '.', '_' and '-', the first one a letter or a "
                        "digit"));
  }
  const auto lock = TRY(LockTransition(sandbox));
  TRY(CheckCan(Act::kSnapshot, core_.engine_is));
  TRY(CheckAct(Act::kSnapshot, sandbox.id(), sandbox.state()));
  templates::NewSnapshot snapshot{
      .name = TextOf(OwnedName{.owner = sandbox.owner(), .name = request.name}),
      .parent = sandbox.View().spec.template_name,
      .sandbox = sandbox.id().text(),
      .replace = request.replace};
  const std::lock_guard one_at_a_time(adding_);
  const Room room = TRY(RoomOf(sandbox.owner(), request.replace ? snapshot.name : ""));
  TRY(templates::MakeRoom(core_.templates.store(), 0));  // while it still runs
  SnapshotDraft draft = TRY(Copy(sandbox, room.bytes));
  TemplateInfo info = TRY(core_.templates.store().AddSnapshot(snapshot, std::move(draft)));
  core_.CommitFact(sandbox, [](SandboxRecord&) {}, "sandbox.snapshotted", info.name);
  return info;
}

Result<std::vector<TemplateInfo>> Snapshots::List(const Caller& caller) {
  std::vector<TemplateInfo> all = TRY(core_.templates.store().List());
  std::erase_if(all, [&](const TemplateInfo& info) {
    return !templates::ParseOwnedName(info.name) || !MaySee(caller, info.name);
  });
  std::ranges::sort(
      all, {}, [](const TemplateInfo& info) { return std::tie(info.imported_unix_ms, info.name); });
  return all;
}

Result<TemplateInfo> Snapshots::Get(const Caller& caller, const std::string& name) {
  templates::TemplateStore& store = core_.templates.store();
  const std::string whole = TRY(TemplateNameFor(store, caller, name));
  if (!templates::ParseOwnedName(whole) || !store.Has(whole)) return Failure(NoSnapshot(name));
  return store.InfoOf(whole);
}

Result<void> Snapshots::Remove(const Caller& caller, const std::string& name) {
  const TemplateInfo info = TRY(Get(caller, name));
  return core_.templates.store().Remove(info.name);
}

}  // namespace cay::sandbox
