// What may be kept of servers' answers, and what may be answered with it: the rules of a shared
// cache (RFC 9111), and of those the strict part. Pure.
//
//   auto plan = PlanRequest(place, request.method, request.target, headers);    // nothing: passes by
//   … stored = what is kept under plan->key …
//   if (IsFresh(*stored, now) …)                                                 // answered with it
//   … or the server is asked with plan->headers and ConditionsOf(*stored) …
//   auto kept = JudgeAnswer(plan->key, answer, headers, asked, now);             // nothing: not kept
//
// What the server is sent is a function of the key alone: the fields that are in it, and a Host and
// a User-Agent that are the same for all. So no sandbox has a say in what another one gets (cache
// poisoning). A request with any other field that is not known to be of no effect passes by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "http/wire/head.h"
#include "network/cache/stored_answer.h"

namespace cay::network {

struct CachePlace {
  std::string owner;   // whose requests see each other's answers
  std::string scheme;  // "https", "http"
  std::string name;    // as NormalName has it
  uint16_t port = 0;
};

struct CacheKey {
  std::string text;  // all that decides what the answer is; its first line is the owner
  std::string file;  // SHA-256 of it, in hexadecimal
};

// What the client wants of what is kept (RFC 9111, 5.2.1: its directives are advice).
enum class Wish : uint8_t {
  kStored,   // what is fresh
  kChecked,  // the server is to be asked; if it is not there, what is fresh
  kAsked,    // the server is to be asked
};

struct CachePlan {
  CacheKey key;
  http::Headers headers;  // for the server
  Wish wish = Wish::kStored;
};

// Of a request without a body. `headers`: end to end. Nothing: it is neither answered from the
// cache nor is its answer kept. kInternal where a digest cannot be made.
Result<std::optional<CachePlan>> PlanRequest(const CachePlace& place, std::string_view method,
                                             std::string_view target, const http::Headers& headers);

// What of an answer is kept, without its body's digest; nothing: it is not. `headers`: end to end.
// Times are of the wall clock: when the server was asked, and when it answered.
std::optional<StoredAnswer> JudgeAnswer(const CacheKey& key, const http::ResponseHead& head,
                                        const http::Headers& headers, int64_t asked_unix_ms,
                                        int64_t now_unix_ms);

// How old it is. A clock that went backwards makes it as old as can be.
uint64_t AgeOf(const StoredAnswer& stored, int64_t now_unix_ms);
bool IsFresh(const StoredAnswer& stored, int64_t now_unix_ms);

// The fields that ask the server whether it is still good (RFC 9110, 13.1); none: it has no
// validator.
std::vector<http::Headers::Field> ConditionsOf(const StoredAnswer& stored);

// What a server's 304 makes of it (RFC 9111, 4.3.4).
struct Renewal {
  bool good = false;  // it is what the 304 is about, and may be given now
  bool keep = false;  // and kept, as `answer` has it
  StoredAnswer answer{};
};
Renewal Renew(const StoredAnswer& stored, const http::ResponseHead& head,
              const http::Headers& headers, int64_t asked_unix_ms, int64_t now_unix_ms);

// Of a key's text, for people: its owner, and the URL that was asked for.
struct KeyParts {
  std::string owner;
  std::string url;
};
KeyParts PartsOf(std::string_view key);

}  // namespace cay::network
