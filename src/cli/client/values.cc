#include "cli/client/values.h"

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/clock.h"
#include "base/encoding.h"
#include "cli/frame/console.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

// Deeper JSON than any answer of the server's is refused.
constexpr size_t kMaxDepth = 32;

std::optional<int> Digits(std::string_view text, size_t at, size_t count) {
  if (text.size() < at + count) return std::nullopt;
  const Result<uint64_t> number = ParseUnsigned(text.substr(at, count));
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

std::string CellOf(const json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get_string().empty() ? "-" : OneLine(value.get_string());
  if (!value.is_array()) return OneLine(json::serialize(value));
  std::string cell;
  for (const json::value& element : value.get_array()) {
    cell.append(cell.empty() ? "" : " ").append(CellOf(element));
  }
  return cell.empty() ? "-" : cell;
}

// In JSON such characters stand in strings alone.
std::string EscapeControls(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_pair = text[i] == '\xC2' && i + 1 < text.size();
    const auto byte = static_cast<unsigned char>(text[is_pair ? i + 1 : i]);
    const bool is_control = byte == 0x7F || (is_pair && byte < 0xA0);
    if (!is_control) {
      out.push_back(text[i]);
      continue;
    }
    out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    if (is_pair) ++i;
  }
  return out;
}

// 94.1, where the library writes 9.41E1.
std::string ScalarJson(const json::value& value) {
  if (!value.is_double()) return json::serialize(value);
  std::array<char, 32> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value.get_double());
  return error == std::errc() ? std::string(text.data(), end) : json::serialize(value);
}

void AppendPretty(std::string& out, const json::value& value, size_t indent) {
  const bool is_object = value.is_object() && !value.get_object().empty();
  const bool is_array = value.is_array() && !value.get_array().empty();
  if (!is_object && !is_array) {
    out += ScalarJson(value);
    return;
  }
  const std::string line = "\n" + std::string(indent + 2, ' ');
  out.push_back(is_object ? '{' : '[');
  bool first = true;
  auto begin_entry = [&] {
    out.append(first ? "" : ",").append(line);
    first = false;
  };
  if (is_object) {
    for (const auto& [key, entry] : value.get_object()) {
      begin_entry();
      out += json::serialize(json::string(key)) + ": ";
      AppendPretty(out, entry, indent + 2);
    }
  } else {
    for (const json::value& entry : value.get_array()) {
      begin_entry();
      AppendPretty(out, entry, indent + 2);
    }
  }
  out.append("\n").append(indent, ' ').push_back(is_object ? '}' : ']');
}

// Where there is a name or a string that is not UTF-8 ("metadata.team"); nothing: nowhere.
std::optional<std::string> NotText(const json::value& body) {
  const auto below = [](std::string name, const json::value& member) -> std::optional<std::string> {
    const auto found = NotText(member);
    if (!found) return std::nullopt;
    return name + (found->empty() || found->front() == '[' ? "" : ".") + *found;
  };
  if (body.is_string() && !IsUtf8(body.get_string())) return "";
  if (body.is_object()) {
    for (const auto& member : body.get_object()) {
      if (!IsUtf8(member.key())) return OneLine(member.key());
      if (auto found = below(member.key(), member.value())) return found;
    }
  }
  if (body.is_array()) {
    for (size_t i = 0; i < body.get_array().size(); ++i) {
      if (auto found = below("[" + std::to_string(i) + "]", body.get_array()[i])) return found;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string Name(const json::object& object, std::string_view key) {
  const auto bytes = DecodeBase64(TextOf(object, std::string(key) + "_base64"));
  return bytes && !bytes->empty() ? *bytes : TextOf(object, key);
}

json::value NameValue(std::string_view bytes) {
  if (IsUtf8(bytes)) return json::value(bytes);
  return json::object{{"base64", EncodeBase64(bytes)}};
}

Result<std::string> JsonBody(const json::value& body) {
  if (const auto where = NotText(body)) {
    return Failure(
        Error::Invalid("\"" + *where + "\" is not UTF-8").WithRemedy("write it in UTF-8"));
  }
  return json::serialize(body);
}

std::string NameCell(const json::object& object, std::string_view key) {
  const std::string name = OneLine(Name(object, key));
  return name.empty() ? "-" : name;
}

std::string Cell(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? "-" : CellOf(*value);
}

std::string BytesCell(const json::object& object, std::string_view key) {
  const std::optional<int64_t> bytes = NumberOf(object, key);
  return bytes && *bytes >= 0 ? HumanBytes(static_cast<Bytes>(*bytes)) : "-";
}

std::optional<int64_t> ParseTime(std::string_view text) {
  // 2026-01-31T12:00:00[.250]Z
  struct Part {
    size_t at;
    size_t digits;
  };
  constexpr std::array kParts = {Part{0, 4},  Part{5, 2},  Part{8, 2},
                                 Part{11, 2}, Part{14, 2}, Part{17, 2}};
  std::array<int, kParts.size()> part{};
  for (size_t i = 0; i < kParts.size(); ++i) {
    const std::optional<int> number = Digits(text, kParts[i].at, kParts[i].digits);
    if (!number) return std::nullopt;
    part[i] = *number;
  }
  const bool separated = text[4] == '-' && text[7] == '-' && text[10] == 'T' && text[13] == ':' &&
                         text[16] == ':' && text.back() == 'Z';
  const std::chrono::year_month_day day{std::chrono::year(part[0]),
                                        std::chrono::month(static_cast<unsigned>(part[1])),
                                        std::chrono::day(static_cast<unsigned>(part[2]))};
  if (!separated || !day.ok() || part[3] > 23 || part[4] > 59 || part[5] > 60) return std::nullopt;
  std::string_view rest = text.substr(19, text.size() - 20);
  int64_t ms = 0;
  if (!rest.empty()) {
    if (rest.front() != '.' || rest.size() == 1) return std::nullopt;
    for (size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] < '0' || rest[i] > '9') return std::nullopt;
    }
    for (size_t i = 1; i <= 3; ++i) ms = ms * 10 + (i < rest.size() ? rest[i] - '0' : 0);
  }
  const int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  return (((days * 24 + part[3]) * 60 + part[4]) * 60 + part[5]) * 1000 + ms;
}

std::string FormatAge(int64_t age_ms) {
  const int64_t seconds = age_ms < 0 ? 0 : age_ms / 1000;
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 120 * 60) return std::to_string(seconds / 60) + "m";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::string AgeCell(const json::object& object, std::string_view key, int64_t now_ms) {
  const std::optional<int64_t> time = ParseTime(TextOf(object, key));
  return time ? FormatAge(now_ms - *time) : "-";
}

std::string UntilCell(const json::object& object, std::string_view key, int64_t now_ms) {
  const std::optional<int64_t> time = ParseTime(TextOf(object, key));
  return time ? FormatAge(*time - now_ms) : "-";
}

Result<json::value> ParseJson(std::string_view text) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::value value = json::parse(text, error, {}, options);
  if (!error) return value;
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                       "the server's answer is not JSON: " + error.message())
                     .WithRemedy("is it a Cay server?"));
}

Result<json::object> ParseJsonObject(std::string_view text) {
  json::value value = TRY(ParseJson(text));
  if (value.is_object()) return std::move(value.get_object());
  return Failure(
      Error(ErrorCode::kProtocol, Fault::kMachine, "the server's answer is not a JSON object")
          .WithRemedy("is it a Cay server?"));
}

std::string PrettyJson(const json::value& value) {
  std::string out;
  AppendPretty(out, value, 0);
  return EscapeControls(out) + "\n";
}

std::string LineJson(const json::value& value) {
  return EscapeControls(json::serialize(value)) + "\n";
}

std::optional<int> ParseSignal(std::string_view text) {
  if (const Result<uint64_t> number = ParseUnsigned(text, 64); number && *number > 0) {
    return static_cast<int>(*number);
  }
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (int signal = 1; signal <= 64; ++signal) {
    const char* name = ::sigabbrev_np(signal);
    if (name != nullptr && text == name) return signal;
  }
  return std::nullopt;
}

}  // namespace cay::cli
