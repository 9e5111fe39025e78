// DnsService: takes the questions for names of one sandbox's programs, by datagrams and on
// connections to port 53, and answers each from the address that it was sent to.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "network/names/dns_responder.h"
#include "network/transfer/deadlines.h"
#include "network/transfer/token_bucket.h"

namespace cay::network {

class DnsService {
 public:
  static constexpr uint64_t kPerSecond = 1000;  // questions; more wait in the sockets, and are lost
  static constexpr size_t kMaxStreams = 16;     // connections; more are reset
  static constexpr Millis kStreamPatience{10'000};

  DnsService(EventLoop& loop, Deadlines& deadlines, DnsResponder responder);
  ~DnsService();
  DnsService(const DnsService&) = delete;
  DnsService& operator=(const DnsService&) = delete;

  // The socket stays its owner's, and must outlive this.
  Result<void> ServeDatagrams(const Fd& socket);
  void ServeStream(Fd client);

 private:
  class Datagrams;
  class Stream;
  std::optional<std::string> Reply(std::string_view message, size_t limit);
  void End(Stream& stream);
  void Rest();

  EventLoop& loop_;
  Deadlines& deadlines_;
  DnsResponder responder_;
  TokenBucket questions_;
  std::list<std::unique_ptr<Datagrams>> datagrams_;
  std::list<std::unique_ptr<Stream>> streams_;
  Deadline again_;
};

}  // namespace cay::network
