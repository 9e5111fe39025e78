#include "crypto/sealed.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <climits>
#include <memory>

namespace cay {
namespace {

constexpr size_t kNonce = 12;
constexpr size_t kTag = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { ::EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Error Failed() { return {ErrorCode::kInternal, Fault::kMachine, "OpenSSL cannot seal"}; }
Error NotOfThisKey() { return Error::Invalid("sealed with another key, or changed since"); }

Result<void> CheckSize(std::string_view text, std::string_view context) {
  if (text.size() <= INT_MAX / 2 && context.size() <= INT_MAX / 2) return {};
  return Failure(Error::Invalid("too much to be sealed at once"));
}

}  // namespace

SealingKey::~SealingKey() { ::OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<SealingKey> SealingKey::Make() {
  std::string bytes(kBytes, '\0');
  if (::RAND_bytes(Bytes(bytes), static_cast<int>(bytes.size())) != 1) return Failure(Failed());
  return SealingKey(std::move(bytes));
}

Result<SealingKey> SealingKey::Of(std::string bytes) {
  if (bytes.size() != kBytes) return Failure(Error::Invalid("a sealing key has 32 bytes"));
  return SealingKey(std::move(bytes));
}

Result<std::string> SealingKey::Seal(std::string_view plain, std::string_view context) const {
  TRY(CheckSize(plain, context));
  std::string sealed(kNonce + plain.size() + kTag, '\0');
  if (::RAND_bytes(Bytes(sealed), kNonce) != 1) return Failure(Failed());
  const Context cipher(::EVP_CIPHER_CTX_new());
  int size = 0;
  int rest = 0;
  unsigned char* const body = Bytes(sealed) + kNonce;
  const bool done =
      cipher != nullptr &&
      ::EVP_EncryptInit_ex(cipher.get(), ::EVP_aes_256_gcm(), nullptr, Bytes(bytes_),
                           Bytes(sealed)) == 1 &&
      ::EVP_EncryptUpdate(cipher.get(), nullptr, &size, Bytes(context),
                          static_cast<int>(context.size())) == 1 &&
      ::EVP_EncryptUpdate(cipher.get(), body, &size, Bytes(plain),
                          static_cast<int>(plain.size())) == 1 &&
      ::EVP_EncryptFinal_ex(cipher.get(), body + size, &rest) == 1 &&
      ::EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTag, body + plain.size()) == 1;
  if (!done) return Failure(Failed());
  return sealed;
}

Result<std::string> SealingKey::Open(std::string_view sealed, std::string_view context) const {
  TRY(CheckSize(sealed, context));
  if (sealed.size() < kOverhead) return Failure(NotOfThisKey());
  const std::string_view body = sealed.substr(kNonce, sealed.size() - kOverhead);
  std::string tag(sealed.substr(sealed.size() - kTag));
  std::string plain(body.size() + 1, '\0');  // never empty: OpenSSL wants a place
  const Context cipher(::EVP_CIPHER_CTX_new());
  int size = 0;
  int rest = 0;
  const bool done =
      cipher != nullptr &&
      ::EVP_DecryptInit_ex(cipher.get(), ::EVP_aes_256_gcm(), nullptr, Bytes(bytes_),
                           Bytes(sealed)) == 1 &&
      ::EVP_DecryptUpdate(cipher.get(), nullptr, &size, Bytes(context),
                          static_cast<int>(context.size())) == 1 &&
      ::EVP_DecryptUpdate(cipher.get(), Bytes(plain), &size, Bytes(body),
                          static_cast<int>(body.size())) == 1 &&
      ::EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTag, tag.data()) == 1 &&
      ::EVP_DecryptFinal_ex(cipher.get(), Bytes(plain) + size, &rest) == 1;
  if (!done) {
    ::OPENSSL_cleanse(plain.data(), plain.size());
    return Failure(NotOfThisKey());
  }
  plain.resize(body.size());
  return plain;
}

}  // namespace cay
