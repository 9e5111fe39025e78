#include "crypto/digest.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace cay {
namespace {

// FIPS 180-4's examples, and RFC 4231's second.
TEST(Digest, AreThoseOfTheStandards) {
  EXPECT_EQ(Sha256Hex("abc").value(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha512 longer = Sha512::Start().value();
  ASSERT_TRUE(longer.Add("abc"));
  EXPECT_EQ(std::move(longer).Hex().value(),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(EncodeBase64(Sha1("abc").value()), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
  EXPECT_EQ(HmacSha256Hex("Jefe", "what do ya want for nothing?").value(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Digest, OfPiecesIsThatOfTheWhole) {
  Sha256 digest = Sha256::Start().value();
  ASSERT_TRUE(digest.Add("a"));
  ASSERT_TRUE(digest.Add(""));
  ASSERT_TRUE(digest.Add("bc"));
  EXPECT_EQ(std::move(digest).Hex().value(), Sha256Hex("abc").value());
}

TEST(Digest, EqualIsEqual) {
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_TRUE(ConstantTimeEqual("abc", "abc"));
  EXPECT_FALSE(ConstantTimeEqual("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEqual("abc", "ab"));
}

}  // namespace
}  // namespace cay
