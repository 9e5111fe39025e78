// What is tried once more before it fails: where a second try can do better, because the first
// failed of something that passes. Not what is the caller's fault, nor what this machine cannot do
// or has no room for.
#pragma once

#include "base/os/log.h"
#include "base/result.h"

namespace cay::sandbox {

inline bool MayPass(const Error& error) {
  if (error.fault() == Fault::kCaller) return false;
  switch (error.code()) {
    case ErrorCode::kTimeout:
    case ErrorCode::kProtocol:
    case ErrorCode::kUnavailable:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return true;
    default:
      return false;
  }
}

// `act` gives a Result.
template <class Act>
auto TwiceIfItMayHelp(Act act) -> decltype(act()) {
  auto done = act();
  if (done || !MayPass(done.error())) return done;
  LogWarning("trying once more: " + done.error().ToString());
  auto again = act();
  // Otherwise it says no more than that something of the first is still there.
  return again || MayPass(again.error()) ? std::move(again) : std::move(done);
}

}  // namespace cay::sandbox
