// Client: HTTP/1.1 to one server, for the command line: TCP, TLS or a Unix socket; keep-alive;
// bodies as streams both ways. Blocking, for one thread.
//
//   Client client = TRY(Client::Open(TRY(Url::Parse("http://127.0.0.1:8888"))));
//   ClientResponse response = TRY(client.Send({.method = "GET", .target = "/api/sandboxes"}));
//   std::string body = TRY(response.ReadAll(1 * kMiB));
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "http/exchange.h"
#include "http/message.h"

namespace cay::http {

class TlsContext;

// http://HOST:PORT, https://HOST:PORT, unix:/PATH.
struct Url {
  std::string scheme;  // "http", "https", "unix"
  std::string host;
  uint16_t port = 0;
  std::string path;  // of the Unix socket
  // Connects to this numeric address instead of looking `host` up: a caller that has checked an
  // address gets no other. The Host header and TLS still go by `host`.
  std::string address = {};
  static Result<Url> Parse(std::string_view text);
  std::string ToString() const;
};

// How slow the body of a response may be: nothing comes for so long, or fewer bytes a second than
// that over a window of so much waiting (the first window is let pass). kTimeout.
struct BodyPatience {
  Millis stall{30'000};
  uint64_t min_bytes_per_second = 0;  // 0: any
  Millis window{10'000};
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers = {};
  std::string body = {};
  // A streamed body instead: fills a part of the space, 0 at its end. Chunked unless the length is
  // known.
  std::function<Result<size_t>(std::span<char>)> source = {};
  std::optional<uint64_t> source_length = std::nullopt;
  // How long the response's head may take once there is a connection; kTimeout. Nothing: any time.
  std::optional<Millis> timeout = std::nullopt;
  // Nothing: the body may take any time.
  std::optional<BodyPatience> body_patience = std::nullopt;
  // While this descriptor is readable (Wakeup::fd()) nobody wants it any more: connecting, sending
  // and waiting for head and body end with an error whose sys_errno is ECANCELED. -1: none. The
  // caller keeps it until the response is destroyed.
  int stop_fd = -1;
};

class ClientResponse {
 public:
  virtual ~ClientResponse() = default;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  // The next piece; 0 at its end. A body that is cut short is kUnavailable.
  virtual Result<size_t> Read(std::span<char> space) = 0;
  // What has come of it, without waiting; nothing when nothing has: poll(fd()) tells when more
  // comes.
  virtual Result<std::optional<size_t>> TryRead(std::span<char> space) = 0;
  Result<std::string> ReadAll(size_t max_bytes);
  virtual int fd() const = 0;
};

class Client {
 public:
  // Connects at the first request. kUnavailable when no server listens. `ca_file`: PEM; the
  // authorities that may sign an https server's certificate. Empty: those that the system trusts.
  static Result<std::unique_ptr<Client>> Open(const Url& url,
                                              Millis connect_timeout = Millis(10'000),
                                              const std::string& ca_file = {});
  // With certificates that are looked at once for many clients; null for a url that is not https.
  static std::unique_ptr<Client> OpenWith(const Url& url, Millis connect_timeout,
                                          std::shared_ptr<TlsContext> tls);
  virtual ~Client() = default;

  // One at a time: the response before it must have been read or destroyed. A keep-alive connection
  // that the server has closed meanwhile is opened again when the request can be repeated.
  virtual Result<std::unique_ptr<ClientResponse>> Send(ClientRequest request) = 0;
  // A WebSocket on a connection of its own. When the server answers with something else than 101,
  // that is the error: kNotFound, kPermissionDenied or kProtocol, its message ends with the status
  // and the answer's body.
  virtual Result<std::unique_ptr<WebSocket>> OpenWebSocket(std::string_view target,
                                                           const Headers& headers) = 0;
};

}  // namespace cay::http
