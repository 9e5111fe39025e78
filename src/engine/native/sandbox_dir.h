// SandboxDir: what a sandbox has on disk, state_dir/sandboxes/ID/:
//
//   lock          held by the launcher that owns the sandbox: who can take it may clean up or adopt
//   record        what a launcher needs to know of it when it starts again
//   guest.sock    where the guest listens; guest.paused while it is frozen
//   scratch.img   the writable layer, unless it is in memory
//
// The directory is made first and removed last, so that everything else of a sandbox (cgroups, id
// range) can be found from it after a crash.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/id.h"
#include "base/result.h"
#include "engine/native/record.h"

namespace cay::engine::native {

class SandboxDir {
 public:
  // Makes it, and takes its lock. kAlreadyExists when it is there.
  static Result<SandboxDir> Make(const std::string& sandboxes_dir, const SandboxId& id);

  // One made ahead of the sandbox that will have it, under a name that nobody else has, with the files that it will have:
  // an inode takes ext4 long where many were freed a moment ago (recently_deleted in fs/ext4/ialloc.c).
  static Result<SandboxDir> MakeAhead(const std::string& sandboxes_dir);

  // Gives it the name of its sandbox. kAlreadyExists when it is there.
  Result<void> Rename(const std::string& sandboxes_dir, const SandboxId& id);

  // One that is there, with its lock: kUnavailable when somebody else owns it.
  static Result<SandboxDir> Claim(const std::string& sandboxes_dir, const SandboxId& id);

  // Ids of all that are there, whoever owns them.
  static Result<std::vector<SandboxId>> List(const std::string& sandboxes_dir);

  // Without taking the lock: for looking only.
  static Result<Record> ReadRecordOf(const std::string& sandboxes_dir, const SandboxId& id);
  static Result<bool> IsOwned(const std::string& sandboxes_dir, const SandboxId& id);

  const Fd& dir() const { return dir_; }
  // In two steps, around what the record is about to say: what needs room on the disk comes first, and can fail while nothing
  // has happened yet. A record that was prepared and not committed says nothing.
  Result<void> PrepareRecord(const Record& record) const;
  Result<void> CommitRecord() const;
  Result<void> WriteRecord(const Record& record) const;  // both
  Result<Record> ReadRecord(const SandboxId& id) const;

  // Without a record it is garbage as soon as nobody has the lock.
  Result<void> DropRecord() const;

  // Removes it and gives the lock up.
  Result<void> Remove() &&;

  // The same, but the files are only unlinked: it is with the last of these descriptors that the kernel frees what they
  // held, which for an image takes it some milliseconds. `kept`: files to be among them.
  Result<std::vector<Fd>> Unlink(std::initializer_list<const char*> kept) &&;

 private:
  SandboxDir(std::string path, Fd dir, Fd lock)
      : path_(std::move(path)), dir_(std::move(dir)), lock_(std::move(lock)) {}

  std::string path_;
  Fd dir_;
  Fd lock_;
};

}  // namespace cay::engine::native
