// Download: a file at a URL, fetched by a process that runs in a sandbox of its own (fetch.h) and
// tells, a line of JSON for each, what becomes of it.
//
//   const Downloaded done = TRY(Download({.url = url, .max_bytes = kGiB}, into, tell));
//
// What the server sends is kept as it is: no coding of it is asked for, and none is undone.
// Redirects are followed, kMaxRedirects of them, to http and https alone; from https to http only
// where the content is pinned by a digest. Credentials are for the URL's own scheme, host and port.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::build {

inline constexpr size_t kMaxRedirects = 10;

struct DownloadRequest {
  std::string url{};            // http or https, without a user
  std::string authorization{};  // a field's value; empty: none
  Bytes max_bytes = 0;
  bool is_pinned = false;     // whoever asks knows the content's digest, and checks it
  std::string authorities{};  // a file (PEM): all that are trusted; empty: the system's
  Millis connect_timeout{30'000};
  Millis head_timeout{60'000};
  // Of the body: nothing comes for so long, or fewer bytes a second over a window of waiting.
  Millis stall{60'000};
  uint64_t min_bytes_per_second = 256;
  Millis window{60'000};
};

struct Downloaded {
  Bytes bytes = 0;
  std::optional<int64_t> modified_unix{};  // Last-Modified, in seconds
};

// How far it is. Of Content-Length where there is one.
struct DownloadProgress {
  Bytes bytes = 0;
  std::optional<Bytes> of{};
};
struct DownloadTold {
  std::function<void(const DownloadProgress&)> progress{};  // about once a second
  std::function<void(const std::string& note)> note{};      // "redirected to https://…"
};

// `into`: for writing, empty. kNotFound, kPermissionDenied, kUnavailable and kProtocol by what the
// server answers; kLimitTooHigh; kTimeout. Messages name servers by scheme, host and port, and have
// neither paths nor queries, in which redirects carry signatures. Blocking.
Result<Downloaded> Download(const DownloadRequest& request, const Fd& into,
                            const DownloadTold& told);

}  // namespace cay::build
