// DnsChannel: questions for addresses, put to name servers by c-ares, and its sockets and times in
// an EventLoop.
//
//   auto channel = TRY(DnsChannel::Create(loop, servers, timeout, on_answer));
//   channel->Ask(7, "example.com", Family::kV4);     // on_answer(7, Family::kV4, …)
//
// Each Ask is answered once, in it or later, unless the channel is deleted before; what is called
// for it neither asks nor deletes the channel. The sockets of a channel are there while it has
// questions: for ports that are hard to guess a channel is used for so many questions only.
//
// c-ares reads no configuration here: names are asked for as they are. It chooses no ids
// either; those of c-ares 1.18 are not random (CVE-2023-31147).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/result.h"
#include "base/units.h"
#include "network/resolver/dns_answer.h"
#include "network/resolver/machine_names.h"

struct ares_channeldata;  // c-ares'

namespace cay::network {

class DnsChannel final : private EventLoop::Timer {
 public:
  using OnAnswer =
      std::function<void(uint64_t question, QuestionType asked, Result<DnsAnswer> answer)>;

  // Each server is asked three times within about `patience`, in turn. `servers` is not empty. The
  // loop outlives the channel.
  static Result<std::unique_ptr<DnsChannel>> Create(EventLoop& loop,
                                                    const std::vector<NameServer>& servers,
                                                    Millis patience, OnAnswer on_answer);
  ~DnsChannel() override;
  DnsChannel(const DnsChannel&) = delete;
  DnsChannel& operator=(const DnsChannel&) = delete;

  // Both families of one name are two questions. At most kMaxUnderWay.
  void Ask(uint64_t question, const std::string& name, QuestionType asked);
  size_t under_way() const { return queries_.size(); }
  // "the name servers 192.0.2.1:53, 192.0.2.2:53".
  const std::string& servers() const { return servers_; }

  // Ids are of 16 bits, and each new one has to be found by chance.
  static constexpr size_t kMaxUnderWay = 32'768;

 private:
  class Socket;
  struct Query {
    DnsChannel* channel;
    uint16_t id;
    uint64_t question;
    std::string name;
    QuestionType asked;
  };
  // What c-ares calls.
  struct Calls;

  DnsChannel(EventLoop& loop, const std::vector<NameServer>& servers, OnAnswer on_answer);
  Result<void> Open(const std::vector<NameServer>& servers, Millis patience);
  void OnTime() override;
  void OnReady(int fd, uint32_t events);
  void SetNextTime();
  uint16_t UnusedId() const;
  void Finish(uint16_t id, int status, std::string_view bytes);
  Result<DnsAnswer> Outcome(const Query& query, int status, std::string_view bytes) const;
  Failure NoAnswer(std::string message) const;

  EventLoop& loop_;
  OnAnswer on_answer_;
  std::string servers_;
  ares_channeldata* ares_ = nullptr;
  bool closing_ = false;
  std::unordered_map<uint16_t, Query> queries_;  // by their ids
  std::unordered_map<int, std::unique_ptr<Socket>> sockets_;
  // Of what was last done with a socket, which c-ares does not tell. 0: it went well.
  int last_errno_ = 0;
  size_t reads_left_ = 0;  // of this round
};

}  // namespace cay::network
