#include "network/resolver/address_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cay::network {
namespace {

using testing::ElementsAre;

std::vector<Address> Addresses(const std::vector<std::string>& texts) {
  std::vector<Address> addresses;
  for (const std::string& text : texts) addresses.push_back(*Address::Parse(text));
  return addresses;
}

std::vector<std::string> Ordered(const std::vector<std::string>& v6,
                                 const std::vector<std::string>& v4, const char* v6_source,
                                 const char* v4_source) {
  std::vector<std::string> texts;
  const SourceOf source = [&](const Address& to) -> std::optional<Address> {
    const char* text = to.family() == Family::kV6 ? v6_source : v4_source;
    if (text == nullptr) return std::nullopt;
    return *Address::Parse(text);
  };
  for (const Address& address : OrderForDialling(Addresses(v6), Addresses(v4), source)) {
    texts.push_back(address.Text());
  }
  return texts;
}

TEST(AddressOrder, FamiliesAreTriedInTurnAndIPv6First) {
  EXPECT_THAT(Ordered({"2600::1", "2600::2", "2600::3"}, {"8.8.8.1"}, "2600::9", "192.168.1.2"),
              ElementsAre("2600::1", "8.8.8.1", "2600::2", "2600::3"));
}

TEST(AddressOrder, FromAUniqueLocalAddressPublicOnesAreTriedOverIPv4First) {
  EXPECT_THAT(Ordered({"2600::1", "2600::2"}, {"8.8.8.1", "8.8.8.2"}, "fd00::9", "192.168.1.2"),
              ElementsAre("8.8.8.1", "2600::1", "8.8.8.2", "2600::2"));
  EXPECT_THAT(Ordered({"fd00::1"}, {"10.0.0.1"}, "fd00::9", "10.0.0.2"),
              ElementsAre("fd00::1", "10.0.0.1"));
}

TEST(AddressOrder, AFamilyWithoutAWayIsLast) {
  EXPECT_THAT(Ordered({"2600::1", "2600::2"}, {"8.8.8.1", "8.8.8.2"}, nullptr, "192.168.1.2"),
              ElementsAre("8.8.8.1", "8.8.8.2", "2600::1", "2600::2"));
  EXPECT_THAT(Ordered({"2600::1", "2600::2"}, {"8.8.8.1"}, "fd00::9", nullptr),
              ElementsAre("2600::1", "2600::2", "8.8.8.1"));
}

TEST(AddressOrder, OneFamilyStaysAsItIs) {
  EXPECT_THAT(Ordered({}, {"8.8.8.2", "8.8.8.1"}, nullptr, nullptr),
              ElementsAre("8.8.8.2", "8.8.8.1"));
  EXPECT_THAT(Ordered({"2600::1"}, {}, nullptr, nullptr), ElementsAre("2600::1"));
}

TEST(AddressOrder, TheSourceOfTheMachineItselfIsItself) {
  EXPECT_EQ(SourceFor(*Address::Parse("127.0.0.1")), *Address::Parse("127.0.0.1"));
}

TEST(AddressOrder, ThereIsNoWayToWhatNoMachineHas) {
  EXPECT_EQ(SourceFor(*Address::Parse("255.255.255.255")),
            std::nullopt);  // not without SO_BROADCAST
}

}  // namespace
}  // namespace cay::network
