#include "sandbox/network/flow_ring.h"

#include <algorithm>
#include <utility>

namespace cay::sandbox {

void FlowRing::Add(network::Flow flow) {
  flows_.push_back({.number = ++last_, .flow = std::move(flow)});
  if (flows_.size() > kKept) flows_.pop_front();
}

FlowPage FlowRing::After(uint64_t number, size_t limit) const {
  const uint64_t from = number == 0 ? begin_ : std::min(number, last_);
  FlowPage page{.from = from, .next = from};
  auto next = std::ranges::upper_bound(flows_, from, {}, &NumberedFlow::number);
  for (; next != flows_.end() && page.flows.size() < limit; ++next) page.flows.push_back(*next);
  if (!page.flows.empty()) page.next = page.flows.back().number;
  return page;
}

}  // namespace cay::sandbox
