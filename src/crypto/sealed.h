// Sealed: bytes that only who has the key can read, or change without being noticed. AES-256-GCM
// (NIST SP 800-38D) with random nonces: a key seals at most 2^32 texts.
//
//   const SealingKey key = TRY(SealingKey::Make());
//   const std::string sealed = TRY(key.Seal("a secret", "what it is"));
//   TRY(key.Open(sealed, "what it is"));
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cay {

class SealingKey {
 public:
  static constexpr size_t kBytes = 32;
  static constexpr size_t kOverhead = 12 + 16;  // nonce and tag

  static Result<SealingKey> Make();
  // kInvalidArgument for another number of bytes than kBytes.
  static Result<SealingKey> Of(std::string bytes);
  SealingKey(SealingKey&&) noexcept = default;
  SealingKey& operator=(SealingKey&&) noexcept = default;
  ~SealingKey();

  const std::string& bytes() const { return bytes_; }

  // `context` is not in what is sealed, and must be the same for Open.
  Result<std::string> Seal(std::string_view plain, std::string_view context) const;
  // kInvalidArgument for what this key did not seal with this context, or what was changed since.
  Result<std::string> Open(std::string_view sealed, std::string_view context) const;

 private:
  explicit SealingKey(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

}  // namespace cay
