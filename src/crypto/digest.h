// Sha256: the SHA-256 (FIPS 180-4) of bytes that come in pieces.
//
//   Sha256 digest = TRY(Sha256::Start());
//   TRY(digest.Add("abc"));
//   TRY(std::move(digest).Hex());       // "ba7816bf…", 64 letters
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::sandbox {

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

}  // namespace cay::sandbox
