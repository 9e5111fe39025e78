// Fields of keys and of entries of the audit, each once (base/field.h). Made of these lists: the
// API's readers and writers, and its schemas.
#pragma once

#include <array>
#include <string_view>

#include "api/gate/audit_log.h"
#include "api/gate/key_table.h"
#include "base/clock.h"
#include "base/field.h"

namespace cay::api::fields {

using field::About;

// The scopes that a key can have.
inline constexpr std::array<std::string_view, 3> kKeyScopes = {"read", "use", "admin"};
inline constexpr std::string_view kOwnerPattern = "^([A-Za-z0-9][A-Za-z0-9._@+-]{0,63})?$";

// An api::KeySpec.
struct KeySpec {
  static constexpr std::string_view kSchema = "KeySpec";
  static void Of(auto& spec, auto& visit) {
    constexpr uint64_t kMost = 1'000'000;
    visit(About{.name = "name", .text = "a name for people", .needed = true},
          field::Text{.max_bytes = 128,
                      .pattern = "^[^\\u0000-\\u001f\\u007f]*$",
                      .min_length = 1,
                      .max_length = 128},
          spec.name);
    visit(About{.name = "owner",
                .text = "a person, team or project; left out: an owner of its own, with the key's "
                        "id as name"},
          field::Text{.max_bytes = 64, .pattern = kOwnerPattern}, spec.owner);
    visit(About{"scope"}, field::Word{.words = kKeyScopes}, spec.scope);
    visit(About{"expires_in"}, field::Duration{}, spec.expires_in);
    visit(About{"rate_limit"}, field::Count{.max = kMost, .bounded = true},
          spec.requests_per_second);
    visit(About{.name = "max_sandboxes",
                .text = "sandboxes of the owner, over all of its keys; left out: unchanged"},
          field::Count{.max = kMost, .bounded = true}, spec.max_sandboxes);
  }
};

// An ApiKey; never its hash.
struct Key {
  static constexpr std::string_view kSchema = "Key";
  static void Of(const ApiKey& key, auto& visit) {
    visit(About{"id"}, field::Text{}, key.id);
    visit(About{"name"}, field::Text{}, key.name);
    visit(About{.name = "owner", .text = "the owner of the key, and of all that is made with it"},
          field::Text{}, key.owner);
    visit(About{"scope"}, field::Word{.words = kKeyScopes}, ScopeName(key.scope));
    visit(About{.name = "works", .text = "neither expired nor revoked"}, field::Flag{},
          key.Works(UnixMs()));
    visit(About{.name = "rate_limit", .text = "requests a second; 0: no maximum"}, field::Number{},
          key.requests_per_second);
    visit(About{.name = "max_sandboxes",
                .text =
                    "sandboxes of the owner, over all of its keys; 0: limits.sandboxes_per_owner"},
          field::Number{}, key.max_sandboxes);
    visit(About{"created_at"}, field::Time{.always = true}, key.created_unix_ms);
    visit(About{"expires_at"}, field::Time{}, key.expires_unix_ms);
    visit(About{"last_used_at"}, field::Time{}, key.last_used_unix_ms);
    visit(About{"revoked_at"}, field::Time{}, key.revoked_unix_ms);
  }
};

struct NewKey {
  static constexpr std::string_view kSchema = "NewKey";
  static void Of(const api::NewKey& made, auto& visit) {
    Key::Of(made.key, visit);
    visit(About{.name = "key", .text = "shown only here"}, field::Text{}, made.token);
  }
};

// An api::AuditEntry.
struct AuditEntry {
  static constexpr std::string_view kSchema = "AuditEntry";
  static void Of(const api::AuditEntry& entry, auto& visit) {
    visit(About{"id"}, field::Number{}, entry.id);
    visit(About{"time"}, field::Time{.always = true}, entry.unix_ms);
    visit(About{"request_id"}, field::Text{}, entry.request_id);
    visit(About{"owner"}, field::Text{}, entry.owner);
    visit(About{.name = "key_id", .text = "the key's id"}, field::Text{}, entry.key_id);
    visit(About{"peer"}, field::Text{}, entry.peer);
    visit(About{"operation"}, field::Text{}, entry.operation);
    visit(About{"method"}, field::Text{}, entry.method);
    visit(About{"path"}, field::Text{}, entry.path);
    visit(About{"status"}, field::Number{}, entry.status);
  }
};

}  // namespace cay::api::fields
