// SandboxTable: the rows of sandboxes. The functions are parts of transactions of store::Store's.
//
// A destroyed sandbox's row stays for a while, without its document, so that a client that asks for
// it is told what became of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/records/record.h"
#include "store/database.h"

namespace cay::sandbox {

inline constexpr size_t kDestroyedKept = 1000;

// One row as a server finds it that starts.
struct StoredSandbox {
  SandboxRecord record;
  bool destroying = false;  // it was promised, and perhaps not done
  std::string damage{};     // why its document says nothing; empty: it does
};

struct DestroyedSandbox {
  SandboxId id;
  std::string owner;
  std::string name;
  std::string reason;
  int64_t created_unix_ms = 0;
  int64_t destroyed_unix_ms = 0;
};

// New or changed. kAlreadyExists when the owner has another one of that name.
Result<void> SaveSandbox(store::Database& db, const SandboxRecord& record);
Result<void> SaveActivity(store::Database& db, const SandboxId& id, const Activity& activity);
Result<void> MarkDestroying(store::Database& db, const SandboxId& id, const std::string& reason);
Result<void> MarkDestroyed(store::Database& db, const SandboxId& id, const std::string& reason,
                           int64_t unix_ms);

// The row goes, whatever it says: that of a sandbox which is about to have another.
Result<void> RemoveRow(store::Database& db, const SandboxId& id);

// All that are not destroyed, the oldest first.
Result<std::vector<StoredSandbox>> LoadSandboxes(store::Database& db);

// By its id, which is `which`, or by its name (the last that had it).
Result<std::optional<DestroyedSandbox>> FindDestroyed(store::Database& db, std::string_view which,
                                                      const QualifiedName& called);

}  // namespace cay::sandbox
