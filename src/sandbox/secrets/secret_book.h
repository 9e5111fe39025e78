// SecretBook: the secrets of a state directory, of all owners, in one sealed file
// (sealed_files.h).
//
//   SecretBook book(paths.state_dir);
//   TRY(book.Put({.secret = {.name = "github", …}, .variable = "GITHUB_TOKEN"}));
//   TRY(book.Find(kOwnerWithoutKey, "github"));
//
//   STATE/secrets       sealed
//
// Of those that were removed it remembers where they went, so that whoever still names one can be
// refused there: no values. Several processes may use a book at the same time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/link/secret.h"
#include "protocol/message_codec.h"
#include "sandbox/secrets/sealed_files.h"
#include "sandbox/types.h"

namespace cay::sandbox {

struct KeptSecret {
  network::Secret secret{};  // without a placeholder
  std::string variable{};    // of the environment, in which a sandbox has the placeholder
  int64_t updated_unix_ms = 0;
  std::string owner = kOwnerWithoutKey;
  protocol::SkippedFields rest{};  // a newer program's

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.secret);
    codec.Field(2, self.variable, size_t{128});
    codec.Field(3, self.updated_unix_ms);
    codec.Field(4, self.owner, size_t{64});
    codec.Rest(self.rest);
  }
};

struct RemovedSecret {
  std::string owner{};
  std::string name{};
  std::vector<std::string> hosts{};
  protocol::SkippedFields rest{};

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.owner, size_t{64});
    codec.Field(2, self.name, network::Secret::kMaxName);
    codec.Field(3, self.hosts, network::Secret::kMaxHosts, network::Secret::kMaxHost);
    codec.Rest(self.rest);
  }
};

class SecretBook {
 public:
  static constexpr size_t kMaxOfOwner = 256;
  static constexpr size_t kMaxSecrets = 1024;  // of all owners
  static constexpr size_t kMaxRemoved = 1024;  // the newest

  explicit SecretBook(std::string state_dir) : files_(std::move(state_dir)) {}

  // All that there is, by owners and names.
  struct Pages {
    std::vector<KeptSecret> secrets{};
    std::vector<RemovedSecret> removed{};  // oldest first
    protocol::SkippedFields rest{};

    static void Fields(auto& self, auto& codec) {
      codec.Field(1, self.secrets, SecretBook::kMaxSecrets);
      codec.Field(2, self.removed, SecretBook::kMaxRemoved);
      codec.Rest(self.rest);
    }
    // Null: there is none.
    const KeptSecret* Find(std::string_view owner, std::string_view name) const;
    const RemovedSecret* FindRemoved(std::string_view owner, std::string_view name) const;
  };
  Result<Pages> Read() const;

  // By their names.
  Result<std::vector<KeptSecret>> List(const std::string& owner) const;
  // kNotFound.
  Result<KeptSecret> Find(const std::string& owner, const std::string& name) const;
  // Replaces the owner's one of that name; whether there was one. kInvalidArgument for what cannot
  // be one.
  Result<bool> Put(KeptSecret secret);
  // kNotFound.
  Result<void> Remove(const std::string& owner, const std::string& name);

  // Another after each change, whoever made it.
  uint64_t Mark() const;

 private:
  Result<void> Write(const Pages& pages) const;

  SealedFiles files_;
};

// A variable of the environment: [A-Za-z_][A-Za-z0-9_]*, at most 128.
bool IsVariableName(std::string_view text);
// "my-token" → "MY_TOKEN".
std::string VariableFor(std::string_view name);
// kNotFound, with how to keep it.
Error NoSuchSecret(const std::string& name);

}  // namespace cay::sandbox
