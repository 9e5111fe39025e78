// ReplayFilter: a terminal's earlier output without the questions in it.
//
// A program asks its terminal where the cursor is, what it is, which colours it has; the terminal
// answers as if somebody had typed it. Output that is shown again asks again, and the program that
// reads the answer now did not ask: a shell would take it for a command. What only draws goes
// through byte for byte.
//
//   ReplayFilter replay;
//   out.Write(replay.Take(bytes));      // a sequence that is cut in two is held back
//   out.Write(replay.Flush());          // where live output begins
//
// The questions are those of ECMA-48, DEC's VT525 and xterm's ctlseqs, and kitty's of its keyboard
// protocol.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace cay::cli {

class ReplayFilter {
 public:
  // Of a sequence longer than this nothing is held back any more.
  static constexpr size_t kMaxHeld = 4096;

  std::string Take(std::string_view bytes);
  std::string Flush() { return std::exchange(held_, {}); }

 private:
  std::string held_;  // begins with ESC when it is not empty
};

}  // namespace cay::cli
