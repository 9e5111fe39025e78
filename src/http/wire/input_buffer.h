// InputBuffer: bytes that have come on a connection and are not yet parsed. Grows up to what its
// user asks for, and costs nothing while it is empty and released (10 000 idle connections).
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace cay::http {

class InputBuffer {
 public:
  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  std::span<char> mutable_view() { return {data_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }

  // Room for `bytes` more behind what is there.
  std::span<char> Prepare(size_t bytes) {
    if (capacity_ - end_ < bytes) MakeRoom(bytes);
    return {data_.get() + end_, bytes};
  }
  void Commit(size_t bytes) { end_ += bytes; }
  void Consume(size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Moves as much as fits.
  size_t TakeInto(std::span<char> space) {
    const size_t taken = std::min(space.size(), size());
    if (taken > 0) std::memcpy(space.data(), data_.get() + begin_, taken);
    Consume(taken);
    return taken;
  }

  // Gives the memory back when there is nothing in it.
  void ReleaseIfEmpty() {
    if (!empty()) return;
    data_.reset();
    capacity_ = 0;
  }

 private:
  void MakeRoom(size_t bytes) {
    const size_t used = size();
    if (capacity_ >= used + bytes) {
      std::memmove(data_.get(), data_.get() + begin_, used);
    } else {
      const size_t capacity = std::max(used + bytes, capacity_ * 2);
      auto larger = std::make_unique_for_overwrite<char[]>(capacity);
      if (used > 0) std::memcpy(larger.get(), data_.get() + begin_, used);
      data_ = std::move(larger);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace cay::http
