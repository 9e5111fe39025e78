// Server: listens, parses, bounds; hands each request to one handler. Knows nothing of sandboxes.
//
//   auto server = TRY(http::Server::Start(options, [&](http::Exchange& e) { Dispatch(e); }));
//   …
//   server->Drain(Millis(10'000));    // no new connections; those under way may finish
//
// Threads wait on one epoll together; the one that gets a connection with a whole request runs the
// handler (the others take over the waiting). An idle connection costs a descriptor and its buffer,
// no thread; nor does one whose request still comes. The Screen decides what is done with a request
// before its handler is called (intake.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "http/server/intake.h"
#include "http/server/router.h"

namespace cay::http {

// "127.0.0.1:8888", "[::1]:8888", "localhost:8888", "unix:/run/cay.sock".
struct ListenAddress {
  std::string host;       // an address; empty for unix
  uint16_t port = 0;      // 0: any, see Server::addresses
  std::string unix_path;  // a stale socket there is replaced, anything else refused
  bool loopback() const;
  std::string ToString() const;
  static Result<ListenAddress> Parse(std::string_view text);
};

struct TlsOptions {
  std::string certificate_file;  // PEM: the chain
  std::string key_file;          // PEM
  bool enabled() const { return !certificate_file.empty(); }
};

struct ServerLimits {
  size_t max_connections = 16'384;
  // Of one address; those of this machine only count in all.
  size_t max_connections_per_client = 4096;
  size_t max_active = 1024;               // requests under way; more get 503 with Retry-After
  size_t max_active_per_client = 512;     // as Intake::client has it; more get 429
  uint64_t max_bodies_held = 256 * kMiB;  // taken in before their handlers; one client: a quarter
  size_t max_header_bytes = 32 * 1024;    // 431
  size_t max_target_bytes = 8 * 1024;     // 414
  uint64_t max_body_bytes = 16 * kMiB;    // 413; handlers that stream raise it for themselves
  Millis header_timeout{10'000};          // from a head's first byte to its end; 408
  Millis idle_timeout{300'000};           // of a connection between requests
  Millis stall_timeout{30'000};           // a client that sends or takes nothing for so long
  uint64_t min_bytes_per_second = 1024;   // of a body, averaged over 10 s after the first 10 s
  size_t max_websocket_message = 1 * kMiB;
  uint16_t unix_mode = 0660;
};

struct ServerOptions {
  std::vector<ListenAddress> listen;
  TlsOptions tls;  // of TCP listeners
  ServerLimits limits;
};

// Counted since the start.
struct ServerCounters {
  std::atomic<uint64_t> connections_accepted{0};
  std::atomic<uint64_t> connections_open{0};
  std::atomic<uint64_t> connections_refused{0};  // over a maximum
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> requests_active{0};
  std::atomic<uint64_t> bad_requests{0};  // refused before a handler saw them
  std::atomic<uint64_t> timeouts{0};
  std::atomic<uint64_t> threads{0};
};

class Server {
 public:
  // Listens and serves from here on. kAlreadyExists-like errors name the address that is taken.
  // Without a screen every handler reads its body as it comes.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler,
                                               Screen screen = {});
  // Closes all connections at once.
  virtual ~Server() = default;

  // What it listens on, with the ports it got.
  virtual std::vector<ListenAddress> addresses() const = 0;
  virtual const ServerCounters& counters() const = 0;
  // New certificates from the same files; the old ones stay when these are not good.
  virtual Result<void> ReloadTls() = 0;
  // Stops listening; waits for requests under way, at most so long; closes the rest. Handlers of
  // streams without an end watch Exchange::ending_fd(), and end by themselves.
  virtual void Drain(Millis patience) = 0;
  virtual bool draining() const = 0;
};

}  // namespace cay::http
