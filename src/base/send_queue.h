// SendQueue: bytes that wait to be sent: appended at the end, taken from the front. Its memory is
// at most about twice what waits, also when it is never quite empty; what was large is given back.
#pragma once

#include <string>
#include <string_view>

namespace cay {

class SendQueue {
 public:
  void Append(std::string_view bytes) {
    if (taken_ >= size()) DropTaken();
    bytes_.append(bytes);
  }

  // What waits; valid until the next call that changes it.
  std::string_view front() const { return std::string_view(bytes_).substr(taken_); }
  size_t size() const { return bytes_.size() - taken_; }
  bool empty() const { return size() == 0; }

  // The first `count` bytes have been sent; at most size().
  void Take(size_t count) {
    taken_ += count;
    if (empty()) Clear();
  }

  void Clear() {
    bytes_.clear();
    taken_ = 0;
    if (bytes_.capacity() > kKeepBytes) bytes_.shrink_to_fit();
  }

  // Bytes held, sent ones among them.
  size_t held() const { return bytes_.size(); }

 private:
  static constexpr size_t kKeepBytes = 4096;

  // Amortised: as many bytes have been taken as are moved.
  void DropTaken() {
    bytes_.erase(0, taken_);
    taken_ = 0;
  }

  std::string bytes_;
  size_t taken_ = 0;
};

}  // namespace cay
