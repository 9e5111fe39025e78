// CacheTurn: one request's way past a package cache: answered from it, or asked of the server and
// then kept. It does the cache's part, who has the connections theirs (intercept/http_exchange.h):
//
//   auto turn = CacheTurn::Begin(use, method, target, headers);     // nothing: it passes by
//   while (turn->state() == kChecking) turn->CheckSome();           // a body, by its digest
//   kGiving:  turn->Head(…), then turn->Read() until given()
//   kAsking:  turn->Request() goes to the server; of its answer:
//             turn->Answered(head, headers), and of what is passed on Add(piece), then Complete()
//             or, if there is none: turn->NoAnswer()
//
// A turn that is dropped before Complete keeps nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/digest.h"
#include "network/cache/cache_directory.h"
#include "network/cache/cache_rules.h"

namespace cay::network {

struct CacheUse {
  CacheDirectory* directory;  // outlives what uses it
  CachePlace place;
};

class CacheTurn {
 public:
  static constexpr size_t kSlice = size_t{256} * 1024;  // of what is checked at once
  static constexpr size_t kPiece = size_t{32} * 1024;   // of what is given at once

  enum class State : uint8_t { kChecking, kGiving, kAsking, kAnswered };

  static std::optional<CacheTurn> Begin(const CacheUse& use, std::string_view method,
                                        std::string_view target, const http::Headers& headers);

  State state() const { return state_; }
  void CheckSome();

  http::Headers Request();
  // Whether it is answered all the same, with what is fresh.
  bool NoAnswer();
  enum class Taken : uint8_t { kPassOn, kGive, kUseless };
  // kGive: what was kept is good. kUseless: a 304 that is about something else.
  Taken Answered(const http::ResponseHead& head, const http::Headers& headers);
  void Add(std::string_view piece);
  void Complete();

  // The status line and the fields, with the empty line.
  std::string Head(bool keep_alive) const;
  // The next piece. kIo: it cannot be read any more.
  Result<std::string> Read();
  bool given() const { return read_ == found_->answer.size; }

 private:
  CacheTurn(CacheDirectory& directory, CachePlan plan)
      : directory_(&directory), plan_(std::move(plan)) {}
  Result<bool> IsWhole();
  void Give();
  Result<void> BeginToKeep(std::optional<uint64_t> size);

  CacheDirectory* directory_;
  CachePlan plan_;
  State state_ = State::kAsking;
  std::optional<CacheDirectory::Found> found_;  // what is kept
  uint64_t read_ = 0;                           // of its body
  std::optional<Sha256> digest_;                // of what was read, or of what is kept
  int64_t asked_unix_ms_ = 0;
  std::optional<StoredAnswer> answer_;  // that is to be kept
  std::optional<CacheDirectory::Part> part_;
};

}  // namespace cay::network
