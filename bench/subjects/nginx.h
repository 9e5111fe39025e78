// Nginx: a server of files to measure uploads and downloads against (WebDAV's PUT, and GET).
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "base/result.h"
#include "http/client/client.h"

namespace cay::bench {

class Nginx {
 public:
  // On a port of the loopback, with its files and its configuration under `directory`. kNotFound
  // when it is not installed.
  static Result<Nginx> Start(const std::string& directory);
  Nginx(Nginx&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), url_(std::move(other.url_)) {}
  Nginx& operator=(Nginx&&) = delete;
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  ~Nginx();

  const http::Url& url() const { return url_; }

 private:
  Nginx(pid_t pid, http::Url url) : pid_(pid), url_(std::move(url)) {}
  pid_t pid_;
  http::Url url_;
};

}  // namespace cay::bench
