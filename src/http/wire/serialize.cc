#include "http/wire/serialize.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>

namespace cay::http {
namespace {

bool IsTokenCharacter(char c) {  // RFC 9110, 5.6.2
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

void AppendFields(std::string& head, const Headers& headers) {
  for (const auto& [name, value] : headers.fields()) AppendHeader(head, name, value);
}

// What a program can branch on, and what a person can do.
struct Wording {
  std::string_view code;
  std::string_view fault;
  std::string_view remedy;
};
Wording WordingFor(int status) {
  switch (status) {
    case 408:
      return {"timeout", "caller", "send the request faster"};
    case 413:
    case 414:
    case 431:
      return {"limit_too_high", "caller", "send less"};
    case 501:
    case 505:
      return {"not_supported", "caller", "speak HTTP/1.1"};
    case 429:
      return {"resource_exhausted", "caller", "send fewer requests at a time"};
    case 503:
      return {"resource_exhausted", "machine", "try again after the time in Retry-After"};
    case 502:
      return {"protocol", "machine", "look at the program that listens at this address"};
    case 504:
      return {"timeout", "machine", "look at the program that listens at this address"};
    case 500:
      return {"internal", "machine",
              "tell the operator the request_id: the server's log says more"};
    default:
      return {"invalid_argument", "caller", "send HTTP/1.1 as RFC 9112 has it"};
  }
}

bool AsksToRetry(int status) { return status == 429 || status == 503; }

}  // namespace

bool IsFieldName(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, IsTokenCharacter);
}

bool IsFieldText(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  });
}

Result<void> CheckHeaders(const Headers& headers) {
  for (const auto& [name, value] : headers.fields()) {
    if (!IsFieldName(name) || !IsFieldText(value)) {
      return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                           "a header field holds a character that would end it"));
    }
  }
  return {};
}

void AppendHeader(std::string& head, std::string_view name, std::string_view value) {
  head += name;
  head += ": ";
  head += value;
  head += "\r\n";
}

std::string StatusLineAndHeaders(int status, const Headers& headers) {
  std::string head;
  head.reserve(512);
  head += "HTTP/1.1 ";
  head += std::to_string(status);
  head += ' ';
  head += ReasonPhrase(status);
  head += "\r\n";
  AppendFields(head, headers);
  return head;
}

std::string RequestLineAndHeaders(std::string_view method, std::string_view target,
                                  const Headers& headers) {
  std::string head;
  head.reserve(512);
  head += method;
  head += ' ';
  head += target;
  head += " HTTP/1.1\r\n";
  AppendFields(head, headers);
  return head;
}

std::string_view DateNow() {
  constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  thread_local time_t of = -1;
  thread_local std::array<char, 40> text{};
  thread_local size_t length = 0;
  const time_t now = ::time(nullptr);
  if (now != of) {
    tm fields{};
    ::gmtime_r(&now, &fields);
    // Not %a and %b of strftime, which speak the process's language.
    const auto day = static_cast<size_t>(fields.tm_wday);
    const auto month = static_cast<size_t>(fields.tm_mon);
    std::string pattern = kDays.at(day);
    pattern += ", %d ";
    pattern += kMonths.at(month);
    pattern += " %Y %H:%M:%S GMT";
    length = ::strftime(text.data(), text.size(), pattern.c_str(), &fields);
    of = now;
  }
  return {text.data(), length};
}

std::string ProblemBody(int status, std::string_view detail, std::string_view request_id) {
  const Wording wording = WordingFor(status);
  std::string body = "{\"type\":\"about:blank\",\"title\":\"";
  body += ReasonPhrase(status);
  body += "\",\"status\":" + std::to_string(status);
  body += ",\"detail\":\"";
  body += detail;
  body += "\",\"code\":\"";
  body += wording.code;
  body += "\",\"fault\":\"";
  body += wording.fault;
  body += "\",\"remedy\":\"";
  body += wording.remedy;
  body += "\",\"request_id\":\"";
  body += request_id;
  body += AsksToRetry(status) ? "\",\"retry_after\":1}\n" : "\"}\n";
  return body;
}

std::string ProblemResponse(int status, std::string_view detail, std::string_view request_id) {
  const std::string body = ProblemBody(status, detail, request_id);
  std::string response = StatusLineAndHeaders(status, {});
  AppendHeader(response, "Content-Type", "application/problem+json");
  AppendHeader(response, "Content-Length", std::to_string(body.size()));
  AppendHeader(response, "Date", DateNow());
  AppendHeader(response, "X-Request-Id", request_id);
  AppendHeader(response, "Connection", "close");
  if (AsksToRetry(status)) AppendHeader(response, "Retry-After", "1");
  response += "\r\n";
  response += body;
  return response;
}

std::string NewRequestId() {
  static const uint64_t start = [] {
    uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random) {
      random = static_cast<uint64_t>(::time(nullptr));
    }
    return random;
  }();
  static std::atomic<uint64_t> count{0};
  // splitmix64: a permutation, so that counting up gives no number twice.
  uint64_t mixed = start + count.fetch_add(1, std::memory_order_relaxed) * 0x9e3779b97f4a7c15U;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  mixed ^= mixed >> 31;
  std::string id(16, '0');
  for (size_t i = id.size(); i-- > 0; mixed >>= 4) id[i] = "0123456789abcdef"[mixed & 15];
  return id;
}

bool IsRequestId(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace cay::http
