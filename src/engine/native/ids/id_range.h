// IdRange: 65,536 user and group ids of the host that belong to one sandbox and to nobody else.
//
// Ranges start at 0x70000000, above those of systemd-nspawn (uid 0x00080000 to 0x6FFFFFFF,
// systemd.io/UIDS-GIDS) and of /etc/subuid. A range is taken by making a symlink of its number in
// run_dir/ids, so that every process on the machine agrees without a lock. It points to nothing:
// its target is the id of the sandbox, there from the first moment on, which a file's content would
// not be. Whoever cleans up after a crash frees the ranges of sandboxes that are no more.
#pragma once

#include <sys/types.h>

#include <bitset>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

class IdRange {
 public:
  static constexpr uid_t kFirst = 0x70000000;
  static constexpr uid_t kSize = 65'536;
  static constexpr unsigned kCount = 4096;
  // Of these, numbers below are given to sandboxes. The last range's first id is that of cay-net
  // (network/relay/confine.h) and of what `cay doctor` tries.
  static constexpr unsigned kGiven = kCount - 1;

  // Number 0 to kCount-1.
  static Result<IdRange> FromNumber(uint64_t number);

  unsigned number() const { return number_; }
  uid_t base() const { return kFirst + number_ * kSize; }

 private:
  explicit IdRange(unsigned number) : number_(number) {}
  unsigned number_;
};

class IdRangeAllocator {
 public:
  // `run_dir` is the machine's run directory. Of several allocators that share a machine's
  // sandboxes, each first takes the ranges whose numbers are its own, so that they do not collide.
  static Result<IdRangeAllocator> Open(const std::string& run_dir, size_t number = 0,
                                       size_t of = 1);

  // kResourceExhausted when all are taken.
  Result<IdRange> Take(const SandboxId& owner);

  // Takes the range of this number, for a sandbox that comes back from an earlier launcher. No
  // error when `owner` has it already; kResourceExhausted when another sandbox has.
  Result<void> Retake(IdRange range, const SandboxId& owner);

  // No error when it belongs to another sandbox, or to none.
  Result<void> Free(IdRange range, std::string_view owner);

  // The ranges that symlinks say are this sandbox's: one, as a rule.
  Result<std::vector<IdRange>> OwnedBy(const SandboxId& owner) const;

  struct Taken {
    IdRange range;
    std::string owner;  // as the symlink says: not necessarily an id
  };
  Result<std::vector<Taken>> List() const;

 private:
  IdRangeAllocator(Fd dir, size_t number, size_t of)
      : dir_(std::move(dir)), number_(number), of_(of) {}
  Result<std::optional<IdRange>> TakeAmong(const SandboxId& owner, bool own);
  Result<bool> TryTake(IdRange range, const SandboxId& owner);
  Result<std::string> OwnerOf(const char* name) const;

  Fd dir_;
  size_t number_;
  size_t of_;
  // The ranges that were taken here: so two sandboxes do not share one when somebody removes a
  // symlink.
  std::bitset<IdRange::kCount> held_;
  unsigned next_ = 0;  // where to look first
};

}  // namespace cay::engine::native
