// Temporaries: the names of the files in which content is written before it takes its place, so
// that listings and watches do not tell of them. Known because they were made here, and not by how
// a name looks: whatever a command calls its own files, they are shown.
//
//   const std::string name = temporaries.Take();        // ".cay-write-" and 16 digits
//   temporaries.End(name, Temporaries::Fate::kCreated); // renamed to what was not there
//
// A name that has ended is remembered until kRemembered others have: a watch may read of it later.
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

namespace cay::guest {

class Temporaries {
 public:
  // More than can end while a watch waits for its turn in the guest's loop.
  static constexpr size_t kRemembered = 4096;

  enum class Fate {
    kLive,      // being written
    kRemoved,   // given up
    kCreated,   // it became a file where none was
    kReplaced,  // it took the place of another
  };

  // A new name, which is live.
  std::string Take();
  void End(const std::string& name, Fate fate);
  // Nothing for a name that is not Cay's.
  std::optional<Fate> Find(const std::string& name) const;
  bool IsLive(const std::string& name) const { return Find(name) == Fate::kLive; }

 private:
  uint64_t taken_ = 0;
  std::unordered_map<std::string, Fate> names_;
  std::deque<std::string> ended_;  // the oldest in front
};

}  // namespace cay::guest
