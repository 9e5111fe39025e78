#include "base/supply/shares.h"

#include <algorithm>
#include <chrono>

namespace cay {

Shares::Part& Shares::Part::operator=(Part&& other) noexcept {
  if (this != &other) {
    GiveBack();
    shares_ = std::exchange(other.shares_, nullptr);
    who_ = std::move(other.who_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Shares::Taken Shares::Part::Take(uint64_t amount, uint64_t spared) {
  if (shares_ == nullptr) return Taken::kYes;
  const std::lock_guard lock(shares_->mutex_);
  const Taken taken = shares_->TakeLocked(who_, amount, spared);
  if (taken == Taken::kYes) size_ += amount;
  return taken;
}

Shares::Taken Shares::Part::TakeWithin(uint64_t amount, Millis patience, uint64_t spared) {
  if (shares_ == nullptr) return Taken::kYes;
  std::unique_lock lock(shares_->mutex_);
  Taken taken = shares_->TakeLocked(who_, amount, spared);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (taken != Taken::kYes &&
         shares_->given_back_.wait_until(lock, deadline) == std::cv_status::no_timeout) {
    taken = shares_->TakeLocked(who_, amount, spared);
  }
  if (taken == Taken::kYes) size_ += amount;
  return taken;
}

void Shares::Part::GiveBack() {
  if (shares_ != nullptr && size_ > 0) shares_->GiveBack(who_, std::exchange(size_, 0));
}

uint64_t Shares::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

Shares::Taken Shares::TakeLocked(const std::string& who, uint64_t amount, uint64_t spared) {
  const auto fits = [&](uint64_t used, uint64_t bound) {
    return used <= bound && amount <= bound - used;
  };
  if (!fits(used_, bounds_.whole - std::min(bounds_.whole, spared))) return Taken::kWholeIsUsed;
  if (!who.empty() && amount > 0) {
    const auto found = used_by_.find(who);
    const uint64_t his = found == used_by_.end() ? 0 : found->second;
    if (bounds_.each > 0 && !fits(his, bounds_.each)) return Taken::kShareIsUsed;
    if (found == used_by_.end()) {
      used_by_.emplace(who, amount);
    } else {
      found->second += amount;
    }
  }
  used_ += amount;
  return Taken::kYes;
}

void Shares::GiveBack(const std::string& who, uint64_t amount) {
  {
    const std::lock_guard lock(mutex_);
    used_ -= amount;
    if (!who.empty()) {
      const auto found = used_by_.find(who);
      found->second -= amount;
      if (found->second == 0) used_by_.erase(found);
    }
  }
  given_back_.notify_all();
}

}  // namespace cay
