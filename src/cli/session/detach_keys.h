// DetachKeys: watches what is typed for ctrl-p ctrl-q, as docker has it: then the terminal is left,
// and the command runs on. Pure.
//
//   DetachKeys keys;
//   std::string send = keys.Feed(typed);
//   if (keys.detached()) …
#pragma once

#include <string>
#include <string_view>

namespace cay::cli {

class DetachKeys {
 public:
  // What of it goes to the command: a ctrl-p waits for the key after it.
  std::string Feed(std::string_view typed);
  // Both keys came; what was typed after them was dropped.
  bool detached() const { return detached_; }

 private:
  bool begun_ = false;
  bool detached_ = false;
};

}  // namespace cay::cli
