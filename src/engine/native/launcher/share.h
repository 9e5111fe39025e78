// Share: which sandboxes belong to one launcher, where a server has several: their ids say so.
// Nothing is written down: which launcher takes a sandbox over follows from its id and from how
// many there are now, whoever had it before.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/id.h"

namespace cay::engine::native {

inline constexpr size_t kMaxLaunchers = 16;

struct Share {
  size_t number = 0;  // below `of`
  size_t of = 1;      // at most kMaxLaunchers

  bool Has(const SandboxId& id) const { return NumberOf(id, of) == number; }

  static size_t NumberOf(const SandboxId& id, size_t of) {
    uint32_t hash = 0x811c9dc5;  // FNV-1a
    for (const char c : id.text()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193;
    return (hash >> 8U) % of;
  }
};

}  // namespace cay::engine::native
