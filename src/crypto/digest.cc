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

class internal::HashContext {
 public:
  HashContext() : md_(::EVP_MD_CTX_new()) {}
  EVP_MD_CTX* get() const { return md_.get(); }

 private:
  std::unique_ptr<EVP_MD_CTX, Freer> md_;
};

template <size_t kBits>
Sha2<kBits>::Sha2(std::unique_ptr<internal::HashContext> context) : context_(std::move(context)) {}
template <size_t kBits>
Sha2<kBits>::Sha2(Sha2&&) noexcept = default;
template <size_t kBits>
Sha2<kBits>& Sha2<kBits>::operator=(Sha2&&) noexcept = default;
template <size_t kBits>
Sha2<kBits>::~Sha2() = default;

template <size_t kBits>
Result<Sha2<kBits>> Sha2<kBits>::Start() {
  static_assert(kBits == 256 || kBits == 512);
  auto context = std::make_unique<internal::HashContext>();
  if (context->get() == nullptr) return NoDigest();
  const EVP_MD* algorithm = kBits == 256 ? ::EVP_sha256() : ::EVP_sha512();
  if (::EVP_DigestInit_ex(context->get(), algorithm, nullptr) != 1) return NoDigest();
  return Sha2(std::move(context));
}

template <size_t kBits>
Result<void> Sha2<kBits>::Add(std::string_view bytes) {
  if (::EVP_DigestUpdate(context_->get(), bytes.data(), bytes.size()) != 1) return NoDigest();
  return {};
}

template <size_t kBits>
Result<std::string> Sha2<kBits>::Hex() && {
  std::array<unsigned char, kHexLength / 2> raw{};
  unsigned length = 0;
  if (::EVP_DigestFinal_ex(context_->get(), raw.data(), &length) != 1 || length != raw.size()) {
    return NoDigest();
  }
  return EncodeHex(raw);
}

template class Sha2<256>;
template class Sha2<512>;

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
