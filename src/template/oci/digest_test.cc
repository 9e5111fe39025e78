#include "template/oci/digest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::templates::oci {
namespace {

using ::testing::HasSubstr;

// FIPS 180-4's example.
constexpr std::string_view kAbc256 =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kAbc512 =
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

TEST(ContentDigest, IsAnAlgorithmAndTheHash) {
  for (const std::string_view text : {kAbc256, kAbc512}) {
    const auto digest = Digest::Parse(text);
    ASSERT_TRUE(digest) << digest.error().message();
    EXPECT_EQ(digest->text(), text);
    EXPECT_EQ(std::string(digest->algorithm_name()) + ":" + std::string(digest->hex()), text);
    EXPECT_EQ(Digest::Of("abc", digest->algorithm()), *digest);
  }
}

TEST(ContentDigest, OfAnUnknownAlgorithmIsNotSupported) {
  for (const std::string_view text :
       {"sha384:00", "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
        "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564"}) {
    EXPECT_EQ(Digest::Parse(text).error().code(), ErrorCode::kNotSupported) << text;
  }
}

TEST(ContentDigest, ThatIsNoneIsRefused) {
  const std::string hex(kAbc256.substr(7));
  const std::string all[] = {"",
                             "sha256",
                             ":" + hex,
                             "sha256:",
                             "SHA256:" + hex,
                             "sha256:" + hex + "0",
                             "sha256:" + hex.substr(1),
                             "sha256:" + hex.substr(1) + "G",
                             "sha256:" + std::string(64, 'A'),
                             "sha256::" + hex.substr(1),
                             " sha256:" + hex,
                             "sha256+:" + hex,
                             "+sha256:" + hex,
                             "a++b:" + hex,
                             "sha512:" + hex};
  for (const std::string& text : all) {
    const auto digest = Digest::Parse(text);
    ASSERT_FALSE(digest) << text;
    EXPECT_EQ(digest.error().code(), ErrorCode::kInvalidArgument) << text;
  }
}

TEST(DigestVerifier, TakesTheContentInPieces) {
  for (const std::string_view text : {kAbc256, kAbc512}) {
    auto verifier = DigestVerifier::Start(Digest::Parse(text).value(), 3).value();
    ASSERT_TRUE(verifier.Add("a"));
    ASSERT_TRUE(verifier.Add(""));
    ASSERT_TRUE(verifier.Add("bc"));
    EXPECT_EQ(verifier.size(), 3U);
    EXPECT_TRUE(std::move(verifier).Finish());
  }
}

TEST(DigestVerifier, TakesNoByteMoreThanThereShouldBe) {
  auto verifier = DigestVerifier::Start(Digest::Parse(kAbc256).value(), 3).value();
  ASSERT_TRUE(verifier.Add("abc"));
  const auto more = verifier.Add("d");
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code(), ErrorCode::kProtocol);
  EXPECT_THAT(more.error().message(), HasSubstr("longer than its 3 bytes"));
}

TEST(DigestVerifier, RefusesContentThatEndsEarly) {
  auto verifier = DigestVerifier::Start(Digest::Parse(kAbc256).value(), 4).value();
  ASSERT_TRUE(verifier.Add("abc"));
  const auto done = std::move(verifier).Finish();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message(), HasSubstr("ends after 3 of its 4 bytes"));
}

TEST(DigestVerifier, RefusesOtherContent) {
  const auto same = VerifyDigest("abc", Digest::Parse(kAbc256).value());
  EXPECT_TRUE(same) << same.error().message();
  const auto other = VerifyDigest("abd", Digest::Parse(kAbc256).value());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kProtocol);
  EXPECT_THAT(other.error().message(), HasSubstr(std::string(kAbc256)));
}

}  // namespace
}  // namespace cay::templates::oci
