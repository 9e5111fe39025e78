#include "archive/tar_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/units.h"

namespace cay::archive {

using tar::Block;
using tar::FieldBytes;
using tar::FieldText;
using tar::kBlockBytes;
using tar::ParseNumber;

namespace {

constexpr uint64_t kMaxExtendedBytes = 1 << 20;
// After the end marker writers pad to a record (10 KiB for tar, up to 1 MiB by option).
constexpr uint64_t kMaxTrailingBytes = 4 << 20;
constexpr int kMaxHeadersPerEntry = 16;

uint64_t PaddingOf(uint64_t size) { return (kBlockBytes - size % kBlockBytes) % kBlockBytes; }

EntryType TypeOf(char flag, bool name_ends_in_slash) {
  switch (flag) {
    case '\0':
    case '0':
      return name_ends_in_slash ? EntryType::kDirectory : EntryType::kFile;
    case '7':
    case 'S':
      return EntryType::kFile;
    case '1':
      return EntryType::kHardLink;
    case '2':
      return EntryType::kSymlink;
    case '3':
      return EntryType::kCharDevice;
    case '4':
      return EntryType::kBlockDevice;
    case '5':
      return EntryType::kDirectory;
    case '6':
      return EntryType::kFifo;
    default:
      return EntryType::kOther;
  }
}

}  // namespace

// What extended headers said about the member that follows them.
struct TarReader::Extended {
  std::optional<std::string> path;
  std::optional<std::string> link_target;
  std::optional<uint64_t> size;
  std::optional<uint64_t> uid;
  std::optional<uint64_t> gid;
  std::optional<Timestamp> mtime;
  std::vector<std::pair<std::string, std::string>> xattrs;
  std::optional<std::string> sparse_name;
  std::optional<uint64_t> sparse_size;
  bool sparse_in_data = false;  // format 1.0: the map stands before the data
  bool sparse_in_header = false;
  std::vector<Segment> segments;
  std::optional<uint64_t> open_segment;  // format 0.0: an offset whose length comes next
};

Failure TarReader::Malformed(std::string_view what) const {
  return Failure(Error::Invalid("archive: " + std::string(what) + " (at byte " +
                                std::to_string(offset_) + ")"));
}

Result<void> TarReader::ReadExactly(std::span<char> into) {
  while (!into.empty()) {
    const size_t got = TRY(source_.Read(into));
    if (got == 0) return Malformed("it is cut short");
    offset_ += got;
    into = into.subspan(got);
    TRY(CheckLimit());
  }
  return {};
}

Result<void> TarReader::CheckLimit() const {
  if (offset_ <= limit_) return {};
  return Failure(
      Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
            "archive: its unpacked content is over the maximum of " + HumanBytes(limit_)));
}

Result<bool> TarReader::ReadBlock(Block& block) {
  const size_t first = TRY(source_.Read(block));
  if (first == 0) return false;
  offset_ += first;
  TRY(ReadExactly(std::span(block).subspan(first)));
  return true;
}

Result<std::string> TarReader::ReadSmall(uint64_t size) {
  if (size > kMaxExtendedBytes) return Malformed("an extended header is over 1 MiB");
  std::string out(size + PaddingOf(size), '\0');
  TRY(ReadExactly(out));
  out.resize(size);
  return out;
}

Result<void> TarReader::SkipData() {
  std::array<char, 16 * 1024> sink;
  uint64_t left = data_left_ + padding_left_;
  data_left_ = padding_left_ = 0;
  while (left > 0) {
    const uint64_t skipped = TRY(source_.Skip(left));
    if (skipped == 0) break;
    offset_ += skipped;
    left -= skipped;
    TRY(CheckLimit());
  }
  while (left > 0) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(left, sink.size()));
    TRY(ReadExactly(std::span(sink).first(count)));
    left -= count;
  }
  return {};
}

Result<size_t> TarReader::ReadData(std::span<char> into) {
  if (data_left_ == 0 || into.empty()) return 0;
  const size_t want = static_cast<size_t>(std::min<uint64_t>(data_left_, into.size()));
  const size_t got = TRY(source_.Read(into.first(want)));
  if (got == 0) return Malformed("it is cut short");
  offset_ += got;
  data_left_ -= got;
  TRY(CheckLimit());
  return got;
}

Result<std::optional<TarEntry>> TarReader::FinishStream() {
  ended_ = true;
  // Reading on to the end lets a compressed stream check its sum, and keeps a pipe's writer alive.
  std::array<char, 16 * 1024> sink;
  uint64_t trailing = 0;
  while (trailing < kMaxTrailingBytes) {
    const size_t got = TRY(source_.Read(sink));
    if (got == 0) break;
    offset_ += got;
    trailing += got;
  }
  return std::optional<TarEntry>();
}

Result<std::optional<TarEntry>> TarReader::Next() {
  if (ended_) return std::optional<TarEntry>();
  TRY(SkipData());
  Extended extended;
  for (int headers = 0; headers < kMaxHeadersPerEntry; ++headers) {
    Block block;
    if (!TRY(ReadBlock(block))) return Malformed("it is cut short: there is no end marker");
    if (tar::IsZero(block)) {
      if (headers > 0) return Malformed("an extended header has no member after it");
      return FinishStream();
    }
    if (!tar::ChecksumMatches(block)) {
      return Malformed(offset_ == kBlockBytes ? "this is not a tar archive"
                                              : "a header's checksum is wrong");
    }
    const int64_t size = TRY(ParseNumber(FieldBytes(block, tar::kSize)));
    if (size < 0) return Malformed("a size is negative");
    const char type = FieldBytes(block, tar::kType).front();
    switch (type) {
      case 'x':
      case 'X':
      case 'g':
      case 'L':
      case 'K':
        TRY(ReadExtended(block, static_cast<uint64_t>(size), extended));
        break;
      case 'M':
        return Malformed("it continues another volume");
      default:
        return TRY(MakeEntry(block, extended));
    }
  }
  return Malformed("a member has too many extended headers");
}

Result<void> TarReader::ReadExtended(const Block& block, uint64_t size, Extended& extended) {
  std::string text = TRY(ReadSmall(size));
  const char type = FieldBytes(block, tar::kType).front();
  switch (type) {
    case 'L':
    case 'K': {
      text.resize(std::min(text.find('\0'), text.size()));
      (type == 'L' ? extended.path : extended.link_target) = std::move(text);
      return {};
    }
    case 'g':
      return {};
    default:
      return ApplyPax(text, extended);
  }
}

Result<void> TarReader::ApplyPax(const std::string& records, Extended& extended) {
  constexpr std::string_view kXattr = "SCHILY.xattr.";
  for (tar::PaxRecord& record : TRY(tar::ParsePax(records))) {
    const std::string_view key = record.key;
    if (key == "path") {
      extended.path = std::move(record.value);
    } else if (key == "linkpath") {
      extended.link_target = std::move(record.value);
    } else if (key == "size") {
      extended.size = TRY(tar::ParseDecimal(record.value));
    } else if (key == "uid") {
      extended.uid = TRY(tar::ParseDecimal(record.value));
    } else if (key == "gid") {
      extended.gid = TRY(tar::ParseDecimal(record.value));
    } else if (key == "mtime") {
      extended.mtime = TRY(tar::ParsePaxTime(record.value));
    } else if (key.starts_with(kXattr)) {
      extended.xattrs.emplace_back(key.substr(kXattr.size()), std::move(record.value));
    } else if (key == "GNU.sparse.major") {
      if (record.value == "1") extended.sparse_in_data = true;
    } else if (key == "GNU.sparse.name") {
      extended.sparse_name = std::move(record.value);
    } else if (key == "GNU.sparse.realsize" || key == "GNU.sparse.size") {
      extended.sparse_size = TRY(tar::ParseDecimal(record.value));
    } else if (key == "GNU.sparse.offset") {
      extended.sparse_in_header = true;
      extended.open_segment = TRY(tar::ParseDecimal(record.value));
    } else if (key == "GNU.sparse.numbytes") {
      if (!extended.open_segment || extended.segments.size() >= kMaxSegments) {
        return Malformed("a sparse map is wrong");
      }
      const uint64_t length = TRY(tar::ParseDecimal(record.value));
      extended.segments.push_back({.offset = *extended.open_segment, .length = length});
      extended.open_segment.reset();
    } else if (key == "GNU.sparse.map") {
      extended.sparse_in_header = true;
      extended.segments = TRY(tar::ParseSparseList(record.value));
    }
  }
  return {};
}

Result<TarEntry> TarReader::MakeEntry(const Block& block, Extended& extended) {
  const char flag = FieldBytes(block, tar::kType).front();
  TarEntry entry;
  entry.path = FieldText(block, tar::kName);
  // GNU's own magic means that the prefix field holds other things.
  if (FieldBytes(block, tar::kMagic).starts_with(std::string_view("ustar\0", 6))) {
    const std::string prefix = FieldText(block, tar::kPrefix);
    if (!prefix.empty()) entry.path = prefix + "/" + entry.path;
  }
  entry.link_target = FieldText(block, tar::kLinkName);
  const int64_t uid = TRY(ParseNumber(FieldBytes(block, tar::kUid)));
  const int64_t gid = TRY(ParseNumber(FieldBytes(block, tar::kGid)));
  if (uid < 0 || gid < 0) return Malformed("an owner is negative");
  entry.uid = extended.uid.value_or(static_cast<uint64_t>(uid));
  entry.gid = extended.gid.value_or(static_cast<uint64_t>(gid));
  entry.mode = static_cast<mode_t>(TRY(ParseNumber(FieldBytes(block, tar::kMode))) & 07777);
  entry.mtime.seconds = TRY(ParseNumber(FieldBytes(block, tar::kMtime)));
  if (extended.mtime) entry.mtime = *extended.mtime;
  if (extended.path) entry.path = *std::move(extended.path);
  if (extended.link_target) entry.link_target = *std::move(extended.link_target);
  entry.xattrs = std::move(extended.xattrs);
  entry.type = TypeOf(flag, entry.path.ends_with('/'));
  if (entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice) {
    entry.device_major =
        static_cast<uint32_t>(TRY(ParseNumber(FieldBytes(block, tar::kDeviceMajor))));
    entry.device_minor =
        static_cast<uint32_t>(TRY(ParseNumber(FieldBytes(block, tar::kDeviceMinor))));
  }

  entry.size = extended.size.value_or(
      static_cast<uint64_t>(TRY(ParseNumber(FieldBytes(block, tar::kSize)))));
  const bool has_data = entry.type == EntryType::kFile || entry.type == EntryType::kOther;
  if (!has_data) entry.size = 0;
  data_left_ = entry.size;
  padding_left_ = PaddingOf(entry.size);
  if (entry.type == EntryType::kFile) TRY(ReadSparse(block, extended, entry));
  return entry;
}

Result<void> TarReader::ReadSparse(const Block& block, Extended& extended, TarEntry& entry) {
  if (FieldBytes(block, tar::kType).front() == 'S') {
    TRY(ReadOldGnuSparse(block, entry));
  } else if (extended.sparse_in_data) {
    if (!extended.sparse_size) return Malformed("a sparse file has no size");
    TRY(ReadPaxSparseMap(entry));
    entry.size = *extended.sparse_size;
  } else if (extended.sparse_in_header) {
    if (!extended.sparse_size || extended.open_segment) return Malformed("a sparse map is wrong");
    entry.segments = std::move(extended.segments);
    entry.size = *extended.sparse_size;
  } else {
    return {};
  }
  entry.sparse = true;
  if (extended.sparse_name) entry.path = *std::move(extended.sparse_name);
  return tar::CheckSegments(entry.segments, entry.size, data_left_);
}

Result<void> TarReader::ReadOldGnuSparse(const Block& block, TarEntry& entry) {
  TRY(tar::ParseGnuSparse(FieldBytes(block, tar::kGnuSparse), entry.segments));
  bool more = FieldBytes(block, tar::kGnuSparseExtended).front() != 0;
  while (more) {
    Block extension;
    TRY(ReadExactly(extension));
    const size_t before = entry.segments.size();
    TRY(tar::ParseGnuSparse(FieldBytes(extension, tar::kGnuExtendedSparse), entry.segments));
    // An extension without a run would let a stream of them go on for ever.
    if (entry.segments.size() == before) return Malformed("a sparse map has an empty extension");
    more = FieldBytes(extension, tar::kGnuExtendedMore).front() != 0;
  }
  const int64_t real_size = TRY(ParseNumber(FieldBytes(block, tar::kGnuRealSize)));
  if (real_size < 0) return Malformed("a size is negative");
  entry.size = static_cast<uint64_t>(real_size);
  return {};
}

// "COUNT\nOFFSET\nLENGTH\n…", padded to a block; part of the member's data.
Result<void> TarReader::ReadPaxSparseMap(TarEntry& entry) {
  constexpr size_t kMaxDigits = 20;
  std::vector<uint64_t> numbers;
  uint64_t wanted = 1;  // until the first number says how many follow
  std::string digits;
  while (numbers.size() < wanted) {
    Block block;
    if (data_left_ < kBlockBytes) return Malformed("a sparse map is cut short");
    TRY(ReadExactly(block));
    data_left_ -= kBlockBytes;
    for (const char c : block) {
      if (numbers.size() == wanted) break;
      if (c != '\n') {
        digits += c;
        if (digits.size() > kMaxDigits) return Malformed("a sparse map is wrong");
        continue;
      }
      numbers.push_back(TRY(tar::ParseDecimal(digits)));
      digits.clear();
      if (numbers.size() > 1) continue;
      if (numbers.front() > kMaxSegments) return Malformed("a sparse map is too long");
      wanted = 1 + 2 * numbers.front();
    }
  }
  for (size_t i = 1; i + 1 < numbers.size(); i += 2) {
    entry.segments.push_back({.offset = numbers[i], .length = numbers[i + 1]});
  }
  return {};
}

}  // namespace cay::archive
