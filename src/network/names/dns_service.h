// DnsService: takes the questions for names of one sandbox's programs, by datagrams and on
// connections to port 53, and answers each from the address that it was sent to.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

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
  static constexpr size_t kMaxOpen = 64;  // questions to others; more are answered with a failure

  // Has the name's own servers asked, and Answer called with that number later, never at once.
  using Ask = std::function<void(uint64_t number, const OpenQuestion& question)>;

  DnsService(EventLoop& loop, Deadlines& deadlines, DnsResponder responder, Ask ask);
  ~DnsService();
  DnsService(const DnsService&) = delete;
  DnsService& operator=(const DnsService&) = delete;

  // The socket stays its owner's, and must outlive this.
  Result<void> ServeDatagrams(const Fd& socket);
  void ServeStream(Fd client);
  // Nothing where who asked is gone.
  void Answer(uint64_t number, Rcode rcode, std::span<const Record> records);

 private:
  class Datagrams;
  class Stream;
  // Who waits for an answer from elsewhere. `send` is called once, or never.
  struct Waiting {
    OpenQuestion question;
    std::function<void(std::string reply)> send;
  };
  bool HasTurn();
  DnsResponder::Replied Reply(std::string_view message, size_t limit);
  uint64_t Open(OpenQuestion question, std::function<void(std::string reply)> send);
  void End(Stream& stream);
  void Rest();

  EventLoop& loop_;
  Deadlines& deadlines_;
  DnsResponder responder_;
  Ask ask_;
  TokenBucket questions_;
  uint64_t last_number_ = 0;
  std::unordered_map<uint64_t, Waiting> waiting_;
  std::list<std::unique_ptr<Datagrams>> datagrams_;
  std::list<std::unique_ptr<Stream>> streams_;
  Deadline again_;
};

}  // namespace cay::network
