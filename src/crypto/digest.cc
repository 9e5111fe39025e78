#include "crypto/digest.h"

#include <openssl/evp.h>

#include <array>

namespace cay::sandbox {
namespace {

Failure Failed() {
  return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "OpenSSL cannot make a SHA-256"));
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
  if (context->get() == nullptr) return Failed();
  if (::EVP_DigestInit_ex(context->get(), ::EVP_sha256(), nullptr) != 1) return Failed();
  return Sha256(std::move(context));
}

Result<void> Sha256::Add(std::string_view bytes) {
  if (::EVP_DigestUpdate(context_->get(), bytes.data(), bytes.size()) != 1) return Failed();
  return {};
}

Result<std::string> Sha256::Hex() && {
  std::array<unsigned char, kHexLength / 2> raw{};
  unsigned length = 0;
  if (::EVP_DigestFinal_ex(context_->get(), raw.data(), &length) != 1 || length != raw.size()) {
    return Failed();
  }
  std::string hex;
  for (const unsigned char byte : raw) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

Result<std::string> Sha256Hex(std::string_view bytes) {
  Sha256 digest = TRY(Sha256::Start());
  TRY(digest.Add(bytes));
  return std::move(digest).Hex();
}

}  // namespace cay::sandbox
