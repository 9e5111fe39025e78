// Byte streams: where an archive comes from and where it goes to.
//
//   FdSource file(fd);                       // borrows the descriptor
//   auto plain = TRY(Decompress(file));      // compression.h
//
// A source gives 0 at its end, and only there. Blocking; one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::archive {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // At least one byte unless the stream has ended or `into` is empty.
  virtual Result<size_t> Read(std::span<char> into) = 0;
  // Passes over at most `count` bytes without reading them; how many. 0: it cannot, or has ended.
  virtual Result<uint64_t> Skip(uint64_t count) {
    static_cast<void>(count);
    return uint64_t{0};
  }
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // All of it, or an error.
  virtual Result<void> Write(std::string_view bytes) = 0;
};

// read(2) and write(2) on a blocking descriptor that outlives this.
class FdSource final : public ByteSource {
 public:
  explicit FdSource(const Fd& fd) : fd_(fd.get()) {}
  Result<size_t> Read(std::span<char> into) override;

 private:
  int fd_;
};

class FdSink final : public ByteSink {
 public:
  explicit FdSink(const Fd& fd) : fd_(fd.get()) {}
  Result<void> Write(std::string_view bytes) override;

 private:
  int fd_;
};

// send(2) on a blocking socket that outlives this: writing to one that nobody reads is an error,
// and no signal as of a pipe. `doing` is for messages: "sending the context".
class SocketSink final : public ByteSink {
 public:
  SocketSink(const Fd& socket, std::string_view doing) : socket_(socket.get()), doing_(doing) {}
  Result<void> Write(std::string_view bytes) override;

 private:
  int socket_;
  std::string doing_;
};

class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string_view bytes) : rest_(bytes) {}
  Result<size_t> Read(std::span<char> into) override;

 private:
  std::string_view rest_;
};

class StringSink final : public ByteSink {
 public:
  Result<void> Write(std::string_view bytes) override {
    text_.append(bytes);
    return {};
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace cay::archive
