#include "template/layers/unpack_layer.h"

#include <array>
#include <functional>
#include <optional>

#include "archive/compression.h"
#include "crypto/digest.h"
#include "template/layers/layer_writer.h"

namespace cay::templates {
namespace {

constexpr std::string_view kSha256 = "sha256:";

Result<void> CheckForm(std::string_view digest) {
  const size_t colon = digest.find(':');
  if (colon != std::string_view::npos && !digest.starts_with(kSha256)) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "layer: digests of another kind than sha256 are not understood"));
  }
  const std::string_view hex = digest.substr(std::min(kSha256.size(), digest.size()));
  if (hex.size() == Sha256::kHexLength &&
      hex.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
    return {};
  }
  return Failure(Error::Invalid("layer: a digest is not \"sha256:\" and 64 hexadecimal digits"));
}

// Hands bytes through, and counts and digests them: of an archive of our own, only the first.
class DigestingSource final : public archive::ByteSource {
 public:
  DigestingSource(archive::ByteSource& source, std::optional<Sha256> digest, Bytes max_bytes,
                  std::function<Result<void>()> on_read)
      : source_(source),
        digest_(std::move(digest)),
        max_bytes_(max_bytes),
        on_read_(std::move(on_read)) {}

  Result<size_t> Read(std::span<char> into) override {
    const size_t got = TRY(source_.Read(into));
    if (got > max_bytes_ - bytes_) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "layer: it is larger than " + HumanBytes(max_bytes_)));
    }
    bytes_ += got;
    if (digest_) TRY(digest_->Add({into.data(), got}));
    TRY(on_read_());
    return got;
  }

  Result<void> ReadToTheEnd() {
    std::array<char, 64 * 1024> sink;
    while (TRY(Read(sink)) > 0) {
    }
    return {};
  }

  Result<void> Check(std::string_view expected, std::string_view what) {
    const std::string found = std::string(kSha256) + TRY(std::move(*digest_).Hex());
    if (found == expected) return {};
    return Failure(Error::Invalid("layer: the digest of its " + std::string(what) + " is " + found +
                                  ", and not " + std::string(expected)));
  }

  Bytes bytes() const { return bytes_; }

 private:
  archive::ByteSource& source_;
  std::optional<Sha256> digest_;
  Bytes max_bytes_;
  Bytes bytes_ = 0;
  std::function<Result<void>()> on_read_;
};

// Headers and padding come on top of the content, as in archive::Extraction.
Bytes MaxTarBytes(const LayerOptions& options) {
  constexpr Bytes kSlack = 64 * kMiB;
  constexpr Bytes kHeaderBytesPerEntry = 4096;
  const Bytes headers = options.max_entries * kHeaderBytesPerEntry + kSlack;
  return options.max_bytes > UINT64_MAX - headers ? UINT64_MAX : options.max_bytes + headers;
}

// Of what it wrote, `progress` is told after every entry.
archive::UnpackOptions OptionsOf(const LayerOptions& options, LayerProgress& progress,
                                 const std::function<Result<void>()>& tell) {
  archive::UnpackOptions unpack;
  unpack.max_entries = options.max_entries;
  unpack.max_bytes = options.max_bytes;
  unpack.max_file_bytes = options.max_bytes;
  unpack.ownership = options.ownership;
  unpack.keep_sticky_directories = true;
  unpack.on_progress = [&progress, tell](const archive::UnpackReport& report) {
    progress.entries = report.entries;
    progress.bytes = report.bytes;
    return tell();
  };
  return unpack;
}

}  // namespace

Result<LayerReport> UnpackLayer(archive::ByteSource& blob, const LayerDigests& expected,
                                std::span<const Fd> lower, const Fd& root,
                                const LayerOptions& options) {
  TRY(CheckForm(expected.blob));
  TRY(CheckForm(expected.diff_id));
  LayerProgress progress;
  const auto tell = [&]() -> Result<void> {
    return options.on_progress ? options.on_progress(progress) : Result<void>{};
  };
  Sha256 blob_digest = TRY(Sha256::Start());
  DigestingSource packed(blob, std::move(blob_digest), options.max_blob_bytes, [&] {
    progress.blob_bytes = packed.bytes();
    return tell();
  });
  const auto decompressed = TRY(archive::Decompress(packed));
  Sha256 diff_id = TRY(Sha256::Start());
  DigestingSource tar(*decompressed, std::move(diff_id), MaxTarBytes(options),
                      [] { return Result<void>{}; });
  const archive::UnpackOptions unpack = OptionsOf(options, progress, tell);
  LayerReport report = TRY(WriteLayer(tar, lower, root, unpack, options.xattrs));
  // What follows the archive's end belongs to it, and what follows the compressed stream's to the
  // blob: the digests are of all.
  TRY(tar.ReadToTheEnd());
  TRY(packed.ReadToTheEnd());
  TRY(packed.Check(expected.blob, "blob"));
  TRY(tar.Check(expected.diff_id, "content"));
  report.blob_bytes = packed.bytes();
  report.tar_bytes = tar.bytes();
  return report;
}

Result<LayerReport> UnpackLayerTar(archive::ByteSource& tar, std::span<const Fd> lower,
                                   const Fd& root, const LayerOptions& options) {
  LayerProgress progress;
  const auto tell = [&]() -> Result<void> {
    return options.on_progress ? options.on_progress(progress) : Result<void>{};
  };
  DigestingSource counted(tar, std::nullopt, MaxTarBytes(options), [&] {
    progress.blob_bytes = counted.bytes();
    return tell();
  });
  const archive::UnpackOptions unpack = OptionsOf(options, progress, tell);
  LayerReport report = TRY(WriteLayer(counted, lower, root, unpack, options.xattrs));
  TRY(counted.ReadToTheEnd());
  report.blob_bytes = counted.bytes();
  report.tar_bytes = counted.bytes();
  return report;
}

}  // namespace cay::templates
