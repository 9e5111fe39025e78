// Intake: what a server does with a request before its handler is called, decided from the head
// alone, when nothing of the body has been read and the request has cost nothing yet.
//
//   Server::Start(options, handler, [&](http::Request& request) -> http::Intake {
//     if (!MayIn(request)) return {.lane = Intake::Lane::kQuick};    // the handler refuses it, at once
//     return {.whole_body = 16 * kMiB, .client = KeyOf(request)};
//   });
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "http/message.h"

namespace cay::http {

struct Intake {
  enum class Lane : uint8_t {
    kNormal,
    // For requests that need no key: its places are few, and not among the others.
    kPublic,
    // Answered from memory: takes no place, so that there is an answer when all are taken. The
    // server waits neither for a body nor for the client to take the answer: it closes the
    // connection instead.
    kQuick,
  };
  Lane lane = Lane::kNormal;
  // The whole body, of at most so many bytes, is there when the handler is called, and no thread
  // waits while it comes; a larger one is the handler's to refuse. Nothing: the handler reads it as
  // it comes.
  std::optional<uint64_t> whole_body = std::nullopt;
  // The client in whose share of places and of held bodies it counts; empty: in no share.
  std::string client = {};
};

// May note in the request what it found out (Request::screened). Called in any thread of the
// server's; waits for nothing but locks.
using Screen = std::function<Intake(Request&)>;

}  // namespace cay::http
