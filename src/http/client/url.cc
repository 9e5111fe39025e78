// Url: where a server is.
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/units.h"
#include "http/client/client.h"

namespace cay::http {
namespace {

Error NotAnUrl(std::string_view text) {
  return Error::Invalid("\"" + std::string(text) + "\" is not the address of a server")
      .WithRemedy("write http://HOST:PORT, https://HOST:PORT or unix:/PATH");
}

}  // namespace

Result<Url> Url::Parse(std::string_view text) {
  Url url;
  if (text.starts_with("unix:")) {
    url.scheme = "unix";
    url.path = text.substr(5);
    if (url.path.starts_with("///")) url.path.erase(0, 2);  // unix:///run/cay.sock
    const bool good = url.path.starts_with('/') && !url.path.starts_with("//") &&
                      url.path.find('\0') == std::string::npos;
    if (!good) return Failure(NotAnUrl(text));
    return url;
  }
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return Failure(NotAnUrl(text));
  const boost::urls::url_view& view = *parsed;
  const bool tls = view.scheme_id() == boost::urls::scheme::https;
  const auto path = view.encoded_path();
  if ((!tls && view.scheme_id() != boost::urls::scheme::http) || view.has_userinfo() ||
      view.has_query() || view.has_fragment() || (!path.empty() && path != "/") ||
      view.encoded_host().empty()) {
    return Failure(NotAnUrl(text));
  }
  // No name that can be looked up needs escapes; decoded they could be a line of the head.
  if (view.encoded_host().contains('%') || view.host_type() == boost::urls::host_type::ipvfuture)
    return Failure(NotAnUrl(text));
  url.scheme = tls ? "https" : "http";
  url.host = view.host_address();  // without brackets
  url.port = tls ? 443 : 80;
  if (view.has_port()) {
    const auto port = ParseUnsigned({view.port().data(), view.port().size()}, UINT16_MAX);
    if (!port || *port == 0) return Failure(NotAnUrl(text));
    url.port = static_cast<uint16_t>(*port);
  }
  return url;
}

std::string Url::ToString() const {
  if (scheme == "unix") return "unix:" + path;
  const bool six = host.find(':') != std::string::npos;
  return scheme + "://" + (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace cay::http
