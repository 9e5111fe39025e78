#include "network/names/pinned_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cay::network {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class PinnedNamesTest : public testing::Test {
 protected:
  static Address Nth(uint32_t n) { return Address::V4(0x0100'0000 + n); }
  bool Pin(const std::string& name, std::vector<Address> addresses) {
    return names_.Pin(name, addresses, now_);
  }
  std::vector<std::string> NamesOf(const Address& address) { return names_.NamesOf(address, now_); }

  PinnedNames names_;
  PinnedNames::Clock::time_point now_{};
};

TEST_F(PinnedNamesTest, AnAddressLeadsBackToTheNamesThatWereAnsweredWithItNewestFirst) {
  EXPECT_TRUE(Pin("a.example", {Nth(1), Nth(2)}));
  EXPECT_TRUE(Pin("b.example", {Nth(2)}));
  EXPECT_THAT(NamesOf(Nth(1)), ElementsAre("a.example"));
  EXPECT_THAT(NamesOf(Nth(2)), ElementsAre("b.example", "a.example"));
  EXPECT_TRUE(Pin("a.example", {Nth(2)}));
  EXPECT_THAT(NamesOf(Nth(2)), ElementsAre("a.example", "b.example"));
  EXPECT_THAT(NamesOf(Nth(3)), IsEmpty());
}

TEST_F(PinnedNamesTest, AMappedAddressIsThatOfIpv4) {
  EXPECT_TRUE(Pin("a.example", {Nth(1)}));
  EXPECT_THAT(NamesOf(*Address::Parse("::ffff:1.0.0.1")), ElementsAre("a.example"));
}

TEST_F(PinnedNamesTest, TheNewestNamesOfAnAddressAreKept) {
  for (size_t i = 0; i <= PinnedNames::kMaxNames; ++i)
    EXPECT_TRUE(Pin("n" + std::to_string(i) + ".example", {Nth(1)}));
  const std::vector<std::string> names = NamesOf(Nth(1));
  EXPECT_EQ(names.size(), PinnedNames::kMaxNames);
  EXPECT_EQ(names.front(), "n16.example");
  EXPECT_EQ(names.back(), "n1.example");
}

TEST_F(PinnedNamesTest, WhenItIsFullNoneIsForgottenThatSomebodyMayRemember) {
  for (uint32_t i = 0; i < PinnedNames::kMaxAddresses; ++i) EXPECT_TRUE(Pin("a.example", {Nth(i)}));
  EXPECT_FALSE(Pin("b.example", {Nth(0), Nth(9'999)}));
  EXPECT_THAT(NamesOf(Nth(0)), ElementsAre("a.example")) << "all of them, or none";
  EXPECT_TRUE(Pin("b.example", {Nth(0)})) << "which needs no room";
  now_ += NameTable::kRest;
  EXPECT_THAT(NamesOf(Nth(1)), ElementsAre("a.example"));
  EXPECT_TRUE(Pin("c.example", {Nth(9'999), Nth(1)}));
  EXPECT_EQ(names_.size(), PinnedNames::kMaxAddresses);
  EXPECT_THAT(NamesOf(Nth(1)), ElementsAre("c.example", "a.example"));
  EXPECT_THAT(NamesOf(Nth(2)), IsEmpty()) << "the longest unused";
  EXPECT_THAT(NamesOf(Nth(3)), ElementsAre("a.example"));
}

TEST_F(PinnedNamesTest, AnAnswerThatNamesAnAddressTwiceTakesNoMoreThanItsPlace) {
  EXPECT_TRUE(Pin("a.example", {Nth(1), Nth(1)}));
  EXPECT_EQ(names_.size(), 1U);
  EXPECT_THAT(NamesOf(Nth(1)), ElementsAre("a.example"));
}

}  // namespace
}  // namespace cay::network
