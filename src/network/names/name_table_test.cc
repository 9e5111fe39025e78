#include "network/names/name_table.h"

#include <gtest/gtest.h>

namespace cay::network {
namespace {

using std::chrono::seconds;

class NameTableTest : public ::testing::Test {
 protected:
  NameTable names_;
  NameTable::Clock::time_point now_ = NameTable::Clock::now();
};

TEST_F(NameTableTest, ANameKeepsItsAddress) {
  const auto first = names_.AddressOf("pypi.org", now_);
  const auto second = names_.AddressOf("files.example", now_);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->Text(), "198.18.0.1");
  EXPECT_EQ(second->Text(), "198.18.0.2");
  EXPECT_EQ(names_.AddressOf("pypi.org", now_), first);
  EXPECT_EQ(names_.NameOf(*first, now_), "pypi.org");
  EXPECT_EQ(names_.NameOf(*second, now_), "files.example");
}

TEST_F(NameTableTest, OtherAddressesHaveNoName) {
  EXPECT_EQ(names_.NameOf(Address::V4(0xC612'0001), now_), "");
  EXPECT_EQ(names_.NameOf(Address::V4(0x0808'0808), now_), "");
  EXPECT_TRUE(NameTable::IsSynthetic(Address::V4(0xC612'0000)));
  EXPECT_TRUE(NameTable::IsSynthetic(Address::V4(0xC613'FFFF)));
  EXPECT_FALSE(NameTable::IsSynthetic(Address::V4(0xC611'FFFF)));
  EXPECT_FALSE(NameTable::IsSynthetic(Address::V4(0xC614'0000)));
}

TEST_F(NameTableTest, AFullTableGivesNoAddressThatSomebodyMayRemember) {
  for (size_t i = 0; i < NameTable::kMaxNames; ++i)
    ASSERT_TRUE(names_.AddressOf("n" + std::to_string(i), now_));
  EXPECT_FALSE(names_.AddressOf("one.more", now_));
  const auto known = names_.AddressOf("n0", now_ + seconds(600));
  ASSERT_TRUE(known);
  EXPECT_EQ(names_.NameOf(*known, now_ + seconds(600)), "n0");
  // n0 was used ten minutes later than the others: theirs can be given away, its own not.
  const auto later = now_ + NameTable::kRest + seconds(1);
  const auto reused = names_.AddressOf("one.more", later);
  ASSERT_TRUE(reused);
  EXPECT_EQ(names_.NameOf(*reused, later), "one.more");
  EXPECT_EQ(names_.AddressOf("n0", later), known);
  EXPECT_NE(names_.AddressOf("n1", later), reused) << "n1 lost its address, and gets another";
  EXPECT_EQ(names_.size(), NameTable::kMaxNames);
}

}  // namespace
}  // namespace cay::network
