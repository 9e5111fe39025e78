#include "crypto/authority.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

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
using Certificate = std::unique_ptr<X509, Deleter<&X509_free>>;

Certificate Read(const std::string& pem) {
  const std::unique_ptr<BIO, Deleter<&BIO_free_all>> memory(
      ::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(::PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
}

// OpenSSL's verdict, as strict as it can be (Python's since 3.13).
int Verify(const Identity& root, const Identity& leaf, const char* host) {
  const std::unique_ptr<X509_STORE, Deleter<&X509_STORE_free>> store(::X509_STORE_new());
  const Certificate trusted = Read(root.certificate);
  const Certificate shown = Read(leaf.certificate);
  ::X509_STORE_add_cert(store.get(), trusted.get());
  const std::unique_ptr<X509_STORE_CTX, Deleter<&X509_STORE_CTX_free>> context(
      ::X509_STORE_CTX_new());
  ::X509_STORE_CTX_init(context.get(), store.get(), shown.get(), nullptr);
  X509_VERIFY_PARAM* const how = ::X509_STORE_CTX_get0_param(context.get());
  ::X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_X509_STRICT);
  ::X509_VERIFY_PARAM_set_purpose(how, X509_PURPOSE_SSL_SERVER);
  ::X509_VERIFY_PARAM_set1_host(how, host, 0);
  ::X509_verify_cert(context.get());
  return ::X509_STORE_CTX_get_error(context.get());
}

TEST(Authority, ItsLeavesAreVerifiedByItAndForTheirNameOnly) {
  const auto root = MakeAuthority("Cay test");
  ASSERT_TRUE(root) << root.error().message();
  for (const std::string& name :
       {std::string("api.example.com"), std::string(60, 'a') + "." + std::string(60, 'b')}) {
    const auto leaf = IssueLeaf(*root, name);
    ASSERT_TRUE(leaf) << leaf.error().message();
    EXPECT_EQ(Verify(*root, *leaf, name.c_str()), X509_V_OK) << name;
    EXPECT_EQ(Verify(*root, *leaf, "b.example"), X509_V_ERR_HOSTNAME_MISMATCH);
    const auto another = MakeAuthority("Cay test");
    ASSERT_TRUE(another);
    EXPECT_NE(Verify(*another, *leaf, name.c_str()), X509_V_OK);
    // A leaf is no authority.
    const auto below = IssueLeaf(*leaf, "c.example");
    ASSERT_TRUE(below);
    EXPECT_NE(Verify(*root, *below, "c.example"), X509_V_OK);
  }
}

TEST(Authority, WhatIsNoAuthorityOrNoNameIsRefused) {
  const auto root = MakeAuthority("Cay test");
  const auto another = MakeAuthority("Cay test");
  ASSERT_TRUE(root && another);
  EXPECT_FALSE(IssueLeaf({}, "a.example"));
  EXPECT_FALSE(IssueLeaf({.certificate = root->certificate, .key = another->key}, "a.example"));
  EXPECT_FALSE(IssueLeaf(*root, ""));
  EXPECT_FALSE(IssueLeaf(*root, "a.example,DNS:b.example"));
  EXPECT_FALSE(IssueLeaf(*root, std::string(254, 'a')));
  EXPECT_FALSE(MakeAuthority(""));
}

}  // namespace
}  // namespace cay
