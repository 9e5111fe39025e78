// What a package cache did since it was opened, and what is in it.
#pragma once

#include <cstdint>

namespace cay::network {

struct CacheCounts {
  uint64_t hits = 0;       // requests that were answered from it
  uint64_t hit_bytes = 0;  // of their bodies
  uint64_t renewed = 0;    // of those: after the server had said that it is still good
  uint64_t misses = 0;     // requests of which nothing good was there
  uint64_t stored = 0;     // answers that were kept
  uint64_t evicted = 0;    // files that were removed to make room
  uint64_t damaged = 0;    // files that were not what was written
  uint64_t failed = 0;     // answers that could not be kept: a full disk, for instance
  uint64_t bytes = 0;      // that it has on disk now, at most
  uint64_t entries = 0;    // answers that are in it now, at most

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.hits);
    codec.Field(2, self.hit_bytes);
    codec.Field(3, self.renewed);
    codec.Field(4, self.misses);
    codec.Field(5, self.stored);
    codec.Field(6, self.evicted);
    codec.Field(7, self.damaged);
    codec.Field(8, self.failed);
    codec.Field(9, self.bytes);
    codec.Field(10, self.entries);
  }
};

}  // namespace cay::network
