// For tests: a certificate that is its own authority, in files.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "http/server/server.h"

namespace cay::http {

template <auto Free>
struct OpensslDeleter {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

// A certificate for `name`, signed by itself, and its key, as files.
class Certificate {
 public:
  explicit Certificate(const std::string& name) {
    const std::string base =
        testing::TempDir() + "cay-tls-" + std::to_string(::getpid()) + "-" + name;
    certificate_ = base + ".pem";
    key_ = base + ".key";
    Write(name);
  }
  ~Certificate() {
    ::unlink(certificate_.c_str());
    ::unlink(key_.c_str());
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  // Another one in the same files.
  void Write(const std::string& name) const {
    const std::unique_ptr<EVP_PKEY, OpensslDeleter<&EVP_PKEY_free>> key(::EVP_EC_gen("P-256"));
    const std::unique_ptr<X509, OpensslDeleter<&X509_free>> made(::X509_new());
    ASSERT_NE(key, nullptr);
    ::X509_set_version(made.get(), X509_VERSION_3);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), 1);
    ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), -60);
    ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), 3600);
    ::X509_set_pubkey(made.get(), key.get());
    X509_NAME* subject = ::X509_get_subject_name(made.get());
    ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    ::X509_set_issuer_name(made.get(), subject);
    const std::string names = "DNS:" + name + ",IP:127.0.0.1";
    const std::unique_ptr<X509_EXTENSION, OpensslDeleter<&X509_EXTENSION_free>> extension(
        ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
    ::X509_add_ext(made.get(), extension.get(), -1);
    ASSERT_GT(::X509_sign(made.get(), key.get(), ::EVP_sha256()), 0);

    FILE* file = ::fopen(certificate_.c_str(), "we");
    ASSERT_NE(file, nullptr);
    ::PEM_write_X509(file, made.get());
    ::fclose(file);
    file = ::fopen(key_.c_str(), "we");
    ASSERT_NE(file, nullptr);
    ::PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    ::fclose(file);
  }

  TlsOptions options() const { return {.certificate_file = certificate_, .key_file = key_}; }
  const std::string& file() const { return certificate_; }

 private:
  std::string certificate_;
  std::string key_;
};

}  // namespace cay::http
