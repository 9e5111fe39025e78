#include "http/client/location.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <boost/url/url_view.hpp>

#include "base/text.h"

namespace cay::http {
namespace {

// The text is not repeated: its query may be a signature.
Error NotALocation(std::string_view why) {
  return {ErrorCode::kInvalidArgument, Fault::kMachine,
          "an address is no URL that can be asked: " + std::string(why)};
}

Result<void> CheckText(std::string_view text) {
  if (text.size() > Location::kMaxBytes) return Failure(NotALocation("it is longer than 16 KiB"));
  if (!std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; }))
    return Failure(NotALocation("it has a space, or a character that is not ASCII"));
  return {};
}

}  // namespace

Result<Location> Location::Parse(std::string_view text) {
  TRY(CheckText(text));
  text = text.substr(0, text.find('#'));
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || (!EqualsIgnoringCase(text.substr(0, scheme), "https") &&
                                           !EqualsIgnoringCase(text.substr(0, scheme), "http")))
    return Failure(NotALocation("it begins with neither https:// nor http://"));
  const size_t end = text.find_first_of("/?", scheme + 3);
  auto url = Url::Parse(text.substr(0, end));
  if (!url) return Failure(NotALocation("it has no host, a user, or a wrong port"));
  Location location{.url = std::move(*url),
                    .target = end == std::string_view::npos ? "/" : std::string(text.substr(end))};
  location.url.host = Lower(location.url.host);
  if (!location.target.starts_with('/')) location.target.insert(0, 1, '/');
  if (!boost::urls::parse_origin_form(location.target))
    return Failure(NotALocation("its path or query has characters that none has"));
  return location;
}

Result<Location> Location::Resolve(std::string_view reference) const {
  TRY(CheckText(reference));
  const std::string base_text = url.ToString() + target;
  const auto base = boost::urls::parse_uri(base_text);
  const auto relative = boost::urls::parse_uri_reference({reference.data(), reference.size()});
  if (!base || !relative) return Failure(NotALocation("it is no reference of RFC 3986"));
  if (relative->has_scheme()) return Parse(reference);
  boost::urls::url resolved;
  if (!boost::urls::resolve(*base, *relative, resolved))
    return Failure(NotALocation("it is no reference of RFC 3986"));
  const boost::core::string_view whole = resolved.buffer();
  return Parse({whole.data(), whole.size()});
}

std::string Location::HostField() const {
  const std::string origin = url.ToString();
  const std::string authority = origin.substr(origin.find("://") + 3);
  const bool is_usual = url.port == (url.scheme == "https" ? 443 : 80);
  return is_usual ? authority.substr(0, authority.rfind(':')) : authority;
}

bool SameOrigin(const Url& one, const Url& other) {
  return one.scheme == other.scheme && one.port == other.port &&
         EqualsIgnoringCase(one.host, other.host);
}

}  // namespace cay::http
