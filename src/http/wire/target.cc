#include "http/wire/target.h"

#include <algorithm>
#include <array>
#include <boost/url/encoding_opts.hpp>
#include <boost/url/pct_string_view.hpp>
#include <utility>

#include "base/text.h"

namespace cay::http {
namespace {

namespace urls = boost::urls;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Visible ASCII, and bytes over it: people do paste UTF-8 into addresses.
bool IsTargetCharacter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && c != '#';
}

Result<void> ParseQuery(std::string_view text, Target& target) {
  for (const std::string_view pair : Split(text, '&')) {
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    auto name = TRY(PercentDecode(pair.substr(0, equals), true));
    auto value = equals == std::string_view::npos
                     ? std::string()
                     : TRY(PercentDecode(pair.substr(equals + 1), true));
    target.query.emplace_back(std::move(name), std::move(value));
  }
  return {};
}

Result<void> ParseOriginForm(std::string_view text, Target& target) {
  const size_t question = text.find('?');
  target.path = text.substr(0, question);
  if (!PercentDecode(target.path)) {
    return Failure(Error::Invalid("the path is not percent-encoded as RFC 3986 has it"));
  }
  if (question != std::string_view::npos) TRY(ParseQuery(text.substr(question + 1), target));
  return {};
}

}  // namespace

Result<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  const auto encoded = urls::make_pct_string_view({text.data(), text.size()});
  if (!encoded) return Failure(Error::Invalid("a percent sign without two hexadecimal digits"));
  urls::encoding_opts options;
  options.space_as_plus = plus_is_space;
  std::string decoded = encoded->decode(options);
  if (decoded.find('\0') != std::string::npos) {
    return Failure(Error::Invalid("an encoded NUL"));
  }
  return decoded;
}

bool IsHost(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return IsAlphanumeric(c) || std::string_view("-._~:[]%").find(c) != std::string_view::npos;
  });
}

Result<Target> ParseTarget(std::string_view method, std::string_view target) {
  Target parsed;
  if (!std::ranges::all_of(target, IsTargetCharacter)) {
    return Failure(Error::Invalid("a character that may not be in a request target"));
  }
  if (method == "CONNECT") {
    if (target.empty() || !IsHost(target) || target.rfind(':') == std::string_view::npos) {
      return Failure(Error::Invalid("CONNECT takes HOST:PORT"));
    }
    parsed.authority = target;
    parsed.path = target;
    return parsed;
  }
  if (target == "*" && method == "OPTIONS") {
    parsed.path = target;
    return parsed;
  }
  if (target.starts_with('/')) {
    TRY(ParseOriginForm(target, parsed));
    return parsed;
  }
  for (const std::string_view scheme :
       {std::string_view("http://"), std::string_view("https://")}) {
    if (!EqualsIgnoringCase(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const size_t end = std::min(rest.find_first_of("/?"), rest.size());
    parsed.authority = rest.substr(0, end);
    if (parsed.authority.empty() || !IsHost(parsed.authority)) break;
    const std::string_view path = rest.substr(end);
    if (path.starts_with('/')) {
      TRY(ParseOriginForm(path, parsed));
    } else {
      TRY(ParseOriginForm("/" + std::string(path), parsed));
    }
    return parsed;
  }
  return Failure(Error::Invalid("the request target is neither a path nor an address"));
}

}  // namespace cay::http
