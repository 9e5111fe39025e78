#include "sandbox/volumes/volume_keeper.h"

#include <algorithm>
#include <utility>

#include "base/names/owned_name.h"
#include "engine/volume_users.h"
#include "volume/volume_dir.h"

namespace cay::sandbox {
namespace {

using volume::VolumeInfo;

Error NoVolume(const std::string& name) {
  return Error(ErrorCode::kNotFound, Fault::kCaller,
               "there is no volume \"" + name.substr(0, 160) + "\"");
}

// What a caller's name stands for; kNotFound for another owner's.
Result<std::string> WholeName(const Caller& caller, const std::string& name) {
  if (IsShortName(name)) return TextOf(OwnedName{.owner = caller.owner, .name = name});
  const auto owned = ParseOwnedName(name);
  if (owned && (caller.admin || owned->owner == caller.owner)) return name;
  return Failure(NoVolume(name));
}

// As its owner calls it.
template <class T>
Result<T> InOwnersWords(Result<T> done, const std::string& name) {
  if (done || done.error().code() != ErrorCode::kNotFound) return done;
  return Failure(NoVolume(name));
}

}  // namespace

class VolumeKeeper::Reservation {
 public:
  Reservation(VolumeKeeper& keeper, std::string owner, Bytes size)
      : keeper_(&keeper), owner_(std::move(owner)), size_(size) {}
  Reservation(Reservation&& other) noexcept
      : keeper_(std::exchange(other.keeper_, nullptr)),
        owner_(std::move(other.owner_)),
        size_(other.size_) {}
  Reservation& operator=(Reservation&&) = delete;
  ~Reservation() {
    if (keeper_ == nullptr) return;
    const std::lock_guard lock(keeper_->mutex_);
    VolumeBounds& reserved = keeper_->reserved_[owner_];
    reserved.bytes -= size_;
    if (--reserved.count == 0) keeper_->reserved_.erase(owner_);
  }

 private:
  VolumeKeeper* keeper_;
  std::string owner_;
  Bytes size_;
};

VolumeKeeper::VolumeKeeper(const Paths& paths, engine::Engine& engine,
                           std::function<VolumeBounds()> bounds,
                           std::function<Result<void>()> check_room)
    : engine_(engine),
      bounds_(std::move(bounds)),
      check_room_(std::move(check_room)),
      store_(paths, [&engine]() -> Result<std::vector<volume::VolumeUser>> {
        return engine::VolumeUsersOf(TRY(engine.List()));
      }) {}

Result<std::string> VolumeKeeper::NewName(const Caller& caller, const VolumeSpec& spec) const {
  if (!engine_.capabilities().volumes) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kCaller,
              "the engine of this server, " + engine_.Describe().name + ", has no volumes")
            .WithRemedy("volumes need a server that runs as root"));
  }
  if (!IsShortName(spec.name)) {
    return Failure(
        Error::Invalid("not a name for a volume: \"" + spec.name.substr(0, 80) + "\"")
            .WithRemedy("use 1 to 64 of a-z, 0-9, '.', '_' and '-', the first one a letter or a "
                        "digit"));
  }
  TRY(volume::CheckVolumeSize(spec.size));
  return TextOf(OwnedName{.owner = caller.owner, .name = spec.name});
}

// With what is there, and what is on its way.
Result<VolumeKeeper::Reservation> VolumeKeeper::Reserve(const std::string& owner, Bytes size) {
  const std::lock_guard lock(mutex_);
  const VolumeBounds most = bounds_();
  VolumeBounds now = reserved_.contains(owner) ? reserved_.at(owner) : VolumeBounds{};
  for (const VolumeInfo& info : TRY(store_.List())) {
    if (info.owner != owner) continue;
    ++now.count;
    now.bytes += info.size;
  }
  const bool too_many = now.count >= most.count;
  if (too_many || size > most.bytes || now.bytes > most.bytes - size) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                         too_many ? "there are as many volumes as one owner may have"
                                  : "the volumes of one owner may have " + FormatBytes(most.bytes) +
                                        " together, and they have " + FormatBytes(now.bytes) +
                                        " already")
                       .WithRemedy("remove one, or raise limits.volumes_per_owner or "
                                   "limits.volumes_size_per_owner in the configuration"));
  }
  VolumeBounds& reserved = reserved_[owner];
  ++reserved.count;
  reserved.bytes += size;
  return Reservation(*this, owner, size);
}

Result<VolumeInfo> VolumeKeeper::Create(const Caller& caller, const VolumeSpec& spec) {
  const std::string name = TRY(NewName(caller, spec));
  const Reservation reserved = TRY(Reserve(caller.owner, spec.size));
  TRY(check_room_());
  return store_.Create(name, spec.size);
}

Result<std::vector<VolumeInfo>> VolumeKeeper::List(const Caller& caller) {
  std::vector<VolumeInfo> all = TRY(store_.List());
  std::erase_if(all, [&](const VolumeInfo& info) {
    return !caller.admin && (info.owner.empty() || info.owner != caller.owner);
  });
  return all;
}

Result<VolumeInfo> VolumeKeeper::Get(const Caller& caller, const std::string& name) {
  return InOwnersWords(store_.Get(TRY(WholeName(caller, name))), name);
}

Result<void> VolumeKeeper::Remove(const Caller& caller, const std::string& name) {
  return InOwnersWords(store_.Remove(TRY(WholeName(caller, name))), name);
}

Result<archive::PackReport> VolumeKeeper::Export(const Caller& caller, const std::string& name,
                                                 archive::ByteSink& sink) {
  return InOwnersWords(store_.Export(TRY(WholeName(caller, name)), sink), name);
}

Result<volume::VolumeStore::Imported> VolumeKeeper::Import(const Caller& caller,
                                                           const VolumeSpec& spec,
                                                           archive::ByteSource& source) {
  const std::string name = TRY(NewName(caller, spec));
  const Reservation reserved = TRY(Reserve(caller.owner, spec.size));
  TRY(check_room_());
  return store_.Import(name, spec.size, source);
}

Result<std::vector<engine::VolumeMount>> VolumeKeeper::Resolve(const std::string& owner,
                                                               const std::vector<VolumeUse>& uses) {
  std::vector<engine::VolumeMount> mounts;
  for (const VolumeUse& use : uses) {
    const std::string name = TextOf(OwnedName{.owner = owner, .name = use.name});
    TRY(InOwnersWords(store_.Get(name), use.name));
    mounts.push_back(
        {.directory = store_.DirectoryOf(name), .target = use.path, .read_only = use.read_only});
  }
  return mounts;
}

}  // namespace cay::sandbox
