#include "archive/compression.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

namespace cay::archive {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr int kMaxZstdWindowLog = 27;
constexpr int kGzipWindowBits = 15 + 16;  // zlib.h: 16 selects the gzip wrapper
constexpr int kGzipLevel = 6;
constexpr int kZstdLevel = 3;

Failure Damaged(std::string_view format) {
  return Failure(
      Error::Invalid("archive: the " + std::string(format) + " stream is damaged or cut short"));
}

// RFC 8878, 3.1.2: magic 0x184D2A50 to 0x184D2A5F, little-endian. Parallel compressors begin so.
bool BeginsWithSkippableFrame(std::string_view head) {
  return head.size() >= 4 && (static_cast<unsigned char>(head[0]) & 0xf0U) == 0x50U &&
         head.substr(1).starts_with("\x2a\x4d\x18");
}

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

// Input in pieces; what both decompressors need.
class Input {
 public:
  explicit Input(Peeked source) : source_(std::move(source)), buffer_(kBufferBytes) {}

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

class PlainSource final : public ByteSource {
 public:
  explicit PlainSource(Peeked source) : source_(std::move(source)) {}
  Result<size_t> Read(std::span<char> into) override { return source_.Read(into); }

 private:
  Peeked source_;
};

class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(Peeked source) : input_(std::move(source)) {
    ready_ = ::inflateInit2(&stream_, kGzipWindowBits) == Z_OK;
  }
  ~GzipSource() override { ::inflateEnd(&stream_); }

  Result<size_t> Read(std::span<char> into) override {
    if (!ready_) return Damaged("gzip");
    stream_.next_out = reinterpret_cast<Bytef*>(into.data());
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(into.size(), 1U << 30U));
    const uInt room = stream_.avail_out;
    while (stream_.avail_out == room && room > 0) {
      if (!TRY(input_.Fill())) {
        if (!between_members_) return Damaged("gzip");
        return 0;
      }
      const std::span<char> rest = input_.rest();
      if (between_members_ && first_done_) {
        // After a member: another one, or padding, which ends the stream (gzip(1) ignores it too).
        if (rest[0] != '\x1f') return 0;
        if (::inflateReset(&stream_) != Z_OK) return Damaged("gzip");
      }
      between_members_ = false;
      stream_.next_in = reinterpret_cast<Bytef*>(rest.data());
      stream_.avail_in = static_cast<uInt>(rest.size());
      const int status = ::inflate(&stream_, Z_NO_FLUSH);
      input_.Take(rest.size() - stream_.avail_in);
      if (status == Z_STREAM_END) {
        between_members_ = true;
        first_done_ = true;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return Damaged("gzip");
      }
    }
    return room - stream_.avail_out;
  }

 private:
  Input input_;
  z_stream stream_{};
  bool ready_ = false;
  bool between_members_ = false;
  bool first_done_ = false;
};

struct ZstdFree {
  void operator()(ZSTD_DStream* stream) const { ::ZSTD_freeDStream(stream); }
  void operator()(ZSTD_CCtx* context) const { ::ZSTD_freeCCtx(context); }
};

class ZstdSource final : public ByteSource {
 public:
  explicit ZstdSource(Peeked source) : input_(std::move(source)), stream_(::ZSTD_createDStream()) {
    if (stream_) ::ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kMaxZstdWindowLog);
  }

  Result<size_t> Read(std::span<char> into) override {
    if (!stream_) return Damaged("zstd");
    ZSTD_outBuffer out{.dst = into.data(), .size = into.size(), .pos = 0};
    while (out.pos == 0 && !into.empty()) {
      // What is still inside the decoder comes out before more is put in.
      if (!flushed_ || TRY(input_.Fill())) {
        const std::span<char> rest = input_.rest();
        ZSTD_inBuffer in{.src = rest.data(), .size = rest.size(), .pos = 0};
        const size_t status = ::ZSTD_decompressStream(stream_.get(), &out, &in);
        if (::ZSTD_isError(status) != 0) return Damaged("zstd");
        input_.Take(in.pos);
        frame_open_ = status != 0;
        flushed_ = out.pos < out.size;
      } else {
        if (frame_open_) return Damaged("zstd");
        return 0;
      }
    }
    return out.pos;
  }

 private:
  Input input_;
  std::unique_ptr<ZSTD_DStream, ZstdFree> stream_;
  bool frame_open_ = false;
  bool flushed_ = true;
};

class PlainSink final : public CompressedSink {
 public:
  explicit PlainSink(ByteSink& sink) : sink_(sink) {}
  Result<void> Write(std::string_view bytes) override { return sink_.Write(bytes); }
  Result<void> Finish() override { return {}; }

 private:
  ByteSink& sink_;
};

class GzipSink final : public CompressedSink {
 public:
  explicit GzipSink(ByteSink& sink) : sink_(sink), buffer_(kBufferBytes) {
    ready_ = ::deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindowBits, 8,
                            Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~GzipSink() override { ::deflateEnd(&stream_); }

  Result<void> Write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, 1U << 30U);
      TRY(Deflate(piece, Z_NO_FLUSH));
      bytes.remove_prefix(piece.size());
    }
    return {};
  }
  Result<void> Finish() override { return Deflate({}, Z_FINISH); }

 private:
  Result<void> Deflate(std::string_view bytes, int flush) {
    if (!ready_) return Failure(Error::FromErrno("gzip", ENOMEM));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      ::deflate(&stream_, flush);
      TRY(sink_.Write({buffer_.data(), buffer_.size() - stream_.avail_out}));
    } while (stream_.avail_out == 0);
    return {};
  }

  ByteSink& sink_;
  std::vector<char> buffer_;
  z_stream stream_{};
  bool ready_ = false;
};

class ZstdSink final : public CompressedSink {
 public:
  explicit ZstdSink(ByteSink& sink)
      : sink_(sink), buffer_(kBufferBytes), context_(::ZSTD_createCCtx()) {
    if (!context_) return;
    ::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel);
    ::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
  }
  Result<void> Write(std::string_view bytes) override { return Run(bytes, ZSTD_e_continue); }
  Result<void> Finish() override { return Run({}, ZSTD_e_end); }

 private:
  Result<void> Run(std::string_view bytes, ZSTD_EndDirective directive) {
    if (!context_) return Failure(Error::FromErrno("zstd", ENOMEM));
    ZSTD_inBuffer in{.src = bytes.data(), .size = bytes.size(), .pos = 0};
    while (true) {
      ZSTD_outBuffer out{.dst = buffer_.data(), .size = buffer_.size(), .pos = 0};
      const size_t left = ::ZSTD_compressStream2(context_.get(), &out, &in, directive);
      if (::ZSTD_isError(left) != 0) return Failure(Error::FromErrno("zstd", ENOMEM));
      if (out.pos > 0) TRY(sink_.Write({buffer_.data(), out.pos}));
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  ByteSink& sink_;
  std::vector<char> buffer_;
  std::unique_ptr<ZSTD_CCtx, ZstdFree> context_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> Decompress(ByteSource& source,
                                               std::optional<Compression> expected) {
  using Name = std::pair<std::string_view, std::string_view>;
  Peeked peeked(source);
  const std::string head(TRY(peeked.Peek()));
  for (const auto& [magic, name] : {Name("\xfd"
                                         "7zXZ",
                                         "xz"),
                                    Name("BZh", "bzip2"), Name("PK\x03\x04", "zip")}) {
    if (head.starts_with(magic)) {
      return Failure(Error::Invalid("archive: it is compressed with " + std::string(name) +
                                    "; tar, plain or with gzip or zstd, is understood"));
    }
  }
  Compression found = Compression::kNone;
  if (head.starts_with("\x1f\x8b")) found = Compression::kGzip;
  if (head.starts_with("\x28\xb5\x2f\xfd") || BeginsWithSkippableFrame(head)) {
    found = Compression::kZstd;
  }
  if (expected && *expected != found) {
    return Failure(Error::Invalid("archive: it is not in the stated format"));
  }
  switch (found) {
    case Compression::kGzip:
      return std::make_unique<GzipSource>(std::move(peeked));
    case Compression::kZstd:
      return std::make_unique<ZstdSource>(std::move(peeked));
    case Compression::kNone:
      break;
  }
  return std::make_unique<PlainSource>(std::move(peeked));
}

Result<std::unique_ptr<CompressedSink>> Compress(ByteSink& sink, Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return std::make_unique<GzipSink>(sink);
    case Compression::kZstd:
      return std::make_unique<ZstdSink>(sink);
    case Compression::kNone:
      break;
  }
  return std::make_unique<PlainSink>(sink);
}

}  // namespace cay::archive
