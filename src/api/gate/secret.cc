#include "api/gate/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "base/id.h"
#include "crypto/digest.h"

namespace cay::api {

Result<std::string> RandomText(size_t length) {
  std::string text;
  while (text.size() < length) text += TRY(SandboxId::Generate()).text();
  text.resize(length);
  return text;
}

Result<std::string> HashSecret(std::string_view secret) { return sandbox::Sha256Hex(secret); }

Result<std::string> HmacSha256Hex(std::string_view key, std::string_view message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(),
           &length) == nullptr) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "HMAC-SHA256 failed"));
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < length; ++i) {
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cay::api
