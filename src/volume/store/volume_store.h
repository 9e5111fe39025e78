// VolumeStore: volumes by name, STATE/volumes/ (volume_dir.h says what is in each).
//
//   VolumeStore store(paths, lister);
//   VolumeInfo made = TRY(store.Create("data", 1 * kGiB));
//   request.volumes.push_back({store.DirectoryOf("data"), "/data", false});
//   TRY(store.Remove("data"));           // kIllegalState while a sandbox has it
//
// A name is a short one, or that of one owner's alone, "@OWNER/NAME" (base/names/owned_name.h).
//
// What is made is made aside and renamed, what is removed is renamed first: a process that is
// killed leaves the volume, or something that CollectGarbage removes. Any number of threads and
// processes may use one directory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/byte_stream.h"
#include "archive/pack.h"
#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/os/paths.h"
#include "base/result.h"
#include "base/units.h"
#include "volume/store/volume_draft.h"

namespace cay::volume {

// A sandbox that has a volume: from its create until it is destroyed.
struct VolumeUser {
  std::string directory;  // the volume's
  std::string sandbox;    // its id
  bool read_only = false;
};
// All of them, whoever owns the sandboxes. Those that end with the program that made them need not
// be among them: they have only what they have mounted.
using UserLister = std::function<Result<std::vector<VolumeUser>>()>;

struct VolumeInfo {
  std::string name;   // the whole: "data", "@alice/data"
  std::string owner;  // empty: nobody's alone
  Bytes size = 0;
  Bytes used = 0;  // on the machine's disk
  int64_t created_unix_ms = 0;
  std::vector<VolumeUser> users{};

  // Without its owner.
  std::string short_name() const;
};

class VolumeStore {
 public:
  VolumeStore(const Paths& paths, UserLister users);

  // Whatever is there: of a volume that may not exist.
  std::string DirectoryOf(std::string_view name) const;

  // kAlreadyExists, kInvalidArgument for a name or size that no volume has, kResourceExhausted when
  // the disk has not the room for all of it.
  Result<VolumeInfo> Create(const std::string& name, Bytes size);

  // By name. One that has lost its about.json is there all the same.
  Result<std::vector<VolumeInfo>> List();
  Result<VolumeInfo> Get(const std::string& name);

  // kIllegalState, and who has it, while a sandbox has it or it is mounted.
  Result<void> Remove(const std::string& name);

  // Removes what killed processes left; how many. With dry_run it only counts.
  Result<uint64_t> CollectGarbage(bool dry_run = false);

  // As root. A tar of all that is in it: "./", "./a" … kIllegalState while somebody writes to it.
  Result<archive::PackReport> Export(const std::string& name, archive::ByteSink& sink);
  // A new one, with what an archive has, which may be compressed, and hostile. Owners are as it
  // says up to 65535. kInvalidArgument for what is no archive, kResourceExhausted when it does not
  // fit.
  struct Imported {
    VolumeInfo info;
    archive::UnpackReport report;
  };
  Result<Imported> Import(const std::string& name, Bytes size, archive::ByteSource& source);

 private:
  Result<void> CheckNew(const std::string& name) const;
  Result<VolumeInfo> Publish(VolumeDraft draft, const std::string& name, Bytes size);
  Result<VolumeInfo> Look(const std::string& name) const;
  Result<std::vector<VolumeUser>> UsersOf(const std::string& directory) const;
  // Says who has it, where that is known and why it cannot be had.
  Error WithUsers(Error error, const std::string& directory) const;

  std::string directory_;
  UserLister users_;
};

}  // namespace cay::volume
