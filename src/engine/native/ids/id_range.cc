#include "engine/native/ids/id_range.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>

#include "base/os/file.h"
#include "base/os/listing.h"
#include "base/os/sys.h"
#include "base/units.h"

namespace cay::engine::native {

Result<IdRange> IdRange::FromNumber(uint64_t number) {
  if (number >= kCount) return Failure(Error::Invalid("not a number of an id range"));
  return IdRange(static_cast<unsigned>(number));
}

Result<IdRangeAllocator> IdRangeAllocator::Open(const std::string& run_dir, size_t number,
                                                size_t of) {
  const std::string path = run_dir + "/ids";
  TRY(MakeDirectories(path, 0700));
  Fd dir = TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  IdRangeAllocator allocator(std::move(dir), number, of);
  // Processes that start looking at different places seldom meet.
  unsigned start = 0;
  if (::getrandom(&start, sizeof start, GRND_NONBLOCK) == sizeof start) {
    allocator.next_ = start % IdRange::kGiven;
  }
  return allocator;
}

Result<bool> IdRangeAllocator::TryTake(IdRange range, const SandboxId& owner) {
  const std::string name = std::to_string(range.number());
  const auto made = sys::SymlinkAt(owner.text().c_str(), dir_.get(), name.c_str());
  if (made) return true;
  if (made.error().sys_errno() == EEXIST) return false;
  return Failure(made.error());
}

Result<std::string> IdRangeAllocator::OwnerOf(const char* name) const {
  std::array<char, 64> target{};
  const ssize_t length = ::readlinkat(dir_.get(), name, target.data(), target.size());
  if (length < 0) return Failure(Error::FromErrno("reading who has an id range"));
  return std::string(target.data(), static_cast<size_t>(length));
}

Result<std::optional<IdRange>> IdRangeAllocator::TakeAmong(const SandboxId& owner, bool own) {
  for (unsigned tried = 0; tried < IdRange::kGiven; ++tried) {
    const IdRange range = TRY(IdRange::FromNumber(next_));
    next_ = (next_ + 1) % IdRange::kGiven;
    if ((range.number() % of_ == number_) != own) continue;
    if (held_.test(range.number()) || !TRY(TryTake(range, owner))) continue;
    held_.set(range.number());
    return range;
  }
  return std::nullopt;
}

Result<IdRange> IdRangeAllocator::Take(const SandboxId& owner) {
  for (const bool own : {true, false}) {
    if (const auto range = TRY(TakeAmong(owner, own))) return *range;
  }
  return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                       "all " + std::to_string(IdRange::kGiven) + " ranges of user ids are in use")
                     .WithRemedy("destroy sandboxes, or run: cay gc"));
}

Result<void> IdRangeAllocator::Retake(IdRange range, const SandboxId& owner) {
  const bool is_its = TRY(TryTake(range, owner)) ||
                      TRY(OwnerOf(std::to_string(range.number()).c_str())) == owner.text();
  if (is_its) {
    held_.set(range.number());
    return {};
  }
  return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                       "the sandbox's range of user ids was taken by another"));
}

Result<void> IdRangeAllocator::Free(IdRange range, std::string_view owner) {
  const std::string name = std::to_string(range.number());
  const auto has_it = OwnerOf(name.c_str());
  if (!has_it && has_it.error().sys_errno() != ENOENT) return Failure(has_it.error());
  if (has_it && *has_it != owner) return {};
  if (::unlinkat(dir_.get(), name.c_str(), 0) < 0 && errno != ENOENT) {
    return Failure(Error::FromErrno("freeing an id range"));
  }
  held_.reset(range.number());
  return {};
}

Result<std::vector<IdRange>> IdRangeAllocator::OwnedBy(const SandboxId& owner) const {
  std::vector<IdRange> owned;
  for (const Taken& taken : TRY(List())) {
    if (taken.owner == owner.text()) owned.push_back(taken.range);
  }
  return owned;
}

Result<std::vector<IdRangeAllocator::Taken>> IdRangeAllocator::List() const {
  Listing listing =
      TRY(Listing::Of(TRY(sys::OpenAt(dir_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
  std::vector<Taken> taken;
  while (const dirent* entry = TRY(listing.Next())) {
    const auto number = ParseUnsigned(entry->d_name, IdRange::kCount - 1);
    if (!number) continue;
    auto owner = OwnerOf(entry->d_name);
    if (!owner) continue;  // freed meanwhile
    taken.push_back({TRY(IdRange::FromNumber(*number)), std::move(*owner)});
  }
  return taken;
}

}  // namespace cay::engine::native
