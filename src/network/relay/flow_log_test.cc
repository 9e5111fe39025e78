#include "network/relay/flow_log.h"

#include <gtest/gtest.h>

namespace cay::network {
namespace {

Flow Denied(std::string name) {
  return {.name = std::move(name), .verdict = Verdict::kDenied, .reason = "no rule allows it"};
}
Flow Allowed(std::string name) { return {.name = std::move(name), .port = 443, .sent = 10}; }

TEST(FlowLog, TellsThoseAfterANumber) {
  FlowLog log;
  EXPECT_TRUE(log.After(0).flows.empty());
  for (const char* name : {"a", "b", "c"}) log.Add(Allowed(name));
  const Flows all = log.After(0);
  ASSERT_EQ(all.flows.size(), 3U);
  EXPECT_EQ(all.first, 1U);
  EXPECT_EQ(all.last, 3U);
  const Flows rest = log.After(2);
  ASSERT_EQ(rest.flows.size(), 1U);
  EXPECT_EQ(rest.first, 3U);
  EXPECT_EQ(rest.flows.front().name, "c");
  EXPECT_TRUE(log.After(3).flows.empty());
  EXPECT_TRUE(log.After(99).flows.empty());
}

TEST(FlowLog, TheSameDenialIsCountedUntilItWasTold) {
  FlowLog log;
  for (int i = 0; i < 5; ++i) log.Add(Denied("evil"));
  Flows told = log.After(0);
  ASSERT_EQ(told.flows.size(), 1U);
  EXPECT_EQ(told.flows.front().times, 5U);
  log.Add(Denied("evil"));
  told = log.After(1);
  ASSERT_EQ(told.flows.size(), 1U) << "what was told does not change";
  EXPECT_EQ(told.flows.front().times, 1U);
  for (int i = 0; i < 2; ++i) log.Add(Allowed("good"));
  EXPECT_EQ(log.After(2).flows.size(), 2U) << "connections are told one by one";
}

TEST(FlowLog, KeepsTheLastOnesAndShowsThatThereWereMore) {
  FlowLog log;
  const size_t many = FlowLog::kKept + 100;
  for (size_t i = 1; i <= many; ++i) log.Add(Allowed(std::to_string(i)));
  uint64_t known = 0;
  size_t count = 0;
  for (;;) {
    const Flows flows = log.After(known);
    if (flows.flows.empty()) break;
    EXPECT_LE(flows.flows.size(), kMaxFlowsAtOnce);
    if (known == 0) {
      EXPECT_EQ(flows.first, 101U);
    }
    for (size_t i = 0; i < flows.flows.size(); ++i)
      EXPECT_EQ(flows.flows[i].name, std::to_string(flows.first + i));
    count += flows.flows.size();
    known = flows.first + flows.flows.size() - 1;
  }
  EXPECT_EQ(count, FlowLog::kKept);
  EXPECT_EQ(known, many);
}

TEST(FlowLog, TextsOfAStrangerAreBounded) {
  FlowLog log;
  Flow flow = Denied(std::string(10'000, 'x'));
  flow.reason = std::string(10'000, 'y');
  log.Add(std::move(flow));
  const Flows told = log.After(0);
  EXPECT_EQ(told.flows.front().name.size(), Flow::kMaxName);
  EXPECT_EQ(told.flows.front().reason.size(), Flow::kMaxReason);
  EXPECT_TRUE(protocol::Decode<Flows>(protocol::Encode(told)));
}

}  // namespace
}  // namespace cay::network
