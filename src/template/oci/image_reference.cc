#include "template/oci/image_reference.h"

#include <arpa/inet.h>

#include <algorithm>

#include "archive/safe_path.h"
#include "base/text.h"
#include "base/units.h"

namespace cay::templates::oci {
namespace {

constexpr std::string_view kLocalhost = "localhost";
constexpr std::string_view kOfficial = "library/";
constexpr std::string_view kDefaultTag = "latest";

bool IsUpper(char letter) { return letter >= 'A' && letter <= 'Z'; }
bool IsDigit(char letter) { return letter >= '0' && letter <= '9'; }
bool IsSmallAlphanumeric(char letter) {
  return (letter >= 'a' && letter <= 'z') || IsDigit(letter);
}
bool IsAlphanumeric(char letter) { return IsSmallAlphanumeric(letter) || IsUpper(letter); }
bool IsTagLetter(char letter) {
  return IsAlphanumeric(letter) || letter == '_' || letter == '.' || letter == '-';
}

std::string Quoted(std::string_view text) { return "\"" + archive::Printable(text) + "\""; }

Failure Wrong(std::string why) { return Failure(Error::Invalid(std::move(why))); }

Result<void> CheckPort(std::string_view port) {
  const auto number = ParseUnsigned(port, 65'535);
  if (!number || *number == 0 || port.starts_with('0')) {
    return Wrong("the port " + Quoted(port) + " is not a number from 1 to 65535");
  }
  return {};
}

// What is between the dots of a host's name, and between the dots of an IPv4 address.
bool IsLabel(std::string_view label) {
  return !label.empty() && IsAlphanumeric(label.front()) && IsAlphanumeric(label.back()) &&
         std::ranges::all_of(label, [](char c) { return IsAlphanumeric(c) || c == '-'; });
}

// [2001:db8::1], without a zone and without an IPv4 address in it.
bool IsBracketedAddress(std::string_view host) {
  if (!host.starts_with('[') || !host.ends_with(']')) return false;
  const std::string address(host.substr(1, host.size() - 2));
  if (address.find_first_not_of("0123456789abcdefABCDEF:") != std::string::npos) return false;
  in6_addr parsed{};
  return ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

Result<void> CheckDomain(std::string_view domain) {
  const size_t bracket = domain.starts_with('[') ? domain.find(']') : 0;
  const size_t colon =
      bracket == std::string_view::npos ? std::string_view::npos : domain.find(':', bracket);
  const std::string_view host = domain.substr(0, colon);
  if (colon != std::string_view::npos) TRY(CheckPort(domain.substr(colon + 1)));
  if (domain.starts_with('[')) {
    if (!IsBracketedAddress(host)) return Wrong(Quoted(host) + " is not an IPv6 address");
    return {};
  }
  for (const std::string_view label : Split(host, '.')) {
    if (!IsLabel(label)) return Wrong(Quoted(host) + " is not the name of a registry's host");
  }
  return {};
}

// alpha-numeric [separator alpha-numeric]*, of which a separator is '.', '_', "__" or any number of
// '-'.
bool IsComponent(std::string_view component) {
  while (true) {
    const auto* word = std::ranges::find_if_not(component, IsSmallAlphanumeric);
    if (word == component.begin()) return false;
    component.remove_prefix(static_cast<size_t>(word - component.begin()));
    if (component.empty()) return true;
    const char first = component.front();
    size_t separator = 1;
    if (first == '-') {
      separator = std::min(component.find_first_not_of('-'), component.size());
    } else if (component.starts_with("__")) {
      separator = 2;
    } else if (first != '.' && first != '_') {
      return false;
    }
    component.remove_prefix(separator);
  }
}

Result<void> CheckPath(std::string_view path) {
  for (const std::string_view component : Split(path, '/')) {
    if (component.empty()) return Wrong("the name " + Quoted(path) + " has an empty part");
    if (std::ranges::any_of(component, IsUpper)) {
      return Wrong("the name " + Quoted(path) + " must be in lower case");
    }
    if (!IsComponent(component)) {
      return Wrong(Quoted(component) +
                   " is not a part of an image's name: letters and digits, between them '.', '_', "
                   "'__' or any number of '-'");
    }
  }
  return {};
}

struct SplitName {
  std::string domain;
  std::string_view rest;  // path, and the tag
};

// Docker's rule for what is before the first '/'.
Result<SplitName> SplitDomain(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view first = text.substr(0, slash);
  if (slash == std::string_view::npos) return SplitName{std::string(kDefaultDomain), text};
  const std::string_view rest = text.substr(slash + 1);
  const std::string lower = Lower(first);
  if (lower == "index." + std::string(kDefaultDomain)) {  // what it was called before
    return SplitName{std::string(kDefaultDomain), rest};
  }
  if (lower == kLocalhost || first.find_first_of(".:") != std::string_view::npos) {
    TRY(CheckDomain(first));
    return SplitName{lower, rest};
  }
  if (std::ranges::any_of(first, IsUpper)) {
    return Wrong(Quoted(first) +
                 " is in upper case, as no name of an image is, and has neither '.' nor ':', as a "
                 "registry's has");
  }
  return SplitName{std::string(kDefaultDomain), text};
}

Result<ImageReference> ParseParts(std::string_view text) {
  ImageReference reference;
  const size_t at = text.find('@');
  if (at != std::string_view::npos) {
    reference.digest = TRY(Digest::Parse(text.substr(at + 1)));
    text = text.substr(0, at);
  }
  const SplitName split = TRY(SplitDomain(text));
  const size_t colon = split.rest.find(':');
  reference.domain = split.domain;
  reference.path = split.rest.substr(0, colon);
  TRY(CheckPath(reference.path));
  if (reference.domain == kDefaultDomain && !reference.path.contains('/')) {
    reference.path = std::string(kOfficial) + reference.path;
  }
  if (reference.Name().size() > ImageReference::kMaxName) {
    return Wrong("the name is longer than " + std::to_string(ImageReference::kMaxName) + " bytes");
  }
  if (colon != std::string_view::npos) {
    reference.tag = split.rest.substr(colon + 1);
    if (!IsTag(reference.tag)) {
      return Wrong(Quoted(reference.tag) + " is not a tag: at most " +
                   std::to_string(ImageReference::kMaxTag) +
                   " letters, digits, '_', '.' and '-', the first neither '.' nor '-'");
    }
  } else if (!reference.digest) {
    reference.tag = kDefaultTag;
  }
  return reference;
}

Result<ImageReference> ParseText(std::string_view text) {
  if (text.empty()) return Wrong("it is empty");
  if (text.size() > ImageReference::kMaxText) {
    return Wrong("it is longer than " + std::to_string(ImageReference::kMaxText) + " bytes");
  }
  if (text.contains("://")) return Wrong("a reference has no scheme before it");
  // 64 hexadecimal letters are how Docker shows an image's id, which no registry knows.
  if (Digest::Parse("sha256:" + std::string(text)) || Digest::Parse(text)) {
    return Wrong("a digest alone does not say which repository is meant");
  }
  return ParseParts(text);
}

}  // namespace

bool IsTag(std::string_view text) {
  return !text.empty() && text.size() <= ImageReference::kMaxTag && text.front() != '.' &&
         text.front() != '-' && std::ranges::all_of(text, IsTagLetter);
}

Result<ImageReference> ImageReference::Parse(std::string_view text) {
  auto reference = ParseText(text);
  if (!reference) {
    return Failure(std::move(reference).error().WithContext("the image reference " + Quoted(text)));
  }
  return reference;
}

std::string ImageReference::Name() const { return domain + "/" + path; }

std::string ImageReference::Canonical() const {
  std::string text = Name();
  if (!tag.empty()) text += ":" + tag;
  if (digest) text += "@" + digest->text();
  return text;
}

std::string ImageReference::Familiar() const {
  std::string canonical = Canonical();
  const std::string prefix = std::string(kDefaultDomain) + "/";
  if (!canonical.starts_with(prefix)) return canonical;
  const std::string_view rest = std::string_view(canonical).substr(prefix.size());
  // Not every short form means the same: "docker.io/my.site/app" without its domain would be
  // another registry's.
  for (const std::string_view skipped : {kOfficial, std::string_view()}) {
    if (!rest.starts_with(skipped)) continue;
    const std::string_view shorter = rest.substr(skipped.size());
    if (const auto again = Parse(shorter); again && *again == *this) return std::string(shorter);
  }
  return canonical;
}

}  // namespace cay::templates::oci
