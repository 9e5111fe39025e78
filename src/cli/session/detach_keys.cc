#include "cli/session/detach_keys.h"

#include <utility>

namespace cay::cli {
namespace {

constexpr char kCtrlP = 0x10;
constexpr char kCtrlQ = 0x11;

}  // namespace

std::string DetachKeys::Feed(std::string_view typed) {
  std::string send;
  for (char key : typed) {
    if (detached_) break;
    if (std::exchange(begun_, false)) {
      if (key == kCtrlQ) {
        detached_ = true;
        break;
      }
      send.push_back(kCtrlP);
    }
    if (key == kCtrlP) {
      begun_ = true;
    } else {
      send.push_back(key);
    }
  }
  return send;
}

}  // namespace cay::cli
