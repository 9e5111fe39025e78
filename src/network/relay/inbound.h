// Inbound: connections that others have made to ports of sandboxes, and that are relayed as they
// are: neither policy nor limits of a sandbox's own connections are asked, but how many there may
// be at a time and how long they may be idle.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/loop/event_loop.h"
#include "network/link/messages.h"
#include "network/transfer/deadlines.h"
#include "network/transfer/lane.h"

namespace cay::network {

class Inbound {
 public:
  Inbound(EventLoop& loop, Deadlines& deadlines, PipePool& pipes);
  ~Inbound();
  Inbound(const Inbound&) = delete;
  Inbound& operator=(const Inbound&) = delete;

  // One over the limit is reset.
  void Relay(const RelayOrder& order, Fd outside, Fd inside);
  bool empty() const { return pairs_.empty(); }
  size_t CountOf(const std::string& sandbox) const;

 private:
  class Pair;
  using Pairs = std::map<Pair*, std::unique_ptr<Pair>>;
  void End(Pair& pair);

  EventLoop& loop_;
  Deadlines& deadlines_;
  PipePool& pipes_;
  std::map<std::string, Pairs> pairs_;  // by sandbox; none is empty
};

}  // namespace cay::network
