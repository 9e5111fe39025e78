#include "api/gate/key_ring.h"

#include <algorithm>
#include <chrono>

#include "api/gate/secret.h"
#include "base/clock.h"
#include "base/os/log.h"
#include "crypto/digest.h"

namespace cay::api {
namespace {

constexpr int64_t kLookEveryMs = 1000;
constexpr int64_t kTouchEveryMs = 60'000;

constexpr const char* kMakeAKey =
    "no key works any more; on the server's machine: cay keys create --local --scope admin ops";

Remedy WayIn(bool some_key_works) {
  return some_key_works ? Remedy(Action::kAuthenticate) : Remedy(kMakeAKey);
}

Error Denied(bool some_key_works) {
  return Error(ErrorCode::kPermissionDenied, Fault::kCaller,
               "this API key is unknown, has expired or was revoked")
      .WithRemedy(WayIn(some_key_works));
}

}  // namespace

Result<std::unique_ptr<KeyRing>> KeyRing::Open(store::Store& store) {
  std::unique_ptr<KeyRing> ring(new KeyRing(store));
  TRY(ring->Load());
  return ring;
}

Result<void> KeyRing::Load() {
  std::vector<ApiKey> keys;
  int64_t generation = 0;
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    // First the number: what changes in between is loaded once more.
    generation = TRY(KeyGeneration(db));
    keys = TRY(ReadKeys(db));
    return {};
  }));
  const std::unique_lock lock(mutex_);
  keys_.clear();
  for (ApiKey& key : keys) keys_.emplace(key.id, std::move(key));
  generation_ = generation;
  needed_ = !keys_.empty();
  return {};
}

void KeyRing::Refresh() {
  const int64_t now = SteadyMs();
  int64_t looked = looked_ms_.load();
  const int64_t mark = store_.ForeignMark();
  const bool marked = mark != seen_mark_.load();
  if (!marked &&
      (now - looked < kLookEveryMs || !looked_ms_.compare_exchange_strong(looked, now))) {
    return;
  }
  int64_t generation = 0;
  const auto read = store_.Read([&](store::Database& db) -> Result<void> {
    generation = TRY(KeyGeneration(db));
    return {};
  });
  bool same = false;
  {
    const std::shared_lock lock(mutex_);
    same = generation == generation_;
  }
  const auto loaded = read && !same ? Load() : read;
  if (!loaded) {
    LogWarning("the API keys cannot be read again: " + loaded.error().ToString());
    return;
  }
  // Only now: whoever else asks meanwhile loads too, and is not told what was before.
  seen_mark_ = mark;
}

bool KeyRing::needed() {
  Refresh();
  return needed_;
}

bool KeyRing::usable() {
  Refresh();
  const std::shared_lock lock(mutex_);
  return AnyWorks(UnixMs());
}

bool KeyRing::AnyWorks(int64_t now_unix_ms) const {
  return std::ranges::any_of(keys_,
                             [&](const auto& entry) { return entry.second.Works(now_unix_ms); });
}

Remedy KeyRing::HowToGetIn() { return WayIn(usable()); }

Result<Identity> KeyRing::Authenticate(std::string_view token) {
  Refresh();
  const auto parts = ParseToken(token);
  // A hash is made in any case, so that an unknown id takes as long as a wrong secret.
  const std::string hash = TRY(HashSecret(parts ? parts->secret : std::string_view()));
  const int64_t now = UnixMs();
  Identity identity;
  bool touch = false;
  {
    const std::shared_lock lock(mutex_);
    const auto found = parts ? keys_.find(std::string(parts->id)) : keys_.end();
    if (found == keys_.end() || !ConstantTimeEqual(hash, found->second.hash) ||
        !found->second.Works(now)) {
      return Failure(Denied(AnyWorks(now)));
    }
    const ApiKey& key = found->second;
    identity = {.key_id = key.id,
                .owner = key.owner,
                .scope = key.scope,
                .requests_per_second = key.requests_per_second,
                .max_sandboxes = key.max_sandboxes};
    touch = now - key.last_used_unix_ms.value_or(0) >= kTouchEveryMs;
  }
  if (touch) NoteUse(identity.key_id, now);
  return identity;
}

Result<void> KeyRing::StillWorks(const std::string& id) {
  Refresh();
  const std::shared_lock lock(mutex_);
  const auto found = keys_.find(id);
  if (found != keys_.end() && found->second.Works(UnixMs())) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "the API key has expired or was revoked meanwhile")
                     .WithRemedy("continue with another key"));
}

void KeyRing::NoteUse(const std::string& id, int64_t now_unix_ms) {
  {
    const std::unique_lock lock(mutex_);
    const auto found = keys_.find(id);
    if (found == keys_.end()) return;
    found->second.last_used_unix_ms = now_unix_ms;
  }
  store_.WriteLater(
      [id, now_unix_ms](store::Database& db) { return TouchKey(db, id, now_unix_ms); });
}

Result<NewKey> KeyRing::Create(const KeySpec& spec) {
  NewKey made = TRY(MakeKey(spec, UnixMs()));
  TRY(store_.WriteDurably(
      [&](store::Database& db) { return InsertKey(db, made.key, spec.max_sandboxes); }));
  TRY(Load());
  // As the table has it: what the owner may have may have been there.
  const std::shared_lock lock(mutex_);
  if (const auto found = keys_.find(made.key.id); found != keys_.end()) made.key = found->second;
  return made;
}

Result<void> KeyRing::Revoke(std::string_view id, LastAdmin last) {
  const int64_t now = UnixMs();
  TRY(store_.WriteDurably([&](store::Database& db) { return RevokeKey(db, id, now, last); }));
  return Load();
}

std::vector<ApiKey> KeyRing::List() {
  Refresh();
  std::vector<ApiKey> keys;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [id, key] : keys_) keys.push_back(key);
  }
  std::ranges::sort(keys, {},
                    [](const ApiKey& key) { return std::pair(key.created_unix_ms, key.id); });
  return keys;
}

}  // namespace cay::api
