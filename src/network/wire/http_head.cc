#include "network/wire/http_head.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"
#include "network/policy/address.h"

namespace cay::network {
namespace {

constexpr std::string_view kScheme = "http://";

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 9110, 5.6.2: of methods and names of fields.
bool IsTokenCharacter(char c) {
  return IsAlphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// RFC 9112, 3: where lenient servers split the request line, and what some of them skip before it.
bool IsWhitespace(char c) {
  return std::string_view(" \t\r\n\v\f").find(c) != std::string_view::npos;
}

// By what stands before the first byte that is no part of a method.
Peek Recognize(std::string_view bytes) {
  const auto end = std::ranges::find_if_not(bytes, IsTokenCharacter);
  if (end == bytes.end()) return Peek::kMore;
  if (end == bytes.begin()) return IsWhitespace(*end) ? Peek::kBad : Peek::kOther;
  if (*end == ' ') return Peek::kFound;
  if (*end == '\n' || !IsWhitespace(*end)) return Peek::kOther;
  if (*end != '\r') return Peek::kBad;
  if (end + 1 == bytes.end()) return Peek::kMore;
  return end[1] == '\n' ? Peek::kOther : Peek::kBad;  // a line of one word, or a CR for a space
}

struct Line {
  Peek peek;
  std::string_view text{};  // without its CR LF, where `peek` is kFound
};

Line TakeLine(std::string_view& rest) {
  for (size_t i = 0; i < rest.size(); ++i) {
    const auto byte = static_cast<unsigned char>(rest[i]);
    if (byte == '\r') {
      if (i + 1 == rest.size()) return {Peek::kMore};
      if (rest[i + 1] != '\n') return {Peek::kBad};
      const std::string_view text = rest.substr(0, i);
      rest.remove_prefix(i + 2);
      return {Peek::kFound, text};
    }
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return {Peek::kBad};
  }
  return {Peek::kMore};
}

// Nothing, or ":" and a number, which RFC 3986 (3.2.3) lets be empty.
bool IsPort(std::string_view text) {
  if (text.empty() || text == ":") return true;
  if (text.front() != ':') return false;
  text.remove_prefix(1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && text.size() <= 5;
}

// The host of "host", "host:port" or "[address]:port"; nothing for what is none of them. Of RFC
// 3986's names only those are taken that a rule of a policy could name: without "%61" and the like.
std::optional<std::string> HostOf(std::string_view authority) {
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos || !IsPort(authority.substr(end + 1))) return std::nullopt;
    const std::string_view text = authority.substr(1, end - 1);
    const auto address = Address::Parse(text);
    if (!address || address->family() != Family::kV6) return std::nullopt;
    return Lower(text);
  }
  const std::string_view host = authority.substr(0, authority.find(':'));
  const bool said = std::ranges::all_of(
      host, [](char c) { return IsAlphanumeric(c) || c == '-' || c == '_' || c == '.'; });
  if (host.empty() || host.size() > RequestHead::kMaxHost || !said) return std::nullopt;
  if (!IsPort(authority.substr(host.size()))) return std::nullopt;
  return Lower(host);
}

struct RequestLine {
  Peek peek;
  std::string host{};  // of the target; empty: it names none
  bool http_1_0 = false;
};

// RFC 9112, 3.2: the host of a target of one of the four forms; "" where it has none, nothing for a
// target of another form.
std::optional<std::string> HostOfTarget(std::string_view method, std::string_view target) {
  // A line can have both, a target neither. Bytes over ASCII are not RFC 9112's either, but curl
  // sends a path as it was typed.
  if (target.find_first_of("\t#") != std::string_view::npos) return std::nullopt;
  if (method == "CONNECT") {
    const size_t colon = target.rfind(':');
    const bool has_port = colon != std::string_view::npos && colon + 1 < target.size();
    return has_port && target.back() != ']' ? HostOf(target) : std::nullopt;
  }
  if (target.starts_with('/') || (target == "*" && method == "OPTIONS")) return std::string();
  if (!EqualsIgnoringCase(target.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  target.remove_prefix(kScheme.size());
  return HostOf(target.substr(0, target.find_first_of("/?")));
}

RequestLine ReadRequestLine(std::string_view line) {
  if (line == "PRI * HTTP/2.0") return {Peek::kOther};  // RFC 9113, 3.4
  const std::vector<std::string_view> parts = Split(line, ' ');
  if (parts.size() != 3) return {Peek::kBad};
  const bool http_1_0 = parts[2] == "HTTP/1.0";
  if (!http_1_0 && parts[2] != "HTTP/1.1") return {Peek::kBad};
  auto host = HostOfTarget(parts[0], parts[1]);
  if (!host) return {Peek::kBad};
  return {Peek::kFound, *std::move(host), http_1_0};
}

struct Fields {
  Peek peek;
  std::optional<std::string> host{};  // the field's; empty: its value is
};

Fields ReadFields(std::string_view rest) {
  Fields fields{Peek::kFound};
  while (true) {
    const Line line = TakeLine(rest);
    if (line.peek != Peek::kFound) return {line.peek};
    if (line.text.empty()) return fields;
    // A name of one byte at least, and so no line that is folded, and no space before the colon.
    const std::string_view name = line.text.substr(0, line.text.find(':'));
    const bool is_field = !name.empty() && name.size() < line.text.size() &&
                          std::ranges::all_of(name, IsTokenCharacter);
    if (!is_field) return {Peek::kBad};
    if (!EqualsIgnoringCase(name, "Host")) continue;
    if (fields.host) return {Peek::kBad};
    const std::string_view value = Trim(line.text.substr(name.size() + 1));
    fields.host = value.empty() ? std::string() : HostOf(value);
    if (!fields.host) return {Peek::kBad};
  }
}

Peek Read(std::string_view bytes, RequestHead& head) {
  const Peek beginning = Recognize(bytes);
  if (beginning != Peek::kFound) return beginning;
  const Line first = TakeLine(bytes);
  if (first.peek != Peek::kFound) return first.peek;
  RequestLine line = ReadRequestLine(first.text);
  if (line.peek != Peek::kFound) return line.peek;
  Fields fields = ReadFields(bytes);
  if (fields.peek != Peek::kFound) return fields.peek;
  if (!fields.host && !line.http_1_0) return Peek::kBad;
  if (!line.host.empty() && fields.host && *fields.host != line.host) return Peek::kBad;
  head.host = line.host.empty() ? std::move(fields.host).value_or("") : std::move(line.host);
  return Peek::kFound;
}

}  // namespace

Peek ReadRequestHead(std::string_view bytes, RequestHead& head) {
  const Peek peek = Read(bytes.substr(0, kMaxPeek), head);
  return peek == Peek::kMore && bytes.size() >= kMaxPeek ? Peek::kBad : peek;
}

}  // namespace cay::network
