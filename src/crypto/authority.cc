#include "crypto/authority.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>

namespace cay {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<&X509_free>>;
using Memory = std::unique_ptr<BIO, Deleter<&BIO_free_all>>;

constexpr long kDaySeconds = 86'400;
constexpr size_t kMaxCommonName = 64;  // RFC 5280, ub-common-name
constexpr size_t kMaxHostName = 253;

Error Failed(std::string_view what) {
  std::array<char, 256> text{};
  ::ERR_error_string_n(::ERR_get_error(), text.data(), text.size());
  ::ERR_clear_error();
  return {ErrorCode::kInternal, Fault::kMachine, std::string(what) + ": " + text.data()};
}

Result<std::string> TextOf(const Memory& memory) {
  char* bytes = nullptr;
  const long size = ::BIO_get_mem_data(memory.get(), &bytes);
  if (size <= 0) return Failure(Failed("writing PEM"));
  return std::string(bytes, static_cast<size_t>(size));
}

Memory Reading(std::string_view text) {
  return Memory(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<Identity> ToPem(X509* certificate, EVP_PKEY* key) {
  const Memory for_certificate(::BIO_new(::BIO_s_mem()));
  const Memory for_key(::BIO_new(::BIO_s_secmem()));
  if (!for_certificate || !for_key) return Failure(Failed("memory for PEM"));
  if (::PEM_write_bio_X509(for_certificate.get(), certificate) != 1 ||
      ::PEM_write_bio_PrivateKey(for_key.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return Failure(Failed("writing PEM"));
  std::string text = TRY(TextOf(for_certificate));
  std::string key_text = TRY(TextOf(for_key));
  return Identity{.certificate = std::move(text), .key = std::move(key_text)};
}

Result<void> Extend(X509* certificate, X509* issuer, int what, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  ::X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Deleter<&X509_EXTENSION_free>> extension(
      ::X509V3_EXT_conf_nid(nullptr, &context, what, value));
  if (!extension || ::X509_add_ext(certificate, extension.get(), -1) != 1)
    return Failure(Failed("an extension of a certificate"));
  return {};
}

Result<void> SetSerial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (::RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return Failure(Failed("random bytes"));
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3f) | 0x40);  // positive, and not short
  const std::unique_ptr<BIGNUM, Deleter<&BN_free>> number(
      ::BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  if (!number ||
      ::BN_to_ASN1_INTEGER(number.get(), ::X509_get_serialNumber(certificate)) == nullptr)
    return Failure(Failed("a serial number"));
  return {};
}

Result<void> SetCommonName(X509_NAME* subject, std::string_view name) {
  if (::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(name.data()),
                                   static_cast<int>(name.size()), -1, 0) != 1)
    return Failure(Failed("the name of a certificate"));
  return {};
}

Result<Certificate> Begin(EVP_PKEY* key, long seconds) {
  Certificate made(::X509_new());
  if (!made || ::X509_set_version(made.get(), X509_VERSION_3) != 1 ||
      ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), -kDaySeconds) == nullptr ||
      ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), seconds) == nullptr ||
      ::X509_set_pubkey(made.get(), key) != 1)
    return Failure(Failed("a certificate"));
  TRY(SetSerial(made.get()));
  return made;
}

bool IsHostName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxHostName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

}  // namespace

Result<Identity> MakeAuthority(std::string_view name) {
  ::ERR_clear_error();
  if (name.empty() || name.size() > kMaxCommonName)
    return Failure(Error::Invalid("the name of a certificate authority has 1 to 64 bytes"));
  const Key key(::EVP_EC_gen("P-256"));
  if (!key) return Failure(Failed("making a key"));
  const long seconds = std::chrono::duration_cast<std::chrono::seconds>(kAuthorityLife).count();
  const Certificate made = TRY(Begin(key.get(), seconds));
  X509_NAME* const subject = ::X509_get_subject_name(made.get());
  TRY(SetCommonName(subject, name));
  if (::X509_set_issuer_name(made.get(), subject) != 1) return Failure(Failed("an issuer"));
  TRY(Extend(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  TRY(Extend(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign"));
  TRY(Extend(made.get(), made.get(), NID_subject_key_identifier, "hash"));
  if (::X509_sign(made.get(), key.get(), ::EVP_sha256()) <= 0) return Failure(Failed("signing"));
  return ToPem(made.get(), key.get());
}

Result<Identity> IssueLeaf(const Identity& authority, std::string_view name) {
  ::ERR_clear_error();
  if (!IsHostName(name)) return Failure(Error::Invalid("a certificate is for a host's name"));
  const Memory root_text = Reading(authority.certificate);
  const Memory key_text = Reading(authority.key);
  const Certificate root(::PEM_read_bio_X509(root_text.get(), nullptr, nullptr, nullptr));
  const Key root_key(::PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (!root || !root_key || ::X509_check_private_key(root.get(), root_key.get()) != 1) {
    ::ERR_clear_error();
    return Failure(Error::Invalid("not a certificate authority and its key"));
  }
  const Key key(::EVP_EC_gen("P-256"));
  if (!key) return Failure(Failed("making a key"));
  const long seconds = std::chrono::duration_cast<std::chrono::seconds>(kLeafLife).count();
  const Certificate made = TRY(Begin(key.get(), seconds));
  if (name.size() <= kMaxCommonName) TRY(SetCommonName(::X509_get_subject_name(made.get()), name));
  if (::X509_set_issuer_name(made.get(), ::X509_get_subject_name(root.get())) != 1)
    return Failure(Failed("an issuer"));
  // Where there is no subject, the names must be critical (RFC 5280, 4.2.1.6).
  const std::string names =
      std::string(name.size() <= kMaxCommonName ? "" : "critical,") + "DNS:" + std::string(name);
  TRY(Extend(made.get(), root.get(), NID_subject_alt_name, names.c_str()));
  TRY(Extend(made.get(), root.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TRY(Extend(made.get(), root.get(), NID_key_usage, "critical,digitalSignature"));
  TRY(Extend(made.get(), root.get(), NID_ext_key_usage, "serverAuth"));
  TRY(Extend(made.get(), root.get(), NID_subject_key_identifier, "hash"));
  TRY(Extend(made.get(), root.get(), NID_authority_key_identifier, "keyid:always"));
  if (::X509_sign(made.get(), root_key.get(), ::EVP_sha256()) <= 0)
    return Failure(Failed("signing"));
  return ToPem(made.get(), key.get());
}

}  // namespace cay
