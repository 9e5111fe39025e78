#include "sandbox/network/flow_ring.h"

#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

network::Flow Named(std::string name) { return {.name = std::move(name)}; }

std::vector<uint64_t> Numbers(const FlowPage& page) {
  std::vector<uint64_t> numbers;
  for (const NumberedFlow& flow : page.flows) numbers.push_back(flow.number);
  return numbers;
}

TEST(FlowRing, NumbersGoOnWhereTheyBegan) {
  FlowRing ring(1000);
  EXPECT_EQ(ring.After(0, 10).next, 1000U);
  ring.Add(Named("a"));
  ring.Add(Named("b"));
  ring.Add(Named("c"));
  const FlowPage page = ring.After(0, 2);
  EXPECT_EQ(Numbers(page), (std::vector<uint64_t>{1001, 1002}));
  EXPECT_EQ(page.from, 1000U) << "nothing is missing before the first";
  EXPECT_EQ(page.next, 1002U);
  EXPECT_EQ(Numbers(ring.After(page.next, 2)), std::vector<uint64_t>{1003});
}

TEST(FlowRing, WhatWasLostHasANumber) {
  FlowRing ring(0);
  ring.Add(Named("a"));
  ring.Skip(3);
  ring.Add(Named("b"));
  EXPECT_EQ(Numbers(ring.After(1, 10)), std::vector<uint64_t>{5});
  EXPECT_EQ(ring.After(1, 10).from, 1U);
}

TEST(FlowRing, ANumberThatWasNotGivenYetIsFromNowOn) {
  FlowRing ring(10);
  ring.Add(Named("a"));
  EXPECT_EQ(ring.After(UINT64_MAX, 10).next, 11U);
  ring.Add(Named("b"));
  EXPECT_EQ(Numbers(ring.After(11, 10)), std::vector<uint64_t>{12});
}

TEST(FlowRing, TheOldestAreDroppedAndTheirNumbersTellIt) {
  FlowRing ring(0);
  for (size_t i = 0; i < FlowRing::kKept + 5; ++i) ring.Add(Named("a"));
  const FlowPage page = ring.After(0, 1);
  EXPECT_EQ(Numbers(page), std::vector<uint64_t>{6});
  EXPECT_EQ(page.from, 0U);
}

}  // namespace
}  // namespace cay::sandbox
