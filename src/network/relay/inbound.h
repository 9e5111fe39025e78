// Inbound: connections that others have made to ports of sandboxes, and that are relayed as they
// are: neither policy nor limits of a sandbox's own connections are asked, but how many there may
// be at a time and how long they may be idle. Each is a flow, and in the counts.
#pragma once

#include <functional>
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
  // Told of a sandbox that has a flow, once until its flows are asked for. False: it could not be
  // told, and is told with the next one.
  using News = std::function<bool(const std::string& sandbox)>;

  Inbound(EventLoop& loop, Deadlines& deadlines, PipePool& pipes, News news);
  ~Inbound();
  Inbound(const Inbound&) = delete;
  Inbound& operator=(const Inbound&) = delete;

  // One over the limit is reset.
  void Relay(const RelayOrder& order, Fd outside, Fd inside);
  // Whether no connection is open.
  bool empty() const;
  // Of one that never had a connection: none.
  Flows FlowsAfter(const std::string& sandbox, uint64_t number);
  // Ends what is there.
  void Forget(const std::string& sandbox);

 private:
  class Pair;
  struct Log;
  void End(Pair& pair, Flow flow);
  void Tell(const std::string& sandbox, Log& log, Flow flow);

  EventLoop& loop_;
  Deadlines& deadlines_;
  PipePool& pipes_;
  const News news_;
  std::map<std::string, std::unique_ptr<Log>> logs_;  // by sandbox
};

}  // namespace cay::network
