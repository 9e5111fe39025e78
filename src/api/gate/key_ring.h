// KeyRing: the API keys in memory, so that a request is authenticated without the store. A key that
// is made or revoked here counts at once, and so does one that another process made or revoked
// beside the server (`cay keys create --local`): each use looks for that process's mark
// (store/foreign_writes.h).
//
//   auto ring = TRY(KeyRing::Open(store));
//   if (ring->needed()) Identity who = TRY(ring->Authenticate(token));
//
// Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/gate/key_table.h"
#include "api/gate/rate_limit.h"
#include "store/store.h"

namespace cay::api {

// The caller that a key stands for.
struct Identity {
  std::string key_id;
  std::string owner;
  Scope scope = Scope::kRead;
  uint64_t requests_per_second = 0;
  uint64_t max_sandboxes = 0;  // of the owner
};

class KeyRing {
 public:
  static Result<std::unique_ptr<KeyRing>> Open(store::Store& store);

  // Whether there ever was a key: then everybody needs one, also when all of them are revoked.
  bool needed();
  // Whether there is one that works.
  bool usable();
  // What a caller without a working key can do; where no key works any more, only on the server's
  // machine.
  Remedy HowToGetIn();

  // kPermissionDenied, always in the same words: they do not tell whether the id or the secret was
  // wrong.
  Result<Identity> Authenticate(std::string_view token);

  // Whether the key of an admitted request still works; kPermissionDenied.
  Result<void> StillWorks(const std::string& id);

  Result<NewKey> Create(const KeySpec& spec);
  Result<void> Revoke(std::string_view id, LastAdmin last);
  std::vector<ApiKey> List();

 private:
  explicit KeyRing(store::Store& store) : store_(store) {}
  Result<void> Load();
  // Loads again when another process changed something: at once when its mark changed; within a
  // second, by the generation, when it left no mark, as older programs do.
  void Refresh();
  bool AnyWorks(int64_t now_unix_ms) const;  // under the lock
  void NoteUse(const std::string& id, int64_t now_unix_ms);

  store::Store& store_;
  std::shared_mutex mutex_;
  std::unordered_map<std::string, ApiKey> keys_;
  std::atomic<bool> needed_ = false;
  int64_t generation_ = -1;
  std::atomic<int64_t> looked_ms_ = 0;
  std::atomic<int64_t> seen_mark_ = 0;
};

}  // namespace cay::api
