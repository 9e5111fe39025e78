// VolumeKeeper: volumes of the owners of a server.
//
//   const VolumeInfo made = TRY(keeper.Create(caller, {.name = "data", .size = 1 * kGiB}));
//   request.volumes = TRY(keeper.Resolve(caller.owner, spec.volumes));
//
// A volume is called "@OWNER/NAME" (base/names/owned_name.h); its owner says NAME. Who is neither
// its owner nor an administrator does not learn that it is there. Thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "archive/byte_stream.h"
#include "base/os/paths.h"
#include "engine/engine.h"
#include "sandbox/types.h"
#include "volume/store/volume_store.h"

namespace cay::sandbox {

// Of one owner.
struct VolumeBounds {
  size_t count = 0;
  Bytes bytes = 0;  // of all their sizes
};

struct VolumeSpec {
  static constexpr Bytes kUsualSize = 1 * kGiB;

  std::string name{};  // a short one
  Bytes size = kUsualSize;
};

class VolumeKeeper {
 public:
  // The engine outlives it. `check_room`: whether the server has room for another one.
  VolumeKeeper(const Paths& paths, engine::Engine& engine, std::function<VolumeBounds()> bounds,
               std::function<Result<void>()> check_room);

  // kNotSupported where the engine has no volumes, kResourceExhausted when the owner has as many,
  // or as large ones, as an owner may have.
  Result<volume::VolumeInfo> Create(const Caller& caller, const VolumeSpec& spec);
  // The caller's, those of everybody for an administrator.
  Result<std::vector<volume::VolumeInfo>> List(const Caller& caller);
  Result<volume::VolumeInfo> Get(const Caller& caller, const std::string& name);
  // kIllegalState while a sandbox has it.
  Result<void> Remove(const Caller& caller, const std::string& name);
  // See VolumeStore. Both take as long as the other end does.
  Result<archive::PackReport> Export(const Caller& caller, const std::string& name,
                                     archive::ByteSink& sink);
  Result<volume::VolumeStore::Imported> Import(const Caller& caller, const VolumeSpec& spec,
                                               archive::ByteSource& source);

  // Where they are for the engine. kNotFound for what the owner has not.
  Result<std::vector<engine::VolumeMount>> Resolve(const std::string& owner,
                                                   const std::vector<VolumeUse>& uses);

  // Removes what a server left that died; how many.
  Result<uint64_t> CollectGarbage() { return store_.CollectGarbage(); }

 private:
  // What an owner has asked for, and is not there yet.
  class Reservation;
  Result<Reservation> Reserve(const std::string& owner, Bytes size);
  Result<std::string> NewName(const Caller& caller, const VolumeSpec& spec) const;

  engine::Engine& engine_;
  const std::function<VolumeBounds()> bounds_;
  const std::function<Result<void>()> check_room_;
  volume::VolumeStore store_;
  std::mutex mutex_;
  std::map<std::string, VolumeBounds> reserved_;  // by owner
};

}  // namespace cay::sandbox
