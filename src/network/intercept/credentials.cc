#include "network/intercept/credentials.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/encoding.h"
#include "base/text.h"
#include "http/wire/serialize.h"
#include "network/policy/rule.h"

namespace cay::network {
namespace {

constexpr std::string_view kHole = "{}";
constexpr std::string_view kBasic = "Basic ";

// What says how a message goes on, or where it goes to, is not a secret's.
constexpr std::array<std::string_view, 9> kReserved = {
    "Host",    "Connection",       "Content-Length", "Transfer-Encoding", "TE", "Trailer",
    "Upgrade", "Proxy-Connection", "Expect"};

bool IsReserved(std::string_view header) {
  return std::ranges::any_of(
      kReserved, [&](std::string_view name) { return EqualsIgnoringCase(header, name); });
}

bool IsOf(const Secret& secret, std::string_view name, uint16_t port) {
  return std::ranges::any_of(secret.hosts, [&](const std::string& text) {
    const auto host = ParseSecretHost(text);
    return host && host->name == name && host->port == port;
  });
}

// Where its value goes.
bool IsFor(const Secret& secret, std::string_view name, uint16_t port) {
  return !secret.revoked && IsOf(secret, name, port);
}

std::string ReplaceAll(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

// What is in the credentials of Basic; nothing: they are none.
std::optional<std::string> BasicOf(std::string_view value) {
  if (value.size() <= kBasic.size() || !EqualsIgnoringCase(value.substr(0, kBasic.size()), kBasic))
    return std::nullopt;
  auto decoded = DecodeBase64(Trim(value.substr(kBasic.size())));
  if (!decoded) return std::nullopt;
  return *std::move(decoded);
}

Result<void> CheckName(std::string_view name) {
  const bool good = !name.empty() && name.size() <= Secret::kMaxName && name[0] != '-' &&
                    name[0] != '.' && std::ranges::all_of(name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') ||
                             std::string_view("._-").find(c) != std::string_view::npos;
                    });
  if (good) return {};
  return Failure(Error::Invalid("not the name of a secret")
                     .WithRemedy("use up to " + std::to_string(Secret::kMaxName) +
                                 " letters, digits and . _ -, beginning with a letter or digit"));
}

}  // namespace

Result<std::string> MakePlaceholder() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<unsigned char, kPlaceholderBytes - kPlaceholderPrefix.size()> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return Failure(Error::FromErrno("random bytes"));
  std::string made(kPlaceholderPrefix);
  for (const unsigned char byte : bytes) made += kLetters[byte % kLetters.size()];
  return made;
}

Result<SecretHost> ParseSecretHost(std::string_view text) {
  const auto wrong = [&] {
    return Failure(Error::Invalid("\"" + std::string(text.substr(0, Secret::kMaxHost)) +
                                  "\" is not a host of a secret")
                       .WithRemedy("write a name, as in api.example.com, or a name and a port, as "
                                   "in api.example.com:8443"));
  };
  if (text.size() > Secret::kMaxHost || !IsUtf8(text)) return wrong();
  SecretHost host;
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), host.port);
    if (error != std::errc() || end != port.data() + port.size() || host.port == 0) return wrong();
    text = text.substr(0, colon);
  }
  const auto name = NormalName(text);
  if (!name || Address::Parse(text) || IsHostName(*name)) return wrong();
  host.name = *name;
  return host;
}

namespace {

// There is nothing of it but its name, its placeholder and where it went.
Result<void> CheckRevoked(const Secret& secret) {
  TRY(CheckName(secret.name));
  for (const std::string& host : secret.hosts) TRY(ParseSecretHost(host));
  if (secret.value.empty() && secret.hosts.size() <= Secret::kMaxHosts) return {};
  return Failure(Error::Invalid("the secret \"" + secret.name + "\" was revoked, and has a value"));
}

}  // namespace

Result<void> CheckSecret(const Secret& secret) {
  TRY(CheckName(secret.name));
  const auto wrong = [&](std::string what) {
    return Failure(Error::Invalid("the secret \"" + secret.name + "\" " + std::move(what)));
  };
  if (secret.hosts.empty() || secret.hosts.size() > Secret::kMaxHosts)
    return wrong("needs 1 to " + std::to_string(Secret::kMaxHosts) + " hosts");
  for (const std::string& host : secret.hosts) TRY(ParseSecretHost(host));
  const bool is_header = http::IsFieldName(secret.header) &&
                         secret.header.size() <= Secret::kMaxHeader && !IsReserved(secret.header);
  if (!secret.header.empty() && !is_header) return wrong("names no header that it could be in");
  if (!secret.format.empty()) {
    if (secret.header.empty()) return wrong("has a format, and no header");
    if (secret.format.size() > Secret::kMaxFormat || !http::IsFieldText(secret.format) ||
        secret.format.find(kHole) == std::string::npos ||
        secret.format.find(kHole) != secret.format.rfind(kHole))
      return wrong("has a format that is not one line with one {} for its value");
  }
  if (secret.value.empty() || secret.value.size() > Secret::kMaxValue)
    return wrong("needs a value of 1 to " + std::to_string(Secret::kMaxValue) + " bytes");
  if (!http::IsFieldText(secret.value) || Trim(secret.value).size() != secret.value.size())
    return wrong(
        "has a value that cannot stand in a header: with control characters, or spaces "
        "around it");
  return {};
}

Result<Credentials> Credentials::Compile(std::vector<Secret> secrets) {
  if (secrets.size() > Secret::kMostOfASandbox) {
    return Failure(Error::Invalid("more than " + std::to_string(Secret::kMostOfASandbox) +
                                  " secrets of one sandbox"));
  }
  std::set<std::string_view> seen;
  for (const Secret& secret : secrets) {
    TRY(secret.revoked ? CheckRevoked(secret) : CheckSecret(secret));
    if (secret.placeholder.size() != kPlaceholderBytes ||
        !secret.placeholder.starts_with(kPlaceholderPrefix))
      return Failure(Error::Invalid("the secret \"" + secret.name + "\" has no placeholder"));
    if (!seen.insert(secret.name).second || !seen.insert(secret.placeholder).second)
      return Failure(Error::Invalid("the secret \"" + secret.name + "\" is there twice"));
  }
  Credentials compiled;
  compiled.secrets_ = std::move(secrets);
  return compiled;
}

bool Credentials::Covers(std::string_view name, uint16_t port) const {
  return std::ranges::any_of(secrets_,
                             [&](const Secret& secret) { return IsOf(secret, name, port); });
}

std::optional<std::string> Credentials::Found(std::string_view text) const {
  return Foreign({}, 0, text);
}

std::optional<std::string> Credentials::Foreign(std::string_view name, uint16_t port,
                                                std::string_view text) const {
  for (size_t at = text.find(kPlaceholderPrefix); at != std::string_view::npos;
       at = text.find(kPlaceholderPrefix, at + 1)) {
    const std::string_view found = text.substr(at, kPlaceholderBytes);
    for (const Secret& secret : secrets_) {
      if (secret.placeholder == found && !IsFor(secret, name, port)) return secret.name;
    }
  }
  return std::nullopt;
}

std::string Credentials::Misplaced(std::string_view secret, std::string_view host) const {
  const auto found = std::ranges::find(secrets_, secret, &Secret::name);
  const bool revoked = found != secrets_.end() && found->revoked;
  return "the placeholder of the secret \"" + std::string(secret) + "\", which " +
         (revoked ? "was revoked" : "is not for " + std::string(host));
}

// Of a value without foreign placeholders.
std::string Credentials::Filled(std::string_view name, uint16_t port, const std::string& header,
                                std::string value) const {
  for (const Secret& secret : secrets_) {
    if (!secret.header.empty() && !EqualsIgnoringCase(secret.header, header)) continue;
    if (!IsFor(secret, name, port)) continue;
    if (auto basic = BasicOf(value)) {
      if (basic->find(secret.placeholder) == std::string::npos) continue;
      const std::string inside = ReplaceAll(*std::move(basic), secret.placeholder, secret.value);
      value = std::string(kBasic) + EncodeBase64(inside);
      continue;
    }
    if (value.find(secret.placeholder) == std::string::npos) continue;
    value = secret.format.empty() ? ReplaceAll(std::move(value), secret.placeholder, secret.value)
                                  : ReplaceAll(secret.format, kHole, secret.value);
  }
  return value;
}

Result<void> Credentials::Fill(std::string_view name, uint16_t port, http::Headers& headers) const {
  http::Headers filled;
  for (const auto& [header, value] : headers.fields()) {
    const auto basic = BasicOf(value);
    auto foreign = Foreign(name, port, value);
    if (!foreign) foreign = Foreign(name, port, header);
    if (!foreign && basic) foreign = Foreign(name, port, *basic);
    if (foreign) {
      return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                           "a header has " + Misplaced(*foreign, name)));
    }
    filled.Add(header, IsReserved(header) ? value : Filled(name, port, header, value));
  }
  headers = std::move(filled);
  return {};
}

std::optional<std::string> ForeignScan::Add(std::string_view piece) {
  // Across the border: the end of what was, and as much as a placeholder could still need.
  std::string joined = tail_ + std::string(piece.substr(0, kPlaceholderBytes - 1));
  if (auto found = credentials_.Foreign(name_, port_, joined)) return found;
  if (auto found = credentials_.Foreign(name_, port_, piece)) return found;
  std::string_view last = piece.size() >= kPlaceholderBytes - 1 ? piece : joined;
  tail_ = last.substr(last.size() - std::min(last.size(), kPlaceholderBytes - 1));
  return std::nullopt;
}

}  // namespace cay::network
