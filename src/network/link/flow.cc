#include "network/link/flow.h"

namespace cay::network {

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAllowed:
      return "allowed";
    case Verdict::kDenied:
      return "denied";
    case Verdict::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace cay::network
