// Interception: one connection whose TLS ends here on both sides, and whose requests get their
// secrets, or are answered from a cache (http_exchange.h). Over two non-blocking sockets that it
// does not own.
//
//   auto interception = TRY(Interception::Begin(interceptor, credentials, place, client));
//   interception->ServerIs(upstream);          // before all else where there is no cache
//   interception->Step(allowance);             // whenever one of them is ready
//   if (interception->wants_server()) …        // ServerIs or NoServer, when that is known
//   if (interception->over()) …                // interception->end() says how it went
//   … wait for interception->client_events() and upstream_events(), or step again: again() …
//
// Nothing of a request goes out before the server's certificate is verified.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "network/intercept/credentials.h"
#include "network/intercept/http_exchange.h"
#include "network/intercept/interceptor.h"
#include "network/intercept/session.h"

namespace cay::network {

class Interception {
 public:
  struct Place {
    std::string name;
    uint16_t port = 0;
    std::optional<CacheUse> cache{};  // one for "http" is in the clear on both sides
  };

  // `interceptor`: null where everything is in the clear; not referred to afterwards.
  static Result<std::unique_ptr<Interception>> Begin(Interceptor* interceptor,
                                                     std::shared_ptr<const Credentials> credentials,
                                                     Place place, int client);
  bool wants_server() const;
  Result<void> ServerIs(int upstream);
  // What the program is told instead.
  void NoServer(int status, std::string reason, HttpExchange::End::Kind kind);

  // Moves about `allowance` bytes at most.
  void Step(uint64_t allowance);
  bool over() const { return over_; }
  const HttpExchange::End& end() const { return end_; }
  // EPOLLIN and EPOLLOUT.
  uint32_t client_events() const;
  uint32_t upstream_events() const;
  // There is more to do, whatever the sockets say.
  bool again() const { return again_; }
  uint64_t sent() const { return sent_; }  // bytes of requests
  uint64_t received() const { return received_; }
  uint64_t from_cache() const { return exchange_.from_cache(); }
  // The program broke the handshake off: it does not trust the certificate, for instance.
  bool not_trusted() const { return client_.failed && !client_.ready; }

 private:
  // One end of it.
  struct Side {
    std::optional<Session> session{};  // none: nothing leads there yet
    bool ready = false;                // the handshake is done
    bool failed = false;
    Session::Wants wants = Session::Wants::kNothing;
  };

  Interception(std::shared_ptr<const http::TlsContext> to_servers,
               std::shared_ptr<const Credentials> credentials, Place place, Session client);

  bool Round();
  bool Greet(Side& side, bool is_client);
  bool ReadClient();
  bool ReadUpstream();
  bool Write(Side& side, std::string& queue, uint64_t& count);
  void Finish(HttpExchange::End end);
  bool Drained() const;
  bool Settled() const;
  static uint32_t EventsOf(const Side& side, bool reads, bool writes);

  // Null: in the clear. Its own: the authority may be replaced before there is a server.
  const std::shared_ptr<const http::TlsContext> to_servers_;
  const std::shared_ptr<const Credentials> credentials_;
  const std::string name_;
  const bool cached_;
  HttpExchange exchange_;
  Side client_;
  Side upstream_;
  bool over_ = false;
  bool again_ = false;
  HttpExchange::End end_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
};

}  // namespace cay::network
