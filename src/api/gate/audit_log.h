// AuditLog: who did what, and what came of it: every request that changes something, opens a
// terminal, or was refused. Kept in the store, bounded, written a moment later; nothing of a
// credential or a body is in it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace cay::api {

struct AuditEntry {
  int64_t id = 0;
  int64_t unix_ms = 0;
  std::string request_id;
  std::string owner;        // of the key; "local"; empty when refused without a key
  std::string key_id = {};  // empty without one
  std::string peer;
  std::string operation;  // a route's name
  std::string method;
  std::string path;  // at most 512 bytes of it
  int status = 0;
};

struct AuditFilter {
  std::string owner = {};  // empty: all
  int64_t before = 0;      // an id; 0: from the newest
  size_t limit = 100;      // at most 1000
};

class AuditLog {
 public:
  AuditLog(store::Store& store, uint64_t kept) : store_(store), kept_(kept) {}

  void Add(AuditEntry entry);
  // Newest first.
  Result<std::vector<AuditEntry>> List(const AuditFilter& filter);
  void set_kept(uint64_t kept) { kept_ = kept; }

 private:
  store::Store& store_;
  std::atomic<uint64_t> kept_;
  std::atomic<uint64_t> added_ = 0;
};

}  // namespace cay::api
