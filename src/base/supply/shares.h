// Shares: a bounded resource that many take from (places, memory), and how much of it each of them
// may hold.
//
//   Shares room({.whole = 256 * kMiB, .each = 64 * kMiB});
//   Shares::Part part = room.For(client);             // holds nothing yet
//   if (part.Take(n) != Shares::Taken::kYes) …        // all of n, or nothing
//
// What a Part has taken is given back when it ends. The name "" has no share of its own, and counts
// in the whole alone. Thread-safe; a Part is for one thread at a time and does not outlive its
// Shares.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/units.h"

namespace cay {

class Shares {
 public:
  struct Bounds {
    uint64_t whole = 0;
    uint64_t each = 0;  // of one; 0: as much as the whole
  };
  enum class Taken : uint8_t { kYes, kWholeIsUsed, kShareIsUsed };

  class Part {
   public:
    Part() = default;  // takes from nothing, and therefore anything
    Part(Part&& other) noexcept
        : shares_(std::exchange(other.shares_, nullptr)),
          who_(std::move(other.who_)),
          size_(std::exchange(other.size_, 0)) {}
    Part& operator=(Part&& other) noexcept;
    ~Part() { GiveBack(); }

    // So much more. `spared`: and that much of the whole stays for others.
    Taken Take(uint64_t amount, uint64_t spared = 0);
    // Waits for others to give back, at most so long.
    Taken TakeWithin(uint64_t amount, Millis patience, uint64_t spared = 0);
    void GiveBack();
    uint64_t size() const { return size_; }

   private:
    friend class Shares;
    Part(Shares& shares, std::string who) : shares_(&shares), who_(std::move(who)) {}

    Shares* shares_ = nullptr;
    std::string who_;
    uint64_t size_ = 0;
  };

  explicit Shares(Bounds bounds) : bounds_(bounds) {}

  Part For(std::string who) { return {*this, std::move(who)}; }
  uint64_t used() const;
  uint64_t whole() const { return bounds_.whole; }

 private:
  Taken TakeLocked(const std::string& who, uint64_t amount, uint64_t spared);
  void GiveBack(const std::string& who, uint64_t amount);

  const Bounds bounds_;
  mutable std::mutex mutex_;
  std::condition_variable given_back_;
  uint64_t used_ = 0;
  std::unordered_map<std::string, uint64_t> used_by_;  // who holds nothing is not in it
};

}  // namespace cay
