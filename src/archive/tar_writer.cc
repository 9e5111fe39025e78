#include "archive/tar_writer.h"

#include <string>

#include "archive/tar_format.h"

namespace cay::archive {

using tar::AppendPax;
using tar::Block;
using tar::kBlockBytes;
using tar::PutNumber;
using tar::PutText;

namespace {

constexpr int64_t kMaxOctalSize = (int64_t{1} << 33) - 1;   // 11 digits
constexpr int64_t kMaxOctalOwner = (int64_t{1} << 21) - 1;  // 7 digits

uint64_t PaddingOf(uint64_t size) { return (kBlockBytes - size % kBlockBytes) % kBlockBytes; }

Result<char> TypeFlag(EntryType type) {
  switch (type) {
    case EntryType::kFile:
      return '0';
    case EntryType::kHardLink:
      return '1';
    case EntryType::kSymlink:
      return '2';
    case EntryType::kCharDevice:
      return '3';
    case EntryType::kBlockDevice:
      return '4';
    case EntryType::kDirectory:
      return '5';
    case EntryType::kFifo:
      return '6';
    case EntryType::kOther:
      break;
  }
  return Failure(Error::Invalid("archive: an entry has a type that tar does not know"));
}

std::string SparseMap(const TarEntry& entry) {
  std::string map = std::to_string(entry.segments.size()) + "\n";
  for (const Segment& segment : entry.segments) {
    map += std::to_string(segment.offset) + "\n" + std::to_string(segment.length) + "\n";
  }
  map.resize(map.size() + PaddingOf(map.size()));
  return map;
}

uint64_t StoredBytes(const TarEntry& entry, const std::string& sparse_map) {
  if (entry.type != EntryType::kFile) return 0;
  if (!entry.sparse) return entry.size;
  uint64_t sum = sparse_map.size();
  for (const Segment& segment : entry.segments) sum += segment.length;
  return sum;
}

std::string PaxRecords(const TarEntry& entry, uint64_t stored) {
  std::string records;
  if (entry.path.size() > tar::kName.width) AppendPax(records, "path", entry.path);
  if (entry.link_target.size() > tar::kLinkName.width) {
    AppendPax(records, "linkpath", entry.link_target);
  }
  if (stored > static_cast<uint64_t>(kMaxOctalSize)) {
    AppendPax(records, "size", std::to_string(stored));
  }
  if (entry.uid > kMaxOctalOwner) AppendPax(records, "uid", std::to_string(entry.uid));
  if (entry.gid > kMaxOctalOwner) AppendPax(records, "gid", std::to_string(entry.gid));
  if (entry.mtime.nanoseconds != 0 || entry.mtime.seconds < 0 ||
      entry.mtime.seconds > kMaxOctalSize) {
    AppendPax(records, "mtime", tar::FormatPaxTime(entry.mtime));
  }
  if (entry.sparse) {
    AppendPax(records, "GNU.sparse.major", "1");
    AppendPax(records, "GNU.sparse.minor", "0");
    AppendPax(records, "GNU.sparse.name", entry.path);
    AppendPax(records, "GNU.sparse.realsize", std::to_string(entry.size));
  }
  for (const auto& [name, value] : entry.xattrs) AppendPax(records, "SCHILY.xattr." + name, value);
  return records;
}

int64_t Within(int64_t value, int64_t max) { return value < 0 || value > max ? 0 : value; }

// What pax records say as well may not fit here: a reader that knows pax takes the record.
Block MakeHeader(const TarEntry& entry, std::string_view name, char type, uint64_t size) {
  Block block{};
  PutText(block, tar::kName, name.substr(0, tar::kName.width));
  PutNumber(block, tar::kMode, static_cast<int64_t>(entry.mode & 07777));
  PutNumber(block, tar::kUid, Within(static_cast<int64_t>(entry.uid), kMaxOctalOwner));
  PutNumber(block, tar::kGid, Within(static_cast<int64_t>(entry.gid), kMaxOctalOwner));
  PutNumber(block, tar::kSize, Within(static_cast<int64_t>(size), kMaxOctalSize));
  PutNumber(block, tar::kMtime, Within(entry.mtime.seconds, kMaxOctalSize));
  block[tar::kType.offset] = type;
  PutText(block, tar::kLinkName,
          std::string_view(entry.link_target).substr(0, tar::kLinkName.width));
  PutText(block, tar::kMagic, std::string_view("ustar\00000", 8));
  PutNumber(block, tar::kDeviceMajor, entry.device_major);
  PutNumber(block, tar::kDeviceMinor, entry.device_minor);
  tar::SetChecksum(block);
  return block;
}

std::string_view Bytes(const Block& block) { return {block.data(), block.size()}; }

}  // namespace

Result<void> TarWriter::Begin(const TarEntry& entry) {
  const char type = TRY(TypeFlag(entry.type));
  if (entry.path.empty() || entry.path.size() > kMaxEntryPathBytes ||
      entry.link_target.size() > kMaxEntryPathBytes || entry.segments.size() > kMaxSegments) {
    return Failure(Error::Invalid("archive: an entry's name or sparse map is too long for tar"));
  }
  const std::string map = entry.sparse ? SparseMap(entry) : std::string();
  const uint64_t stored = StoredBytes(entry, map);
  std::string records = PaxRecords(entry, stored);
  if (!records.empty()) {
    TarEntry extended;
    extended.mode = 0644;
    const Block block = MakeHeader(extended, "././@PaxHeader", 'x', records.size());
    records.resize(records.size() + PaddingOf(records.size()));
    TRY(sink_.Write(Bytes(block)));
    TRY(sink_.Write(records));
  }
  // A sparse file's name stands in its records; here, one that tells a reader without them.
  const std::string name = entry.sparse ? "GNUSparseFile.0/" + entry.path : entry.path;
  TRY(sink_.Write(Bytes(MakeHeader(entry, name, type, stored))));
  TRY(sink_.Write(map));
  data_left_ = stored - map.size();
  padding_ = PaddingOf(stored);
  return {};
}

Result<void> TarWriter::WriteData(std::string_view bytes) {
  if (bytes.size() > data_left_) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                         "archive: more data was written than was announced"));
  }
  data_left_ -= bytes.size();
  return sink_.Write(bytes);
}

Result<void> TarWriter::End() {
  if (data_left_ != 0) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                         "archive: less data was written than was announced"));
  }
  static constexpr Block kZero{};
  return sink_.Write(Bytes(kZero).substr(0, padding_));
}

Result<void> TarWriter::Finish() {
  static constexpr Block kZero{};
  TRY(sink_.Write(Bytes(kZero)));
  return sink_.Write(Bytes(kZero));
}

}  // namespace cay::archive
