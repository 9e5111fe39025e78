// Tries once more what failed for a reason that may pass. Not for errors that are the caller's
// fault, nor for what this machine cannot do or has no room for.
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
  // Another error of the second try says only that something of the first is still there.
  return again || MayPass(again.error()) ? std::move(again) : std::move(done);
}

}  // namespace cay::sandbox
