// Replaceable: a value that many threads read while one replaces it: what a reload may change. Each
// reader keeps the value that it took.
//
//   Replaceable<Options> options(std::move(first));
//   const auto now = options.Get();      // never null
//   options.Set(std::move(next));
//
// Not std::atomic<std::shared_ptr>: in libstdc++ before 13 its load gives the lock back without
// release (GCC bug 101761), so that a replacement may overtake a reader. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace cay {

template <class T>
class Replaceable {
 public:
  explicit Replaceable(T value) : value_(std::make_shared<const T>(std::move(value))) {}

  std::shared_ptr<const T> Get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  void Set(T value) {
    auto next = std::make_shared<const T>(std::move(value));
    const std::lock_guard lock(mutex_);
    value_.swap(next);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace cay
