#include "api/gate/key_table.h"

#include <algorithm>
#include <array>

#include "api/gate/secret.h"
#include "sandbox/rules/spec_rules.h"

namespace cay::api {
namespace {

constexpr size_t kIdLength = 12;
constexpr size_t kSecretLength = 40;
constexpr std::string_view kPrefix = "cay_";

constexpr std::array<std::string_view, 4> kScopeNames = {"public", "read", "use", "admin"};

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

Result<void> CheckName(std::string_view name) {
  const bool good = !name.empty() && name.size() <= 128 && std::ranges::none_of(name, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (good) return {};
  return Failure(Error::Invalid("a key's name must have 1 to 128 bytes and no control characters"));
}

std::optional<int64_t> OptionalInt(const store::Statement& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional<int64_t>(row.Int(column));
}

Result<void> Advance(store::Database& db) {
  return db.Execute("UPDATE api_key_generation SET value = value + 1");
}

Result<void> SetMaxSandboxes(store::Database& db, std::string_view owner, uint64_t max_sandboxes) {
  store::Statement set =
      TRY(db.Prepare("INSERT INTO owner(name, max_sandboxes) VALUES(?1, ?2) ON CONFLICT(name) DO "
                     "UPDATE SET max_sandboxes = excluded.max_sandboxes"));
  return set.Run(owner, static_cast<int64_t>(max_sandboxes));
}

// In the transaction that revokes it: two that revoke each other's cannot both succeed.
Result<void> CheckNotLastAdmin(store::Database& db, std::string_view id, int64_t now_unix_ms) {
  bool is_admin = false;
  bool another = false;
  for (const ApiKey& key : TRY(ReadKeys(db))) {
    if (key.scope != Scope::kAdmin || !key.Works(now_unix_ms)) continue;
    (key.id == id ? is_admin : another) = true;
  }
  if (!is_admin || another) return {};
  return Failure(
      Error(ErrorCode::kIllegalState, Fault::kCaller,
            "this is the last API key of scope admin: without it, no request could create another")
          .WithRemedy("create another key of scope admin first, or run on the server's machine: "
                      "cay keys revoke --local " +
                      std::string(id)));
}

}  // namespace

std::string_view ScopeName(Scope scope) { return kScopeNames[static_cast<size_t>(scope)]; }

std::optional<Scope> ScopeFromName(std::string_view name) {
  const auto* found = std::find(kScopeNames.begin() + 1, kScopeNames.end(), name);
  if (found == kScopeNames.end()) return std::nullopt;
  return static_cast<Scope>(found - kScopeNames.begin());
}

Result<NewKey> MakeKey(const KeySpec& spec, int64_t now_unix_ms) {
  TRY(CheckName(spec.name));
  if (!spec.owner.empty()) TRY(sandbox::CheckOwnerName(spec.owner));
  if (spec.expires_in && spec.expires_in->count() <= 0) {
    return Failure(Error::Impossible("the key would have expired already"));
  }
  NewKey made;
  ApiKey& key = made.key;
  key.id = TRY(RandomText(kIdLength));
  key.name = spec.name;
  key.owner = spec.owner.empty() ? key.id : spec.owner;
  key.scope = spec.scope;
  key.created_unix_ms = now_unix_ms;
  if (spec.expires_in) key.expires_unix_ms = now_unix_ms + spec.expires_in->count();
  key.requests_per_second = spec.requests_per_second;
  const std::string secret = TRY(RandomText(kSecretLength));
  key.hash = TRY(HashSecret(secret));
  made.token = std::string(kPrefix) + key.id + "_" + secret;
  return made;
}

std::optional<KeyParts> ParseToken(std::string_view token) {
  const size_t length = kPrefix.size() + kIdLength + 1 + kSecretLength;
  if (token.size() != length || !token.starts_with(kPrefix)) return std::nullopt;
  token.remove_prefix(kPrefix.size());
  if (token[kIdLength] != '_') return std::nullopt;
  const KeyParts parts = {.id = token.substr(0, kIdLength), .secret = token.substr(kIdLength + 1)};
  if (!std::ranges::all_of(parts.id, IsLetterOrDigit) ||
      !std::ranges::all_of(parts.secret, IsLetterOrDigit)) {
    return std::nullopt;
  }
  return parts;
}

Result<void> InsertKey(store::Database& db, const ApiKey& key,
                       std::optional<uint64_t> max_sandboxes) {
  store::Statement count = TRY(db.Prepare("SELECT COUNT(*) FROM api_key WHERE revoked_ms IS NULL"));
  TRY(count.Step());
  if (count.Int(0) >= static_cast<int64_t>(kMaxKeys)) {
    return Failure(
        Error(ErrorCode::kResourceExhausted, Fault::kCaller,
              "there are " + std::to_string(kMaxKeys) + " API keys already, which is the maximum")
            .WithRemedy("revoke some"));
  }
  store::Statement insert =
      TRY(db.Prepare("INSERT INTO api_key(id, name, scope, hash, created_ms, expires_ms, "
                     "requests_per_second, owner) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  insert.Bind(1, std::string_view(key.id));
  insert.Bind(2, std::string_view(key.name));
  insert.Bind(3, ScopeName(key.scope));
  insert.Bind(4, std::string_view(key.hash));
  insert.Bind(5, key.created_unix_ms);
  if (key.expires_unix_ms) {
    insert.Bind(6, *key.expires_unix_ms);
  } else {
    insert.BindNull(6);
  }
  insert.Bind(7, static_cast<int64_t>(key.requests_per_second));
  insert.Bind(8, std::string_view(key.owner));
  TRY(insert.Step());
  if (max_sandboxes) TRY(SetMaxSandboxes(db, key.owner, *max_sandboxes));
  return Advance(db);
}

Result<void> RevokeKey(store::Database& db, std::string_view id, int64_t now_unix_ms,
                       LastAdmin last) {
  if (last == LastAdmin::kStays) TRY(CheckNotLastAdmin(db, id, now_unix_ms));
  store::Statement revoke =
      TRY(db.Prepare("UPDATE api_key SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL"));
  TRY(revoke.Run(id, now_unix_ms));
  if (db.ChangedRows() == 0) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "there is no API key " + std::string(id) + ", or it was revoked already")
                       .WithRemedy(Remedy(Action::kListKeys)));
  }
  store::Statement forget = TRY(
      db.Prepare("DELETE FROM api_key WHERE id IN (SELECT id FROM api_key WHERE revoked_ms IS NOT "
                 "NULL ORDER BY revoked_ms DESC LIMIT -1 OFFSET ?1)"));
  TRY(forget.Run(static_cast<int64_t>(kMaxRevokedKeys)));
  TRY(db.Execute("DELETE FROM owner WHERE name NOT IN (SELECT owner FROM api_key)"));
  return Advance(db);
}

Result<void> TouchKey(store::Database& db, std::string_view id, int64_t now_unix_ms) {
  store::Statement touch = TRY(db.Prepare("UPDATE api_key SET last_used_ms = ?2 WHERE id = ?1"));
  return touch.Run(id, now_unix_ms);
}

Result<std::vector<ApiKey>> ReadKeys(store::Database& db) {
  store::Statement row =
      TRY(db.Prepare("SELECT id, key.name, scope, hash, created_ms, expires_ms, last_used_ms, "
                     "revoked_ms, requests_per_second, owner, IFNULL(owner.max_sandboxes, 0) "
                     "FROM api_key AS key LEFT JOIN owner ON owner.name = key.owner "
                     "ORDER BY created_ms, id"));
  std::vector<ApiKey> keys;
  while (TRY(row.Step())) {
    ApiKey key;
    key.id = row.Text(0);
    key.name = row.Text(1);
    const auto scope = ScopeFromName(row.Text(2));
    if (!scope) {
      return Failure(
          Error(ErrorCode::kInternal, Fault::kMachine,
                "the key " + key.id + " has a scope that this version of cay does not know"));
    }
    key.scope = *scope;
    key.hash = row.Text(3);
    key.created_unix_ms = row.Int(4);
    key.expires_unix_ms = OptionalInt(row, 5);
    key.last_used_unix_ms = OptionalInt(row, 6);
    key.revoked_unix_ms = OptionalInt(row, 7);
    key.requests_per_second = static_cast<uint64_t>(row.Int(8));
    key.owner = row.Text(9);
    key.max_sandboxes = static_cast<uint64_t>(row.Int(10));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<int64_t> KeyGeneration(store::Database& db) {
  store::Statement row = TRY(db.Prepare("SELECT value FROM api_key_generation"));
  if (!TRY(row.Step())) {
    return Failure(
        Error(ErrorCode::kInternal, Fault::kMachine, "the store's keys have no generation"));
  }
  return row.Int(0);
}

}  // namespace cay::api
