// CacheDirectory: the files of a package cache, and how much they are together. Several processes
// may have one open at a time.
//
//   NAME.entry   a StoredAnswer, with its digest before it; NAME is the key's
//   NAME.body    a body; NAME is its SHA-256, so that it is there once, however many keys lead to it
//   NAME.part    what is being written, locked (flock(2)) by who writes it, as large as it may get
//   ledger       how much all of them are, at most; its lock is the lock of every change
//
// There is one directory and none below it: Landlock then grants it alone. Nothing is synced: after
// a crash a file may be anything, and so an entry and a body are held against their digests before
// they are used. Room is taken in the ledger before it is used, and given back after it is free: a
// crash between makes the ledger too large, never too small, and a sweep makes it true again.
//
// What was used last (mtime) goes last, entries and bodies each by their own: an entry without its
// body is nothing, and is removed when it is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "network/cache/stored_answer.h"
#include "network/link/cache_counts.h"

namespace cay::network {

struct CacheBounds {
  static constexpr uint64_t kMinBytes = uint64_t{1} << 20;
  static constexpr uint64_t kMaxEntries = 16'384;

  uint64_t bytes = 0;
  uint64_t entries = kMaxEntries;
};

struct CacheUsage {
  uint64_t entries = 0;
  uint64_t bodies = 0;
  uint64_t bytes = 0;  // of them, and of what is being written
};

class CacheDirectory {
 public:
  // A file that is being written, and what it has of the ledger. Gives it back unless it is kept.
  class Part {
   public:
    Part(Part&& other) noexcept;
    Part& operator=(Part&&) = delete;
    ~Part();
    Result<void> Append(std::string_view bytes);
    uint64_t size() const { return size_; }

   private:
    friend class CacheDirectory;
    Part(CacheDirectory& directory, Fd file, std::string name)
        : directory_(&directory), file_(std::move(file)), name_(std::move(name)) {}
    CacheDirectory* directory_;  // null: there is nothing to give back
    Fd file_;
    std::string name_;
    uint64_t size_ = 0;
    uint64_t taken_ = 0;  // of the ledger
  };

  // `directory`: open for reading, and this process's user's. Neither reads nor writes.
  CacheDirectory(Fd directory, CacheBounds bounds)
      : directory_(std::move(directory)), bounds_(bounds) {}

  // Of a body that is written then; kResourceExhausted for one that is too large for the cache.
  // `size`: if it is known. kUnavailable: somebody else has the lock.
  Result<Part> Begin(std::optional<uint64_t> size);
  // The whole body was appended: it and its entry are there from now on.
  Result<void> Keep(Part part, const std::string& key_file, const StoredAnswer& answer);
  // Writes an entry anew, of a body that is there.
  Result<void> Rewrite(const std::string& key_file, const StoredAnswer& answer);

  struct Found {
    StoredAnswer answer;
    Fd body;  // of its size
  };
  // What is kept, if it is whole so far as that is seen without reading the body. It is used then.
  std::optional<Found> Find(const std::string& key_file, std::string_view key);
  // Removes an entry, and a body that is not what it should be.
  void Forget(const std::string& key_file, const std::string& damaged_body);

  // Every entry that can be read, in no order. For who looks at it.
  Result<void> Each(const std::function<void(const StoredAnswer& answer)>& use) const;
  Result<CacheUsage> Usage() const;
  // Removes all that nobody writes just now.
  Result<void> Clear();
  // Removes what is too much for its bounds, which may have been others before.
  Result<void> Settle();

  // What is in it as the ledger had it last. Hits and misses are for who answers to count.
  CacheCounts& counts() { return counts_; }

 private:
  struct Ledger {
    uint32_t format = 1;
    uint64_t bytes = 0;
    uint64_t entries = 0;
    static void Fields(auto& self, auto& codec) {
      codec.Field(1, self.format);
      codec.Field(2, self.bytes);
      codec.Field(3, self.entries);
    }
  };
  struct Room {
    uint64_t bytes = 0;
    uint64_t entries = 0;
  };
  struct File;
  // The lock, and the ledger as it is; written back when it goes.
  class Locked;

  Result<Fd> OpenLedger() const;
  Result<Ledger> Sweep(const Room& room);
  Result<void> Take(Locked& locked, const Room& room);
  Result<void> Grow(Part& part, uint64_t bytes);
  void GiveBack(Part& part);
  Result<void> PlaceBody(Locked& locked, Part& part, const std::string& digest);
  Result<void> WriteEntry(Locked& locked, const std::string& key_file, const StoredAnswer& answer);
  void Remove(Locked& locked, const std::string& name, bool is_entry);
  uint64_t SizeOf(const std::string& name) const;  // 0: there is no such file

  Fd directory_;
  CacheBounds bounds_;
  CacheCounts counts_;
  std::optional<Fd> ledger_;
};

}  // namespace cay::network
