#include "archive/formats/any_compression.h"

#include <bzlib.h>
#include <lzma.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/compression.h"
#include "base/units.h"

namespace cay::archive {
namespace {

constexpr Bytes kMaxXzMemory = 128 * kMiB;
constexpr size_t kBufferBytes = 64 * 1024;
constexpr size_t kMaxStep = 1U << 30U;

Failure Damaged(std::string_view format) {
  return Failure(
      Error::Invalid("archive: the " + std::string(format) + " stream is damaged or cut short"));
}

// Input in pieces, of which the first can be looked at.
class Input {
 public:
  explicit Input(ByteSource& source) : source_(source), buffer_(kBufferBytes) {}

  // At least `count` of the first bytes, or all there are.
  Result<std::string_view> Peek(size_t count) {
    while (used_ < count) {
      const size_t got = TRY(source_.Read(std::span(buffer_).subspan(used_)));
      if (got == 0) break;
      used_ += got;
    }
    return std::string_view(buffer_.data(), used_);
  }
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
  ByteSource& source_;
  std::vector<char> buffer_;
  size_t used_ = 0;
  size_t taken_ = 0;
};

class XzSource final : public ByteSource {
 public:
  explicit XzSource(Input input) : input_(std::move(input)) {
    ready_ = ::lzma_stream_decoder(&stream_, kMaxXzMemory, LZMA_CONCATENATED) == LZMA_OK;
  }
  ~XzSource() override { ::lzma_end(&stream_); }
  XzSource(const XzSource&) = delete;
  XzSource& operator=(const XzSource&) = delete;

  Result<size_t> Read(std::span<char> into) override {
    if (!ready_) return Damaged("xz");
    stream_.next_out = reinterpret_cast<uint8_t*>(into.data());
    stream_.avail_out = std::min(into.size(), kMaxStep);
    const size_t room = stream_.avail_out;
    while (!ended_ && stream_.avail_out == room && room > 0) {
      const bool more = TRY(input_.Fill());
      const std::span<char> rest = input_.rest();
      stream_.next_in = reinterpret_cast<const uint8_t*>(rest.data());
      stream_.avail_in = rest.size();
      const lzma_ret status = ::lzma_code(&stream_, more ? LZMA_RUN : LZMA_FINISH);
      input_.Take(rest.size() - stream_.avail_in);
      if (status == LZMA_MEMLIMIT_ERROR) {
        return Failure(
            Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                  "archive: to decompress it takes more memory than " + HumanBytes(kMaxXzMemory)));
      }
      if (status == LZMA_STREAM_END) {
        ended_ = true;
      } else if (status != LZMA_OK) {
        return Damaged("xz");
      }
    }
    return room - stream_.avail_out;
  }

 private:
  Input input_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_ = false;
  bool ended_ = false;
};

class Bzip2Source final : public ByteSource {
 public:
  explicit Bzip2Source(Input input) : input_(std::move(input)) { Begin(); }
  ~Bzip2Source() override { ::BZ2_bzDecompressEnd(&stream_); }
  Bzip2Source(const Bzip2Source&) = delete;
  Bzip2Source& operator=(const Bzip2Source&) = delete;

  Result<size_t> Read(std::span<char> into) override {
    if (!ready_) return Damaged("bzip2");
    stream_.next_out = into.data();
    stream_.avail_out = static_cast<unsigned>(std::min(into.size(), kMaxStep));
    const unsigned room = stream_.avail_out;
    while (!ended_ && stream_.avail_out == room && room > 0) {
      const bool more = TRY(input_.Fill());
      const std::span<char> rest = input_.rest();
      if (between_streams_) {
        if (!more || rest[0] != 'B') {
          ended_ = true;
          break;
        }
        ::BZ2_bzDecompressEnd(&stream_);
        Begin(into);
        if (!ready_) return Damaged("bzip2");
      }
      if (!more) return Damaged("bzip2");
      stream_.next_in = rest.data();
      stream_.avail_in = static_cast<unsigned>(rest.size());
      const int status = ::BZ2_bzDecompress(&stream_);
      input_.Take(rest.size() - stream_.avail_in);
      between_streams_ = status == BZ_STREAM_END;
      if (status != BZ_OK && status != BZ_STREAM_END) return Damaged("bzip2");
    }
    return room - stream_.avail_out;
  }

 private:
  void Begin(std::span<char> into = {}) {
    stream_ = {};
    ready_ = ::BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK;
    stream_.next_out = into.data();
    stream_.avail_out = static_cast<unsigned>(std::min(into.size(), kMaxStep));
    between_streams_ = false;
  }

  Input input_;
  bz_stream stream_{};
  bool ready_ = false;
  bool between_streams_ = false;
  bool ended_ = false;
};

// What Decompress gives, with the source that it borrows.
class Other final : public ByteSource {
 public:
  explicit Other(Input input) : ahead_(std::move(input)) {}
  Result<void> Begin() {
    plain_ = TRY(Decompress(ahead_));
    return {};
  }
  Result<size_t> Read(std::span<char> into) override { return plain_->Read(into); }

 private:
  class Ahead final : public ByteSource {
   public:
    explicit Ahead(Input input) : input_(std::move(input)) {}
    Result<size_t> Read(std::span<char> into) override {
      if (!TRY(input_.Fill())) return 0;
      const std::span<char> rest = input_.rest();
      const size_t count = std::min(rest.size(), into.size());
      std::copy_n(rest.begin(), count, into.begin());
      input_.Take(count);
      return count;
    }

   private:
    Input input_;
  };

  Ahead ahead_;
  std::unique_ptr<ByteSource> plain_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> DecompressAny(ByteSource& source) {
  constexpr size_t kHeadBytes = 6;
  Input input(source);
  const std::string head(TRY(input.Peek(kHeadBytes)).substr(0, kHeadBytes));
  constexpr std::string_view kXz(
      "\xfd"
      "7zXZ\0",
      6);
  if (head == kXz) return std::make_unique<XzSource>(std::move(input));
  // "BZh", a digit, and the first two bytes of a block or of the end.
  if (head.starts_with("BZh") && head.size() == kHeadBytes &&
      (head.substr(4) == "1A" || head.substr(4) == "\x17r")) {
    return std::make_unique<Bzip2Source>(std::move(input));
  }
  auto other = std::make_unique<Other>(std::move(input));
  TRY(other->Begin());
  return other;
}

}  // namespace cay::archive
