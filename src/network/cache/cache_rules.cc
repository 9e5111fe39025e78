#include "network/cache/cache_rules.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/text.h"
#include "crypto/digest.h"
#include "network/cache/cache_control.h"

namespace cay::network {
namespace {

constexpr size_t kMaxTarget = 2048;
constexpr size_t kMaxKeyedValue = 1024;
constexpr std::string_view kUserAgent = "cay-package-cache";
constexpr std::string_view kKeyFormat = "1";

// What registries choose an answer by.
constexpr std::array<std::string_view, 4> kKeyed = {"Accept", "Accept-Encoding", "Accept-Language",
                                                    "Cargo-Protocol"};
// What clients of registries say of themselves, and what is said to caches. The server hears none
// of it.
constexpr std::array<std::string_view, 10> kUnsaid = {
    "Host",     "User-Agent", "Cache-Control",  "Pragma",         "DNT",
    "Priority", "Referer",    "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-Site"};
constexpr std::array<std::string_view, 2> kUnsaidPrefixes = {"npm-", "pacote-"};

bool IsOneOf(std::string_view name, const auto& names) {
  return std::ranges::any_of(names,
                             [&](std::string_view one) { return EqualsIgnoringCase(one, name); });
}

bool IsUnsaid(std::string_view name) {
  return IsOneOf(name, kUnsaid) ||
         std::ranges::any_of(kUnsaidPrefixes, [&](std::string_view prefix) {
           return EqualsIgnoringCase(name.substr(0, prefix.size()), prefix);
         });
}

size_t Count(const http::Headers& headers, std::string_view name) {
  return static_cast<size_t>(std::ranges::count_if(
      headers.fields(), [&](const auto& field) { return EqualsIgnoringCase(field.first, name); }));
}

// All fields of that name as the list that they are together (RFC 9110, 5.3).
std::optional<std::string> Joined(const http::Headers& headers, std::string_view wanted) {
  std::optional<std::string> joined;
  for (const auto& [name, value] : headers.fields()) {
    if (!EqualsIgnoringCase(name, wanted)) continue;
    joined = joined ? *joined + ", " + value : value;
  }
  return joined;
}

// Nothing: it is not to be answered with what is kept, nor kept.
std::optional<Wish> WishOf(const http::Headers& headers) {
  const auto control = ReadCacheControl(headers);
  if (!control) return headers.ListContains("Pragma", "no-cache") ? Wish::kAsked : Wish::kStored;
  if (control->malformed || control->no_store || control->only_if_cached) return std::nullopt;
  if (control->no_cache) return Wish::kAsked;
  return control->max_age ? Wish::kChecked : Wish::kStored;
}

std::string HostField(const CachePlace& place) {
  const uint16_t usual = place.scheme == "https" ? 443 : 80;
  return place.port == usual ? place.name : place.name + ":" + std::to_string(place.port);
}

// Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::optional<int64_t> ReadDate(const std::string& text) {
  tm parts{};
  const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || end != text.c_str() + text.size()) return std::nullopt;
  return static_cast<int64_t>(::timegm(&parts));
}

// A list of names that are all known to be in the key, or to be in no request that is kept.
bool VariesByTheKey(const http::Headers& headers) {
  const std::string vary = Joined(headers, "Vary").value_or("");
  return std::ranges::all_of(Split(vary, ','), [](std::string_view item) {
    const std::string_view name = Trim(item);
    return name.empty() || (name != "*" && !IsUnsaid(name));
  });
}

// The age that it has now (RFC 9111, 4.2.3). Nothing: it says what cannot be read.
std::optional<uint64_t> InitialAge(const http::Headers& headers, int64_t asked_unix_ms,
                                   int64_t now_unix_ms) {
  uint64_t age = 0;
  if (const size_t count = Count(headers, "Age"); count > 0) {
    const auto said = ReadDeltaSeconds(*headers.Find("Age"));
    if (!said || count > 1) return std::nullopt;
    age = *said;
  }
  age += static_cast<uint64_t>(std::max<int64_t>(0, now_unix_ms - asked_unix_ms)) / 1000;
  if (const size_t count = Count(headers, "Date"); count > 0) {
    const auto date = ReadDate(std::string(*headers.Find("Date")));
    if (!date || count > 1) return std::nullopt;
    age = std::max(age, static_cast<uint64_t>(std::max<int64_t>(0, now_unix_ms / 1000 - *date)));
  }
  return age;
}

bool Takes(const http::ResponseHead& head) {
  return head.status == 200 &&
         (head.framing == http::Framing::kLength || head.framing == http::Framing::kChunked ||
          (head.framing == http::Framing::kNone && head.content_length));
}

constexpr std::array<std::string_view, 6> kNeverKept = {
    "Set-Cookie",       "Set-Cookie2",        "Content-Range",
    "WWW-Authenticate", "Proxy-Authenticate", "Authentication-Info"};

// What an answer with these fields is in a cache, whatever its status.
std::optional<StoredAnswer> JudgeHeaders(const CacheKey& key, const http::Headers& headers,
                                         const std::optional<uint64_t>& age, int64_t now_unix_ms) {
  const auto control = ReadCacheControl(headers);
  if (!control || control->malformed || control->no_store || control->is_private)
    return std::nullopt;
  const auto fresh = control->s_maxage ? control->s_maxage : control->max_age;
  if (!age || (!fresh && !control->no_cache) || !VariesByTheKey(headers)) return std::nullopt;
  StoredAnswer stored{.key = key.text,
                      .received_unix_ms = now_unix_ms,
                      .age_s = *age,
                      .fresh_s = fresh.value_or(0),
                      .check_always = control->no_cache};
  size_t bytes = 0;
  for (const auto& [name, value] : headers.fields()) {
    if (IsOneOf(name, kNeverKept)) return std::nullopt;
    if (EqualsIgnoringCase(name, "Age") || EqualsIgnoringCase(name, "Content-Length")) continue;
    bytes += name.size() + value.size();
    stored.headers.push_back({.name = name, .value = value});
  }
  if (bytes > StoredAnswer::kMaxHeaders || stored.headers.size() > StoredAnswer::kMaxFields)
    return std::nullopt;
  const bool needs_asking = stored.check_always || stored.fresh_s <= stored.age_s;
  if (needs_asking && ConditionsOf(stored).empty()) return std::nullopt;
  return stored;
}

std::string_view Opaque(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

}  // namespace

const std::string* StoredAnswer::Find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      headers, [&](const Field& field) { return EqualsIgnoringCase(field.name, name); });
  return found == headers.end() ? nullptr : &found->value;
}

Result<std::optional<CachePlan>> PlanRequest(const CachePlace& place, std::string_view method,
                                             std::string_view target,
                                             const http::Headers& headers) {
  const auto wish = WishOf(headers);
  if (method != "GET" || !wish || !target.starts_with('/') || target.size() > kMaxTarget ||
      target.find('?') != std::string_view::npos || place.owner.find('\n') != std::string::npos)
    return std::nullopt;
  for (const auto& [name, value] : headers.fields())
    if (!IsOneOf(name, kKeyed) && !IsUnsaid(name)) return std::nullopt;
  CachePlan plan;
  plan.wish = *wish;
  plan.headers.Add("Host", HostField(place));
  plan.headers.Add("User-Agent", std::string(kUserAgent));
  for (const std::string_view name : kKeyed) {
    auto value = Joined(headers, name);
    if (!value) continue;
    if (value->size() > kMaxKeyedValue) return std::nullopt;
    plan.headers.Add(std::string(name), *std::move(value));
  }
  // A line for each: none of the parts has a line's end in it.
  std::string& text = plan.key.text;
  text = place.owner + "\n" + std::string(kKeyFormat) + "\n" + place.scheme + "\n" + place.name +
         "\n" + std::to_string(place.port) + "\n" + std::string(target) + "\n";
  for (const auto& [name, value] : plan.headers.fields()) text += name + ": " + value + "\n";
  if (text.size() > StoredAnswer::kMaxKey) return std::nullopt;
  plan.key.file = TRY(Sha256Hex(text));
  return plan;
}

std::optional<StoredAnswer> JudgeAnswer(const CacheKey& key, const http::ResponseHead& head,
                                        const http::Headers& headers, int64_t asked_unix_ms,
                                        int64_t now_unix_ms) {
  if (!Takes(head)) return std::nullopt;
  return JudgeHeaders(key, headers, InitialAge(headers, asked_unix_ms, now_unix_ms), now_unix_ms);
}

uint64_t AgeOf(const StoredAnswer& stored, int64_t now_unix_ms) {
  if (now_unix_ms < stored.received_unix_ms) return std::numeric_limits<uint64_t>::max();
  const auto passed = static_cast<uint64_t>(now_unix_ms - stored.received_unix_ms) / 1000;
  return stored.age_s > std::numeric_limits<uint64_t>::max() - passed
             ? std::numeric_limits<uint64_t>::max()
             : stored.age_s + passed;
}

bool IsFresh(const StoredAnswer& stored, int64_t now_unix_ms) {
  return !stored.check_always && AgeOf(stored, now_unix_ms) < stored.fresh_s;
}

std::vector<http::Headers::Field> ConditionsOf(const StoredAnswer& stored) {
  std::vector<http::Headers::Field> conditions;
  if (const std::string* tag = stored.Find("ETag")) conditions.emplace_back("If-None-Match", *tag);
  if (const std::string* date = stored.Find("Last-Modified"); date && conditions.empty())
    conditions.emplace_back("If-Modified-Since", *date);
  return conditions;
}

Renewal Renew(const StoredAnswer& stored, const http::ResponseHead& head,
              const http::Headers& headers, int64_t asked_unix_ms, int64_t now_unix_ms) {
  Renewal renewal{.answer = stored};
  const std::string* const kept_tag = stored.Find("ETag");
  const auto tag = headers.Find("ETag");
  if (head.status != 304 || (tag && kept_tag && Opaque(*tag) != Opaque(*kept_tag)) ||
      (tag && !kept_tag))
    return renewal;
  renewal.good = true;
  // What the body is stays as it was; all else is as the 304 has it (RFC 9111, 3.2).
  constexpr std::array<std::string_view, 5> kOfTheBody = {"Content-Length", "Content-Encoding",
                                                          "Content-Type", "Content-Range", "ETag"};
  http::Headers merged;
  for (const auto& [name, value] : stored.headers) {
    if (IsOneOf(name, kOfTheBody) || !headers.Find(name)) merged.Add(name, value);
  }
  for (const auto& [name, value] : headers.fields())
    if (!IsOneOf(name, kOfTheBody)) merged.Add(name, value);
  auto judged = JudgeHeaders({.text = stored.key, .file = {}}, merged,
                             InitialAge(headers, asked_unix_ms, now_unix_ms), now_unix_ms);
  if (!judged) return renewal;
  judged->digest = stored.digest;
  judged->size = stored.size;
  renewal.answer = *std::move(judged);
  renewal.keep = true;
  return renewal;
}

KeyParts PartsOf(std::string_view key) {
  constexpr size_t kOwner = 0;
  constexpr size_t kScheme = 2;
  constexpr size_t kName = 3;
  constexpr size_t kTarget = 5;
  const auto lines = Split(key, '\n');
  if (lines.size() <= kTarget) return {};
  return {.owner = std::string(lines[kOwner]),
          .url = std::string(lines[kScheme]) + "://" + std::string(lines[kName]) +
                 std::string(lines[kTarget])};
}

}  // namespace cay::network
