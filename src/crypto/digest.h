// Digests, over OpenSSL. Sha256: the SHA-256 (FIPS 180-4) of bytes that come in pieces.
//
//   Sha256 digest = TRY(Sha256::Start());
//   TRY(digest.Add("abc"));
//   TRY(std::move(digest).Hex());       // "ba7816bf…", 64 letters
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay {

class Sha256 {
 public:
  static constexpr size_t kHexLength = 64;

  static Result<Sha256> Start();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  Result<void> Add(std::string_view bytes);
  Result<std::string> Hex() &&;

 private:
  class Context;
  explicit Sha256(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

// The digest of `bytes`, in hexadecimal.
Result<std::string> Sha256Hex(std::string_view bytes);

// The 20 bytes of SHA-1 (FIPS 180-4), which RFC 6455 wants. Not for secrets.
Result<std::string> Sha1(std::string_view bytes);

// Lower-case hexadecimal HMAC-SHA256 (RFC 2104).
Result<std::string> HmacSha256Hex(std::string_view key, std::string_view message);

// Takes the same time wherever the two differ. Lengths are no secret.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace cay
