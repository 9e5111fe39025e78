// Request limits: a request that is too long for the protocol is refused in words, before it is
// encoded.
//
//   TRY(CheckLengths(request));      // kLimitTooHigh
//
// The bounds are of bytes, where schemas of the API count characters: what is too long is therefore
// no invalid argument but one over a maximum. protocol::CheckLimits, which comes after it, knows
// fields by their numbers alone. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "protocol/messages.h"
#include "protocol/process_messages.h"

namespace cay {

// kLimitTooHigh: "WHAT has 5000 bytes, over the maximum of 4095".
Result<void> CheckLength(std::string_view what, std::string_view text, size_t maximum);

// Arguments and environment, as execve(2) bounds them, and what else a start says.
Result<void> CheckLengths(const protocol::StartRequest& request);
// What the arguments and the environment of a start are together, encoded.
Result<void> CheckStartSize(size_t bytes);

// Of every other request: the user and the path that it names.
template <class T>
Result<void> CheckLengths(const T& request) {
  if constexpr (requires { request.user; })
    TRY(CheckLength("the user", request.user, protocol::kMaxUserBytes));
  if constexpr (requires { request.path; })
    TRY(CheckLength("the path", request.path, protocol::kMaxPathBytes));
  return {};
}

}  // namespace cay
