// Requests and answers by the rules of the package cache: whatever a sandbox sends, the server is
// sent what is in the key and nothing else, and what a server answers is kept only where it says
// so, reads again as it was written, and is never fresh for longer than it said.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "network/cache/cache_control.h"
#include "network/cache/cache_rules.h"
#include "protocol/message_codec.h"

namespace {

using cay::network::CachePlace;
using cay::network::StoredAnswer;

constexpr int64_t kNow = 1'780'000'000'000;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckRequest(const cay::http::Request& request) {
  const CachePlace place = {.owner = "o", .scheme = "https", .name = "a.example", .port = 443};
  const auto plan =
      cay::network::PlanRequest(place, request.method, request.target, request.headers);
  Check(plan.has_value());
  if (!*plan) return;
  const auto& key = (*plan)->key;
  Check(key.text.size() <= StoredAnswer::kMaxKey && key.file.size() == 64);
  Check(request.method == "GET" && !request.headers.Find("Authorization") &&
        !request.headers.Find("Cookie") && !request.headers.Find("Range"));
  for (const auto& [name, value] : (*plan)->headers.fields())
    Check(key.text.find("\n" + name + ": " + value + "\n") != std::string::npos);
  Check(cay::network::PartsOf(key.text).url == "https://a.example" + request.target);
}

void CheckAnswer(const cay::http::ResponseHead& head) {
  const auto control = cay::network::ReadCacheControl(head.headers);
  const auto stored =
      cay::network::JudgeAnswer({.text = "key", .file = {}}, head, head.headers, kNow, kNow);
  if (!stored) return;
  Check(control && !control->no_store && !control->is_private && !control->malformed);
  Check(head.status == 200 && !head.headers.Find("Set-Cookie"));
  const uint64_t most = control->s_maxage.value_or(control->max_age.value_or(0));
  const auto after = static_cast<int64_t>(most * 1000);
  Check(!cay::network::IsFresh(*stored, kNow + after) && !cay::network::IsFresh(*stored, kNow - 1));
  Check(cay::network::IsFresh(*stored, kNow) || !cay::network::ConditionsOf(*stored).empty());
  const auto again = cay::protocol::Decode<StoredAnswer>(cay::protocol::Encode(*stored));
  Check(again && *again == *stored);
  cay::http::ResponseHead renewed = head;
  renewed.status = 304;
  const auto renewal = cay::network::Renew(*stored, renewed, head.headers, kNow, kNow);
  Check(renewal.good || head.headers.Find("ETag"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = cay::http::ParseRequestHead(bytes, bytes.size()))
    CheckRequest(request->request);
  if (const auto answer = cay::http::ParseResponseHead(bytes, "GET")) CheckAnswer(*answer);
  (void)cay::protocol::Decode<StoredAnswer>(bytes, cay::protocol::Unknown::kSkipped);
  return 0;
}
