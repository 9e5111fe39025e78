#include "http/wire/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/units.h"

namespace cay::http {
namespace {

constexpr size_t kMinBytes = 1 * kKiB;
constexpr size_t kMaxBytes = 16 * kMiB;  // more is a download: not worth a processor
constexpr int kLevel = 4;                // answers are waited for
constexpr int kGzipWindow = 15 + 16;     // zlib.h: +16 for a gzip header

// ";q=0", ";q=0.000"
bool IsZeroWeight(std::string_view parameters) {
  const std::string_view text = Trim(parameters);
  if (!text.starts_with("q=") && !text.starts_with("Q=")) return false;
  return std::ranges::all_of(text.substr(2), [](char c) { return c == '0' || c == '.'; });
}

bool IsCompressible(std::string_view type) {
  type = Trim(type.substr(0, type.find(';')));
  constexpr std::array kTypes = {
      "application/json",     "application/javascript",   "application/xml",
      "application/x-ndjson", "application/problem+json", "application/wasm",
      "image/svg+xml"};
  return type.starts_with("text/") || type.ends_with("+json") || type.ends_with("+xml") ||
         std::ranges::find(kTypes, type) != kTypes.end();
}

}  // namespace

bool AcceptsGzip(const Headers& request_headers) {
  std::optional<bool> any;
  for (const auto& [name, value] : request_headers.fields()) {
    if (!EqualsIgnoringCase(name, "Accept-Encoding")) continue;
    for (const std::string_view item : Split(value, ',')) {
      const size_t semicolon = item.find(';');
      const std::string_view coding = Trim(item.substr(0, semicolon));
      const bool wanted =
          semicolon == std::string_view::npos || !IsZeroWeight(item.substr(semicolon + 1));
      if (EqualsIgnoringCase(coding, "gzip")) return wanted;
      if (coding == "*") any = wanted;
    }
  }
  return any.value_or(false);
}

bool IsWorthGzip(const Response& response) {
  if (response.body.size() < kMinBytes || response.body.size() > kMaxBytes) return false;
  if (response.status == 206 || response.headers.Find("Content-Encoding")) return false;
  const auto type = response.headers.Find("Content-Type");
  return type && IsCompressible(*type);
}

std::optional<std::string> Gzip(std::string_view bytes) {
  z_stream stream{};
  if (::deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return std::nullopt;
  }
  std::string packed(bytes.size(), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int result = ::deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  return packed;
}

}  // namespace cay::http
