// SandboxDir: what a sandbox has on disk, state_dir/sandboxes/ID/:
//
//   lock              held by the launcher that owns the sandbox: who can take it may clean up or adopt. What is in it is for
//                     the one who promised the sandbox to somebody (Engine::Promise)
//   record            what a launcher needs to know of it when it starts again (record.h)
//   record.ephemeral  the same, of a sandbox that ends with its launcher
//   unpromised        nobody counts on it yet: another name of the lock
//   orphaned          it was promised, and nobody knows to whom: left to itself since then
//   destroyed         it was destroyed, and is being removed
//   guest.sock        where the guest listens; guest.paused while it is frozen
//   scratch.img       the writable layer, unless it is in memory; scratch.next while a reset puts it there
//
// The directory is made first and removed last, so that everything else of a sandbox (cgroups, id
// range) can be found from it after a crash.
//
// The names of files say whether it may be removed when nobody owns it, so that this is known even
// where no file can be read: only what says that it is garbage is garbage.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "engine/native/record/record.h"

namespace cay::engine::native {

inline constexpr Bytes kMaxPromiseBytes = 32 * kMiB;

// What may be done with a directory that nobody owns.
enum class Standing : uint8_t {
  kGarbage,     // destroyed, or half made
  kEphemeral,   // its launcher is gone: garbage too
  kUnpromised,  // it outlives its launcher, but nobody was promised it
  kKept,        // not without being asked
  kOrphaned,    // not without being asked; and no launcher takes it over
};

class SandboxDir {
 public:
  // Makes it, and takes its lock. kAlreadyExists when it is there.
  static Result<SandboxDir> Make(const std::string& sandboxes_dir, const SandboxId& id);

  // Makes one ahead of the sandbox that will have it, under a unique name, with the files that it
  // will have: ext4 takes long for an inode where many were freed a moment ago (recently_deleted in
  // fs/ext4/ialloc.c).
  static Result<SandboxDir> MakeAhead(const std::string& sandboxes_dir);

  // Gives it the name of its sandbox. kAlreadyExists when it is there.
  Result<void> Rename(const std::string& sandboxes_dir, const SandboxId& id);

  // Opens an existing one and takes its lock: kUnavailable when another process owns it.
  static Result<SandboxDir> Claim(const std::string& sandboxes_dir, const SandboxId& id);

  // Ids of all that are there, whoever owns them.
  static Result<std::vector<SandboxId>> List(const std::string& sandboxes_dir);

  // Without taking the lock: for looking only.
  static Result<Record> ReadRecordOf(const std::string& sandboxes_dir, const SandboxId& id);
  static Result<bool> IsOwned(const std::string& sandboxes_dir, const SandboxId& id);
  static Standing StandingOf(const std::string& sandboxes_dir, const SandboxId& id);
  // Since when it is orphaned, and when it was made or promised last, in Unix milliseconds; nothing
  // when it is not orphaned, or is gone.
  static std::optional<int64_t> OrphanedSince(const std::string& sandboxes_dir,
                                              const SandboxId& id);
  static std::optional<int64_t> MadeAt(const std::string& sandboxes_dir, const SandboxId& id);

  // Its owner may change it meanwhile.
  static Result<void> WritePromise(const std::string& sandboxes_dir, const SandboxId& id,
                                   std::string_view promise);
  // What the image of a persistent one takes on the disk. Nothing without an image, and of one that
  // is being made or removed.
  static std::optional<Bytes> ImageUse(const std::string& sandboxes_dir, const SandboxId& id);
  // kNotFound when nothing was promised.
  static Result<std::string> ReadPromise(const std::string& sandboxes_dir, const SandboxId& id);

  const Fd& dir() const { return dir_; }
  // In two steps, around what the record is about to say: what needs room on the disk comes first,
  // and can fail while nothing has happened yet. A record that was prepared and not committed says
  // nothing.
  Result<void> PrepareRecord(const Record& record) const;
  Result<void> CommitRecord(Lifetime lifetime) const;
  Result<void> WriteRecord(const Record& record) const;  // both
  Result<Record> ReadRecord(const SandboxId& id) const;

  Result<void> MarkUnpromised() const;
  Result<void> SetOrphaned(bool orphaned) const;
  // From here on it is garbage as soon as nobody has the lock.
  Result<void> MarkDestroyed() const;

  // Removes it and gives the lock up.
  Result<void> Remove() &&;

  // The same, but the files are only unlinked: it is with the last of these descriptors that the
  // kernel frees what they held, which for an image takes it some milliseconds. `kept`: files to be
  // among them.
  Result<std::vector<Fd>> Unlink(std::initializer_list<const char*> kept) &&;

 private:
  // What says that the rest is garbage goes last.
  Result<void> RemoveContent() const;
  Result<void> RemoveAll() const;

  SandboxDir(std::string path, Fd dir, Fd lock)
      : path_(std::move(path)), dir_(std::move(dir)), lock_(std::move(lock)) {}

  std::string path_;
  Fd dir_;
  Fd lock_;
};

}  // namespace cay::engine::native
