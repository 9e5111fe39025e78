// Digests, over OpenSSL. Sha256 and Sha512: SHA-2 (FIPS 180-4) of bytes that come in pieces.
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

namespace internal {

class HashContext;

}  // namespace internal

// kBits: 256 or 512.
template <size_t kBits>
class Sha2 {
 public:
  static constexpr size_t kHexLength = kBits / 4;

  static Result<Sha2> Start();
  Sha2(Sha2&&) noexcept;
  Sha2& operator=(Sha2&&) noexcept;
  ~Sha2();

  Result<void> Add(std::string_view bytes);
  Result<std::string> Hex() &&;

 private:
  explicit Sha2(std::unique_ptr<internal::HashContext> context);
  std::unique_ptr<internal::HashContext> context_;
};

using Sha256 = Sha2<256>;
using Sha512 = Sha2<512>;
extern template class Sha2<256>;
extern template class Sha2<512>;

// The digest of `bytes`, in hexadecimal.
Result<std::string> Sha256Hex(std::string_view bytes);

// The 20 bytes of SHA-1 (FIPS 180-4), which RFC 6455 wants. Not for secrets.
Result<std::string> Sha1(std::string_view bytes);

// Lower-case hexadecimal HMAC-SHA256 (RFC 2104).
Result<std::string> HmacSha256Hex(std::string_view key, std::string_view message);

// Takes the same time wherever the two differ. Lengths are no secret.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace cay
