// HttpExchange: HTTP/1.1 between a sandbox's program and a server, as bytes: each request and each
// response is read strictly and written anew, so that nothing of one is taken for another
// (request smuggling), and requests get their secrets. Pure, but for a package cache
// (cache/cache_turn.h), where one is used.
//
//   HttpExchange exchange(credentials, "api.example.com", 443);
//   exchange.client_in += …;  exchange.upstream_in += …;        // as far as Wants… says
//   exchange.Pump();
//   … send client_out and upstream_out, and take off what was sent; again until over() …
//
// One request at a time: the next one is read when the one before is answered. Bodies stream, with
// Content-Length or in chunks that are written anew; trailer fields and chunks' extensions are left
// out. Refused, with a problem document where no answer was begun: HTTP/1.0, a Host other than this
// one, targets that name a host, CONNECT, an Upgrade other than to a WebSocket, ambiguous framing
// (http/wire/head.h), heads over kMaxHead. After a server's 101 both directions are passed on as
// they are.
//
// With a cache some requests are answered without the server, which then need not be there:
// upstream_out stays empty until it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/wire/chunked.h"
#include "http/wire/head.h"
#include "network/cache/cache_turn.h"
#include "network/intercept/credentials.h"

namespace cay::network {

class HttpExchange {
 public:
  static constexpr size_t kMaxHead = size_t{64} * 1024;
  static constexpr size_t kMaxQueued = size_t{64} * 1024;  // to each side, before it is sent

  // How it came to its end.
  struct End {
    enum class Kind : uint8_t { kDone, kRefused, kFailed } kind = Kind::kDone;
    std::string reason{};  // a sentence; empty: it went well
  };

  HttpExchange(const Credentials& credentials, std::string name, uint16_t port);
  // Before the first bytes.
  void UseCache(CacheUse use) {
    usual_port_ = use.place.scheme == "http" ? 80 : 443;
    cache_ = std::move(use);
  }

  std::string client_in{};
  std::string client_out{};
  std::string upstream_in{};
  std::string upstream_out{};

  // Whether more of a side is of use now.
  bool WantsClient() const;
  bool WantsUpstream() const;
  // The side has ended: in order, or broken off.
  void ClientEnded();
  void UpstreamEnded(bool in_order);
  // There is no server to be had: the request at hand, or the next one, is answered with this.
  void RefuseAll(int status, std::string reason, End::Kind kind = End::Kind::kFailed);
  // Gives back memory that is not used now.
  void Shrink();
  // Does what can be done with what is there.
  void Pump();
  // What is in client_out and upstream_out is still to be sent.
  bool over() const { return end_.has_value(); }
  const End& end() const { return *end_; }
  bool tunnel() const { return request_ == Request::kTunnel; }
  // There is more to do, whatever comes: Pump again, when others had their turn.
  bool busy() const { return busy_; }
  // Requests that were answered from the cache.
  uint64_t from_cache() const { return from_cache_; }

 private:
  enum class Request : uint8_t { kHead, kLength, kChunked, kAnswer, kTunnel };
  enum class Answer : uint8_t {
    kNone,
    kCheck,  // what the cache has is looked at
    kKept,   // and given
    kHead,
    kLength,
    kChunked,
    kUntilClose,
    kDone,
  };

  // Each: whether it did something.
  bool PumpRequest();
  bool PumpAnswer();
  bool ReadRequestHead();
  bool ReadAnswerHead();
  bool PassOn(std::string& from, std::string& to, uint64_t& left, bool scan);
  bool PassChunks(std::string& from, std::string& to, http::ChunkDecoder& chunks, bool scan);
  bool PassTunnel();
  bool TakeTurn(const http::Request& request, const http::Headers& headers);
  bool CheckKept();
  bool GiveKept();
  bool AnsweredFromCache();
  void AskForTurn();
  bool TakeForTurn(const http::ResponseHead& head, const http::Headers& headers);
  void AnswerBody(const http::ResponseHead& head);
  void AnswerIsDone();
  void CheckRequest(const http::RequestHead& head);
  void WriteRequest(const http::RequestHead& head);
  void NextIfBothAreDone();
  void Refuse(int status, const std::string& reason, End::Kind kind = End::Kind::kRefused);
  void Finish(End::Kind kind, std::string reason);

  const Credentials& credentials_;
  const std::string name_;
  const uint16_t port_;

  Request request_ = Request::kHead;
  Answer answer_ = Answer::kNone;
  size_t client_scanned_ = 0;
  size_t upstream_scanned_ = 0;
  uint64_t request_left_ = 0;
  uint64_t answer_left_ = 0;
  http::ChunkDecoder request_chunks_;
  http::ChunkDecoder answer_chunks_;
  std::optional<ForeignScan> scan_;
  std::string method_;
  std::string target_;
  bool upgrade_ = false;
  bool keep_alive_ = true;
  bool answer_begun_ = false;  // of the request at hand, anything of it was written
  bool client_ended_ = false;
  bool upstream_ended_ = false;
  bool upstream_in_order_ = false;
  uint16_t usual_port_ = 443;
  std::optional<CacheUse> cache_;  // none any more, once a request has passed it by
  std::optional<CacheTurn> turn_;  // of the request at hand
  bool busy_ = false;
  uint64_t from_cache_ = 0;
  int refuse_status_ = 0;
  End::Kind refuse_kind_ = End::Kind::kFailed;
  std::string refuse_reason_;
  std::optional<End> end_;
};

}  // namespace cay::network
