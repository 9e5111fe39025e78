#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <span>

#include "base/encoding.h"

namespace cay {
namespace {

Failure NoDigest() {
  return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "OpenSSL cannot make a digest"));
}

struct Freer {
  void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
};

}  // namespace

class Sha256::Context {
 public:
  Context() : md_(::EVP_MD_CTX_new()) {}
  EVP_MD_CTX* get() const { return md_.get(); }

 private:
  std::unique_ptr<EVP_MD_CTX, Freer> md_;
};

Sha256::Sha256(std::unique_ptr<Context> context) : context_(std::move(context)) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

Result<Sha256> Sha256::Start() {
  auto context = std::make_unique<Context>();
  if (context->get() == nullptr) return NoDigest();
  if (::EVP_DigestInit_ex(context->get(), ::EVP_sha256(), nullptr) != 1) return NoDigest();
  return Sha256(std::move(context));
}

Result<void> Sha256::Add(std::string_view bytes) {
  if (::EVP_DigestUpdate(context_->get(), bytes.data(), bytes.size()) != 1) return NoDigest();
  return {};
}

Result<std::string> Sha256::Hex() && {
  std::array<unsigned char, kHexLength / 2> raw{};
  unsigned length = 0;
  if (::EVP_DigestFinal_ex(context_->get(), raw.data(), &length) != 1 || length != raw.size()) {
    return NoDigest();
  }
  return EncodeHex(raw);
}

Result<std::string> Sha256Hex(std::string_view bytes) {
  Sha256 digest = TRY(Sha256::Start());
  TRY(digest.Add(bytes));
  return std::move(digest).Hex();
}

Result<std::string> Sha1(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned length = 0;
  if (::EVP_Digest(bytes.data(), bytes.size(), raw.data(), &length, ::EVP_sha1(), nullptr) != 1) {
    return NoDigest();
  }
  return std::string(raw.begin(), raw.begin() + length);
}

Result<std::string> HmacSha256Hex(std::string_view key, std::string_view message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(), raw.data(),
           &length) == nullptr) {
    return NoDigest();
  }
  return EncodeHex(std::span(raw).first(length));
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cay
