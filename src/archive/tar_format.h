// The tar format as bytes: 512-byte headers (POSIX.1-2017 ustar, pax interchange format; GNU tar
// manual, "Basic Tar Format" and "Sparse Formats"). Pure: no I/O.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_entry.h"
#include "base/result.h"

namespace cay::archive::tar {

inline constexpr size_t kBlockBytes = 512;
using Block = std::array<char, kBlockBytes>;

// Offsets and widths of the header's fields.
struct Field {
  size_t offset;
  size_t width;
};
inline constexpr Field kName{0, 100};
inline constexpr Field kMode{100, 8};
inline constexpr Field kUid{108, 8};
inline constexpr Field kGid{116, 8};
inline constexpr Field kSize{124, 12};
inline constexpr Field kMtime{136, 12};
inline constexpr Field kChecksum{148, 8};
inline constexpr Field kType{156, 1};
inline constexpr Field kLinkName{157, 100};
inline constexpr Field kMagic{257, 8};  // magic and version
inline constexpr Field kDeviceMajor{329, 8};
inline constexpr Field kDeviceMinor{337, 8};
inline constexpr Field kPrefix{345, 155};
// Of the old GNU format: four runs of data, a flag for further blocks, the file's size.
inline constexpr Field kGnuSparse{386, 96};
inline constexpr Field kGnuSparseExtended{482, 1};
inline constexpr Field kGnuRealSize{483, 12};
inline constexpr Field kGnuExtendedSparse{0, 504};
inline constexpr Field kGnuExtendedMore{504, 1};

std::string_view FieldBytes(const Block& block, Field field);

// Up to the first NUL.
std::string FieldText(const Block& block, Field field);

// Octal digits, or GNU's base-256 when the high bit of the first byte is set. Empty is 0.
Result<int64_t> ParseNumber(std::string_view field);

bool IsZero(const Block& block);
bool ChecksumMatches(const Block& block);
void SetChecksum(Block& block);

// Octal with a terminating NUL; base-256 when it does not fit.
void PutNumber(Block& block, Field field, int64_t value);
// False when it does not fit (nothing was written).
bool PutText(Block& block, Field field, std::string_view text);

// Runs of data from the old GNU format's table; ends at the first run without a length.
Result<void> ParseGnuSparse(std::string_view table, std::vector<Segment>& segments);

// "OFFSET,LENGTH,OFFSET,LENGTH": the value of GNU.sparse.map.
Result<std::vector<Segment>> ParseSparseList(std::string_view list);

// The records of an extended header, "LENGTH KEY=VALUE\n". A key may be there several times only in
// GNU's sparse format 0.0, which lists its runs so.
struct PaxRecord {
  std::string key;
  std::string value;
};
Result<std::vector<PaxRecord>> ParsePax(std::string_view records);
void AppendPax(std::string& records, std::string_view key, std::string_view value);

// "1700000000.25", also negative. Digits below a nanosecond are dropped.
Result<Timestamp> ParsePaxTime(std::string_view text);
std::string FormatPaxTime(const Timestamp& time);

// Decimal digits only.
Result<uint64_t> ParseDecimal(std::string_view text);

// kInvalidArgument unless runs ascend without overlap, end at or before `size`, and hold `stored`
// bytes.
Result<void> CheckSegments(const std::vector<Segment>& segments, uint64_t size, uint64_t stored);

}  // namespace cay::archive::tar
