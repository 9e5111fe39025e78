// SecretBook: the secrets of a state directory, in one file that is sealed (crypto/sealed.h) with a
// key in another.
//
//   SecretBook book(paths.state_dir);
//   TRY(book.Put({.secret = {.name = "github", …}, .variable = "GITHUB_TOKEN"}));
//   TRY(book.Find("github"));
//
//   STATE/secrets       sealed
//   STATE/secrets.key   32 bytes, 0600
//
// So a copy of the one without the other tells nothing; whoever may read the state directory as its
// owner reads both. What cannot be opened is an error, and stays as it is. Several processes may
// use a book at the same time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "crypto/sealed.h"
#include "network/link/secret.h"
#include "protocol/message_codec.h"

namespace cay::sandbox {

struct KeptSecret {
  network::Secret secret{};  // without a placeholder
  std::string variable{};    // of the environment, in which a sandbox has the placeholder
  int64_t updated_unix_ms = 0;
  protocol::SkippedFields rest{};  // a newer program's

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.secret);
    codec.Field(2, self.variable, size_t{128});
    codec.Field(3, self.updated_unix_ms);
    codec.Rest(self.rest);
  }
};

class SecretBook {
 public:
  static constexpr size_t kMaxSecrets = 256;

  explicit SecretBook(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  // By their names.
  Result<std::vector<KeptSecret>> List() const;
  // kNotFound.
  Result<KeptSecret> Find(const std::string& name) const;
  // Replaces the one of that name. kInvalidArgument for what cannot be one.
  Result<void> Put(KeptSecret secret);
  // kNotFound.
  Result<void> Remove(const std::string& name);

 private:
  std::string PathOf(std::string_view name) const { return state_dir_ + "/" + std::string(name); }
  Result<Fd> Lock() const;
  Result<SealingKey> ReadKey() const;
  Result<SealingKey> ReadOrMakeKey() const;
  Result<void> Write(const std::vector<KeptSecret>& secrets) const;

  std::string state_dir_;
};

// A variable of the environment: [A-Za-z_][A-Za-z0-9_]*, at most 128.
bool IsVariableName(std::string_view text);
// "my-token" → "MY_TOKEN".
std::string VariableFor(std::string_view name);

}  // namespace cay::sandbox
