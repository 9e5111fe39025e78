// Names that outlive their tables: what the next table says, and what is not believed.
#include "network/names/name_book.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "network/names/name_table.h"
#include "network/names/pinned_names.h"

namespace cay::network {
namespace {

using Part = NameBook::Part;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NameBookTest : public ::testing::Test {
 protected:
  // As the next relay has it.
  std::shared_ptr<NameBook> Again() const {
    auto book = NameBook::Adopt(*book_->file().Duplicate());
    EXPECT_TRUE(book) << book.error().ToString();
    return *book;
  }
  NameTable Names(NameTable::Clock::time_point now) const {
    auto names = NameTable::In(Again(), now);
    EXPECT_TRUE(names) << names.error().ToString();
    return *std::move(names);
  }
  PinnedNames Pinned(NameTable::Clock::time_point now) const {
    auto pinned = PinnedNames::In(Again(), now);
    EXPECT_TRUE(pinned) << pinned.error().ToString();
    return *std::move(pinned);
  }
  void Write(Part part, const NameBook::Entry& entry) const {
    ASSERT_TRUE(book_->Write(part, entry));
  }
  bool IsGivenBelieved() const { return NameTable::In(Again(), now_).has_value(); }
  bool IsPinnedBelieved() const { return PinnedNames::In(Again(), now_).has_value(); }
  static Address Given(uint32_t index) { return Address::V4(NameTable::kFirst + index); }
  static Address Real(uint32_t n) { return Address::V4(0x0100'0000 + n); }

  std::shared_ptr<NameBook> book_ = *NameBook::Make();
  NameTable::Clock::time_point now_ = NameTable::Clock::now();
};

TEST_F(NameBookTest, TheNextTableSaysWhatTheOneBeforeHasSaid) {
  {
    NameTable names = Names(now_);
    for (const char* name : {"a.test", "b.test", "c.test"})
      ASSERT_TRUE(names.AddressOf(name, now_));
  }
  NameTable names = Names(now_);
  EXPECT_EQ(names.size(), 3U);
  EXPECT_EQ(names.NameOf(Given(2), now_), "b.test");
  EXPECT_EQ(names.AddressOf("c.test", now_), Given(3));
  EXPECT_EQ(names.NameOf(Given(4), now_), "");
  EXPECT_EQ(names.AddressOf("d.test", now_), Given(4));
  EXPECT_EQ(Names(now_).NameOf(Given(4), now_), "d.test") << "it goes on writing";
}

TEST_F(NameBookTest, AFullTableRestsAnewAndThenGivesTheOldestAddressAway) {
  {
    NameTable names = Names(now_);
    for (size_t i = 0; i < NameTable::kMaxNames; ++i)
      ASSERT_TRUE(names.AddressOf("n" + std::to_string(i), now_));
  }
  const auto later = now_ + NameTable::kRest;
  {
    NameTable names = Names(later);
    EXPECT_EQ(names.size(), NameTable::kMaxNames);
    EXPECT_FALSE(names.AddressOf("one.more", later)) << "somebody may have used any until then";
    const auto rested = later + NameTable::kRest;
    EXPECT_EQ(names.AddressOf("one.more", rested), Given(1));
  }
  NameTable names = Names(later);
  EXPECT_EQ(names.size(), NameTable::kMaxNames);
  EXPECT_EQ(names.NameOf(Given(1), later), "one.more");
  EXPECT_EQ(names.NameOf(Given(2), later), "n1");
  const auto rested = later + NameTable::kRest;
  EXPECT_EQ(names.AddressOf("n0", rested), Given(3)) << "n1 was used, and n2 is the oldest";
}

TEST_F(NameBookTest, PinnedAddressesLeadBackToTheSameNamesInTheSameOrder) {
  const Address six = *Address::Parse("2001:db8::1");
  {
    PinnedNames pinned = Pinned(now_);
    ASSERT_TRUE(pinned.Pin("a.test", std::vector{Real(1), Real(2), six}, now_));
    ASSERT_TRUE(pinned.Pin("b.test", std::vector{Real(2)}, now_));
    ASSERT_TRUE(pinned.Pin("c.test", std::vector{Real(2)}, now_));
    ASSERT_TRUE(pinned.Pin("a.test", std::vector{Real(2)}, now_)) << "again";
  }
  PinnedNames pinned = Pinned(now_);
  EXPECT_EQ(pinned.size(), 3U);
  EXPECT_THAT(pinned.NamesOf(Real(1), now_), ElementsAre("a.test"));
  EXPECT_THAT(pinned.NamesOf(Real(2), now_), ElementsAre("a.test", "c.test", "b.test"));
  EXPECT_THAT(pinned.NamesOf(six, now_), ElementsAre("a.test"));
  EXPECT_THAT(pinned.NamesOf(Real(3), now_), IsEmpty());
}

TEST_F(NameBookTest, WhatWasForgottenIsNotThereAndItsLinesAreUsedAgain) {
  std::vector<Address> all;
  for (uint32_t i = 0; i < PinnedNames::kMaxAddresses; ++i) all.push_back(Real(i));
  PinnedNames pinned = Pinned(now_);
  for (size_t i = 0; i < PinnedNames::kMaxNames; ++i)
    ASSERT_TRUE(pinned.Pin("n" + std::to_string(i) + ".test", all, now_));
  ASSERT_TRUE(pinned.Pin("more.test", std::vector{Real(1)}, now_)) << "in the place of the oldest";
  EXPECT_FALSE(pinned.Pin("more.test", std::vector{Real(9'999)}, now_));
  const auto rested = now_ + NameTable::kRest;
  ASSERT_TRUE(pinned.Pin("more.test", std::vector{Real(9'999)}, rested)) << "of the first one";
  PinnedNames next = Pinned(rested);
  EXPECT_EQ(next.size(), PinnedNames::kMaxAddresses);
  EXPECT_THAT(next.NamesOf(Real(0), rested), IsEmpty());
  EXPECT_THAT(next.NamesOf(Real(9'999), rested), ElementsAre("more.test"));
  const auto names = next.NamesOf(Real(1), rested);
  ASSERT_EQ(names.size(), PinnedNames::kMaxNames);
  EXPECT_EQ(names.front(), "more.test");
  EXPECT_EQ(names.back(), "n1.test");
  ASSERT_TRUE(next.Pin("also.test", std::vector{Real(9'999)}, rested)) << "there is a free line";
  EXPECT_THAT(Pinned(rested).NamesOf(Real(9'999), rested), ElementsAre("also.test", "more.test"));
}

TEST_F(NameBookTest, TablesOfOneBookDoNotMeet) {
  NameTable names = Names(now_);
  PinnedNames pinned = Pinned(now_);
  ASSERT_TRUE(names.AddressOf("a.test", now_));
  ASSERT_TRUE(pinned.Pin("b.test", std::vector{Real(1)}, now_));
  EXPECT_EQ(Names(now_).size(), 1U);
  EXPECT_EQ(Pinned(now_).size(), 1U);
}

TEST_F(NameBookTest, ANameThatCannotBeWrittenIsNotGiven) {
  NameTable names = Names(now_);
  PinnedNames pinned = Pinned(now_);
  ASSERT_TRUE(names.AddressOf("a.test", now_));
  const std::string too_long(254, 'a');
  EXPECT_FALSE(names.AddressOf(too_long, now_));
  EXPECT_FALSE(pinned.Pin(too_long, std::vector{Real(1)}, now_));
  EXPECT_EQ(names.AddressOf("b.test", now_), Given(2)) << "its address is free";
  EXPECT_EQ(Names(now_).size(), 2U);
  EXPECT_EQ(Pinned(now_).size(), 0U);
}

TEST_F(NameBookTest, WhatATableCouldNotHaveSaidIsNotBelieved) {
  for (const std::string& name : {std::string(), std::string("A.test"), std::string("a..test"),
                                  std::string(".test"), std::string("a."), std::string("a\0b", 3),
                                  std::string("\x80.test"), std::string(64, 'a') + ".test"}) {
    Write(Part::kGiven, {.line = 0, .number = 1, .address = Given(1), .name = name});
    EXPECT_FALSE(IsGivenBelieved()) << name;
    Write(Part::kPinned, {.line = 0, .number = 1, .address = Real(1), .name = name});
    EXPECT_FALSE(IsPinnedBelieved()) << name;
  }
  Write(Part::kGiven, {.line = 0, .number = 1, .address = Given(1), .name = "a.test"});
  EXPECT_TRUE(IsGivenBelieved());
  Write(Part::kGiven, {.line = 0, .number = ~0ULL, .address = Given(1), .name = "a.test"});
  EXPECT_FALSE(IsGivenBelieved()) << "there is no number after it";
}

TEST_F(NameBookTest, AnAddressIsThatOfItsLine) {
  for (const char* address : {"198.18.0.2", "198.18.0.0", "10.0.0.1", "::1", "2001:db8::1"}) {
    Write(Part::kGiven,
          {.line = 0, .number = 1, .address = *Address::Parse(address), .name = "a.test"});
    EXPECT_FALSE(IsGivenBelieved()) << address;
  }
  Write(Part::kGiven, {.line = 0, .number = 1, .address = Given(1), .name = "a.test"});
  EXPECT_TRUE(IsGivenBelieved());
  Write(Part::kGiven, {.line = 1, .number = 2, .address = Given(1), .name = "b.test"});
  EXPECT_FALSE(IsGivenBelieved()) << "two names at one address";
  Write(Part::kGiven, {.line = 1, .number = 2, .address = Given(2), .name = "a.test"});
  EXPECT_FALSE(IsGivenBelieved()) << "two addresses of one name";
  ASSERT_TRUE(book_->Erase(Part::kGiven, 1));
  EXPECT_TRUE(IsGivenBelieved());
  Write(Part::kGiven, {.line = 2, .number = 2, .address = Given(3), .name = "b.test"});
  EXPECT_FALSE(IsGivenBelieved()) << "one was left out";
  EXPECT_FALSE(book_->Write(Part::kGiven, {.line = NameBook::kGivenLines, .number = 9}));
  EXPECT_FALSE(book_->Erase(Part::kPinned, NameBook::kPinnedLines));
}

TEST_F(NameBookTest, MoreThanATableHoldsIsNotBelieved) {
  Write(Part::kPinned, {.line = 0, .number = 1, .address = Real(1), .name = "a.test"});
  EXPECT_TRUE(IsPinnedBelieved());
  Write(Part::kPinned, {.line = 1, .number = 2, .address = Real(1), .name = "a.test"});
  EXPECT_FALSE(IsPinnedBelieved()) << "twice the same";
  for (uint32_t i = 0; i <= PinnedNames::kMaxNames; ++i) {
    EXPECT_TRUE(i < 2 || IsPinnedBelieved());
    const std::string name = "n" + std::to_string(i) + ".test";
    Write(Part::kPinned, {.line = i, .number = i + 1, .address = Real(1), .name = name});
  }
  EXPECT_FALSE(IsPinnedBelieved()) << "names of one address";
  for (uint32_t i = 0; i <= PinnedNames::kMaxAddresses; ++i)
    Write(Part::kPinned, {.line = i, .number = i + 1, .address = Real(i), .name = "a.test"});
  EXPECT_FALSE(IsPinnedBelieved()) << "addresses";
  ASSERT_TRUE(book_->Erase(Part::kPinned, 7));
  EXPECT_TRUE(IsPinnedBelieved());
  Write(Part::kPinned,
        {.line = 7, .number = 8, .address = *Address::Parse("::ffff:1.0.0.7"), .name = "a.test"});
  EXPECT_FALSE(IsPinnedBelieved()) << "an address of IPv4 in another's words";
}

TEST_F(NameBookTest, BytesThatAreNoLinesAreNotBelieved) {
  const std::string noise(64, '\xff');
  ASSERT_EQ(::pwrite(book_->file().get(), noise.data(), noise.size(), 0), 64);
  EXPECT_FALSE(IsGivenBelieved());
  EXPECT_TRUE(IsPinnedBelieved());
}

TEST_F(NameBookTest, OtherFilesAreNone) {
  EXPECT_FALSE(NameBook::Adopt(std::move(MakePipe()->read)));
  const auto none = [](off_t size, int seals) {
    Fd file = Fd::Adopt(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(::ftruncate(file.get(), size), 0);
    EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, seals), 0);
    return !NameBook::Adopt(std::move(file));
  };
  const off_t size = ::lseek(book_->file().get(), 0, SEEK_END);
  const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;
  EXPECT_FALSE(none(size, seals));
  EXPECT_TRUE(none(size - 1, seals));
  EXPECT_TRUE(none(size, F_SEAL_SEAL | F_SEAL_SHRINK)) << "somebody may make it longer";
  EXPECT_TRUE(none(size, seals | F_SEAL_WRITE)) << "it cannot be written";
  EXPECT_EQ(::ftruncate(book_->file().get(), size + 1), -1);
}

}  // namespace
}  // namespace cay::network
