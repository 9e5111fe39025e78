// HttpServer: a `cay serve` of the benchmark's own, and what is asked of it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "http/client/client.h"

namespace cay::bench {

class HttpCaller;

// A port of the loopback that was free a moment ago.
Result<uint16_t> FreePort();

// The string member `key` of an answer; kProtocol without it.
Result<std::string> TextOf(const std::string& answer, std::string_view key);
// The same of a number.
Result<double> NumberOf(const std::string& answer, std::string_view key);

class HttpServer {
 public:
  // `options`: more of the command line (--pool …). Returns once it is ready.
  static Result<HttpServer> Start(const std::string& cay, const std::string& state_dir,
                                  const std::vector<std::string>& options = {});
  HttpServer(HttpServer&& other) noexcept;
  HttpServer& operator=(HttpServer&&) = delete;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  // Destroys what is left of its sandboxes, and ends it with SIGTERM.
  ~HttpServer();

  // SIGKILL.
  void Kill();
  // Until so many sandboxes wait in the pool.
  Result<void> AwaitPool(HttpCaller& caller, int ready) const;
  // Resident memory, of the server and its launcher together.
  Result<Bytes> Memory() const;
  const http::Url& url() const { return url_; }
  pid_t pid() const { return pid_; }

 private:
  HttpServer(pid_t pid, http::Url url) : pid_(pid), url_(std::move(url)) {}
  Result<void> AwaitReady(const std::string& log) const;
  void DestroyAll() const;

  pid_t pid_;
  http::Url url_;
};

// One keep-alive connection. For one thread.
class HttpCaller {
 public:
  static Result<HttpCaller> Open(const http::Url& url);

  // The body of the answer; kIo when its status is another.
  Result<std::string> Call(std::string_view method, const std::string& target,
                           const std::string& body, int status);
  struct Drained {
    Bytes bytes = 0;
    std::string tail;  // its last bytes, at most kTailBytes
  };
  static constexpr size_t kTailBytes = 4096;
  // Reads an answer with status 200 to its end.
  Result<Drained> Drain(http::ClientRequest request);
  // Sends so many zeros.
  Result<void> Upload(const std::string& target, Bytes size);

  // The id of a new sandbox.
  Result<std::string> CreateSandbox(const std::string& body);
  Result<void> DestroySandbox(const std::string& id);

 private:
  explicit HttpCaller(std::unique_ptr<http::Client> client) : client_(std::move(client)) {}
  Result<std::unique_ptr<http::ClientResponse>> Send(http::ClientRequest request, int status);
  std::unique_ptr<http::Client> client_;
};

}  // namespace cay::bench
