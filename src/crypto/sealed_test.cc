#include "crypto/sealed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SealingKey Key() {
  auto key = SealingKey::Make();
  EXPECT_TRUE(key);
  return *std::move(key);
}

TEST(SealingKey, OpensWhatItSealed) {
  const SealingKey key = Key();
  for (const std::string& plain :
       {std::string(), std::string("a secret"), std::string(70'000, 'x')}) {
    const auto sealed = key.Seal(plain, "context");
    ASSERT_TRUE(sealed);
    EXPECT_EQ(sealed->size(), plain.size() + SealingKey::kOverhead);
    const auto opened = key.Open(*sealed, "context");
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ(*opened, plain);
  }
}

TEST(SealingKey, ThePlainTextIsNotThereAndTwoSealsDiffer) {
  const SealingKey key = Key();
  const auto one = key.Seal("a secret", "c");
  const auto two = key.Seal("a secret", "c");
  ASSERT_TRUE(one && two);
  EXPECT_NE(*one, *two);
  EXPECT_THAT(*one, Not(HasSubstr("secret")));
}

TEST(SealingKey, EachChangedBitAndAnyOtherKeyOrContextIsNoticed) {
  const SealingKey key = Key();
  const std::string sealed = key.Seal("a secret", "c").value_or("");
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(key.Open(changed, "c")) << bit;
  }
  for (size_t size = 0; size < sealed.size(); ++size)
    EXPECT_FALSE(key.Open(sealed.substr(0, size), "c")) << size;
  EXPECT_FALSE(key.Open(sealed, "d"));
  EXPECT_FALSE(key.Open(sealed, ""));
  EXPECT_FALSE(Key().Open(sealed, "c"));
  const auto same = SealingKey::Of(key.bytes());
  ASSERT_TRUE(same);
  EXPECT_TRUE(same->Open(sealed, "c"));
  EXPECT_FALSE(SealingKey::Of("short"));
}

}  // namespace
}  // namespace cay
