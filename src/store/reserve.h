// Reserve: room on the disk that nobody else can take, held for what must be written when the disk
// is full: that a sandbox was destroyed, which is what makes room.
//
//   Reserve reserve(state_dir);
//   reserve.Refill();                 // whenever there may be room for it
//   if (reserve.GiveUp()) …           // try again
//
// A file, STATE/reserve, of blocks that are allocated and never written. One thread at a time.
#pragma once

#include <chrono>
#include <string>

#include "base/units.h"

namespace cay::store {

class Reserve {
 public:
  static constexpr Bytes kSize = 16 * kMiB;

  explicit Reserve(const std::string& state_dir) : path_(state_dir + "/reserve") {}

  // Takes the room, if it is not held and the disk has several times as much. Looks at most once a
  // second.
  void Refill();

  // True when there was something to give up.
  bool GiveUp();

 private:
  std::string path_;
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace cay::store
