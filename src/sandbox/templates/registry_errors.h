// Errors of registries, as those who ask a server are told of them.
#pragma once

#include "base/error.h"

namespace cay::sandbox {

// What a registry does wrong is its own, and no defect of this machine; nor is it the caller's who
// named the image.
inline Error OfRegistry(Error error) {
  ErrorCode code = error.code();
  if (code == ErrorCode::kPermissionDenied && error.fault() == Fault::kMachine)
    code = ErrorCode::kProtocol;
  const bool is_others = code == ErrorCode::kProtocol || code == ErrorCode::kUnavailable ||
                         code == ErrorCode::kTimeout;
  if (!is_others) return error;
  return Error(code, Fault::kMachine, error.message()).WithRemedy(error.remedy());
}

}  // namespace cay::sandbox
