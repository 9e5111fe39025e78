// Interception: one connection whose TLS ends here on both sides, and whose requests get their
// secrets (http_exchange.h). Over two non-blocking sockets that it does not own.
//
//   auto interception = TRY(Interception::Begin(interceptor, credentials, place, client, upstream));
//   interception->Step(allowance);             // whenever one of them is ready
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

namespace cay::network {

class Interception {
 public:
  struct Place {
    std::string name;
    uint16_t port = 0;
  };

  static Result<std::unique_ptr<Interception>> Begin(Interceptor& interceptor,
                                                     std::shared_ptr<const Credentials> credentials,
                                                     Place place, int client, int upstream);

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

 private:
  // One end of it.
  struct Side {
    std::unique_ptr<http::TlsSession> tls;
    bool ready = false;  // the handshake is done
    bool failed = false;
    http::TlsSession::Wants wants = http::TlsSession::Wants::kNothing;
  };

  Interception(std::shared_ptr<const Credentials> credentials, const Place& place,
               std::unique_ptr<http::TlsSession> client, std::unique_ptr<http::TlsSession> upstream)
      : credentials_(std::move(credentials)),
        name_(place.name),
        exchange_(*credentials_, place.name, place.port),
        client_{.tls = std::move(client)},
        upstream_{.tls = std::move(upstream)} {}

  bool Round();
  bool Greet(Side& side, bool is_client);
  bool ReadClient();
  bool ReadUpstream();
  bool Write(Side& side, std::string& queue, uint64_t& count);
  void Finish(HttpExchange::End end);
  bool Drained() const;
  static uint32_t EventsOf(const Side& side, bool reads, bool writes);

  const std::shared_ptr<const Credentials> credentials_;
  const std::string name_;
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
