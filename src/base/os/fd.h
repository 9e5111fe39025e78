// Fd: an owned file descriptor. Move-only; closes on destruction. There is no empty state to check:
// a moved-from Fd may only be destroyed or assigned to. What may be absent is std::optional<Fd>.
#pragma once

#include <unistd.h>

#include <string_view>
#include <utility>

#include "base/result.h"

namespace cay {

class Fd {
 public:
  // Takes ownership of an open descriptor (>= 0).
  static Fd Adopt(int raw) { return Fd(raw); }

  Fd(Fd&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      raw_ = std::exchange(other.raw_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { Reset(); }

  int get() const { return raw_; }

  // Gives ownership up.
  [[nodiscard]] int Release() && { return std::exchange(raw_, -1); }

  // A second descriptor of the same open file description, close-on-exec.
  Result<Fd> Duplicate() const;

 private:
  explicit Fd(int raw) : raw_(raw) {}
  void Reset() noexcept {
    if (raw_ >= 0) ::close(raw_);
  }

  int raw_;
};

// The two ends of pipe2(O_CLOEXEC | extra_flags).
struct Pipe {
  Fd read;
  Fd write;
};
Result<Pipe> MakePipe(int extra_flags = 0);

// The two ends of socketpair(AF_UNIX, type | SOCK_CLOEXEC).
struct SocketPair {
  Fd first;
  Fd second;
};
Result<SocketPair> MakeSocketPair(int type);

Result<void> SetNonBlocking(const Fd& fd, bool non_blocking);

}  // namespace cay
