#include "network/relay/flow_log.h"

#include <algorithm>

namespace cay::network {
namespace {

void Cut(std::string& text, size_t most) {
  if (text.size() > most) text.resize(most);
}

// Of a denied one nothing but its moment differs.
bool IsAgain(const Flow& flow, const Flow& before) {
  return flow.verdict == Verdict::kDenied && before.verdict == Verdict::kDenied &&
         flow.inbound == before.inbound && flow.name == before.name &&
         flow.address == before.address && flow.port == before.port &&
         flow.reason == before.reason && flow.sent == 0 && before.sent == 0;
}

}  // namespace

// Which of them have been told already is their reader's to know: one that was told is not changed.
void FlowLog::Add(Flow flow) {
  Cut(flow.name, Flow::kMaxName);
  Cut(flow.reason, Flow::kMaxReason);
  Cut(flow.rule, Flow::kMaxReason);
  if (!flows_.empty() && last_ != told_ && IsAgain(flow, flows_.back())) {
    ++flows_.back().times;
    return;
  }
  flows_.push_back(std::move(flow));
  ++last_;
  if (flows_.size() > kKept) flows_.pop_front();
}

Flows FlowLog::After(uint64_t number) {
  Flows answer{.last = last_};
  const uint64_t oldest = first();
  answer.first = std::max(number + 1, oldest);
  for (uint64_t next = answer.first; next <= last_ && answer.flows.size() < kMaxFlowsAtOnce; ++next)
    answer.flows.push_back(flows_[next - oldest]);
  told_ = std::max(told_, std::min(last_, answer.first + answer.flows.size() - 1));
  return answer;
}

}  // namespace cay::network
