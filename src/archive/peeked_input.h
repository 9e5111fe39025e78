// What decompressors read from. Inside this room only.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "archive/byte_stream.h"
#include "base/result.h"

namespace cay::archive {

inline constexpr size_t kInputBytes = 64 * 1024;

// A source whose first bytes were looked at.
class Peeked final : public ByteSource {
 public:
  explicit Peeked(ByteSource& source) : source_(source) {}

  // As many of the first bytes as the stream has, at most the width.
  Result<std::string_view> Peek() {
    while (used_ < head_.size()) {
      const size_t got = TRY(source_.Read(std::span(head_).subspan(used_)));
      if (got == 0) break;
      used_ += got;
    }
    return std::string_view(head_.data(), used_);
  }

  Result<size_t> Read(std::span<char> into) override {
    if (taken_ == used_) return source_.Read(into);
    const size_t count = std::min(into.size(), used_ - taken_);
    std::memcpy(into.data(), head_.data() + taken_, count);
    taken_ += count;
    return count;
  }

 private:
  ByteSource& source_;
  std::array<char, 6> head_{};
  size_t used_ = 0;
  size_t taken_ = 0;
};

// Input in pieces; what every decompressor needs.
class Input {
 public:
  explicit Input(Peeked source) : source_(std::move(source)), buffer_(kInputBytes) {}

  // Fills the buffer when it is empty. False at the end of the stream.
  Result<bool> Fill() {
    if (taken_ < used_) return true;
    used_ = TRY(source_.Read(buffer_));
    taken_ = 0;
    return used_ > 0;
  }
  std::span<char> rest() { return std::span(buffer_).subspan(taken_, used_ - taken_); }
  void Take(size_t count) { taken_ += count; }

 private:
  Peeked source_;
  std::vector<char> buffer_;
  size_t used_ = 0;
  size_t taken_ = 0;
};

}  // namespace cay::archive
