// Requests and responses as handlers see them. No Beast, no Asio here: this header is what the rest
// of Cay includes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cay::http {

// Header fields in the order they came. Names compare without case (RFC 9110, 5.1).
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  void Add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
  }
  // Replaces every field of that name.
  void Set(std::string_view name, std::string value);
  void Remove(std::string_view name);
  // The same of a field that is a secret: its bytes are overwritten.
  void WipeAll(std::string_view name);
  // The first of that name.
  std::optional<std::string_view> Find(std::string_view name) const;
  // Whether a comma-separated list field names `token` (Connection, Accept-Encoding …).
  bool ListContains(std::string_view name, std::string_view token) const;

  const std::vector<Field>& fields() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

// Who is at the other end.
struct Peer {
  std::string address;    // "127.0.0.1", "::1", or "unix"
  bool loopback = false;  // 127.0.0.0/8, ::1, or a Unix socket
  bool unix_socket = false;
  bool tls = false;
  // The client in whose share of connections, and of requests that need no key, it counts: the
  // address, or for IPv6 the network of 64 bits that one customer has. Empty for this machine's own
  // addresses, which tell no clients apart.
  std::string client = {};
};

struct Request {
  std::string method;
  std::string target;  // as it was sent
  std::string path;    // target without its query, still percent-encoded
  std::vector<std::pair<std::string, std::string>> query;     // percent-decoded
  std::vector<std::pair<std::string, std::string>> captures;  // of the route; percent-decoded
  Headers headers;
  Peer peer;
  std::string id;  // X-Request-Id when it is [A-Za-z0-9._-]{1,64}, otherwise generated
  std::optional<uint64_t> content_length;
  bool has_body = false;
  std::shared_ptr<void> screened;  // what a Screen found out (intake.h)

  // The first of that name.
  std::optional<std::string_view> Query(std::string_view name) const;
  // A capture of the route that matched; the route names it, so it is there.
  const std::string& Capture(std::string_view name) const;
};

struct Response {
  int status = 200;
  Headers headers = {};  // Content-Length, Date and Connection are added when it is sent
  std::string body = {};
};

std::string_view ReasonPhrase(int status);

}  // namespace cay::http
