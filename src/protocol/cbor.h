// Cbor: a small strict writer and reader of RFC 8949, in the part of it that Cay needs: unsigned
// and negative integers, byte strings, text, arrays, maps, booleans; definite lengths only,
// integers in their shortest form only (section 4.2.1), text in valid UTF-8.
//
//   CborWriter writer;
//   writer.Map(1).Unsigned(1).Bytes("ls");
//
//   CborReader reader(payload);
//   size_t pairs = TRY(reader.Map(8));          // at most 8
//   uint64_t key = TRY(reader.Unsigned());
//   std::string_view value = TRY(reader.Bytes(4096));
//   TRY(reader.End());                          // nothing may follow
//
// The reader is for hostile input: it allocates nothing, gives views into the input, never
// recurses, and fails (kProtocol) on any other shape, on a length over the stated limit, and on a
// count that the rest of the input could not hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::protocol {

class CborWriter {
 public:
  CborWriter& Unsigned(uint64_t value);
  CborWriter& Signed(int64_t value);
  CborWriter& Bytes(std::string_view value);
  CborWriter& Text(std::string_view value);  // the caller's word that it is UTF-8
  CborWriter& Bool(bool value);
  CborWriter& Array(size_t count);              // `count` items follow
  CborWriter& Map(size_t pairs);                // `pairs` keys, each with its value, follow
  CborWriter& Encoded(std::string_view items);  // as they are

  const std::string& text() const& { return out_; }
  std::string Take() && { return std::move(out_); }

 private:
  void Head(unsigned major, uint64_t value);
  std::string out_;
};

class CborReader {
 public:
  explicit CborReader(std::string_view input) : rest_(input) {}

  Result<uint64_t> Unsigned(uint64_t max = UINT64_MAX);
  Result<int64_t> Signed();
  Result<std::string_view> Bytes(size_t max_bytes);
  Result<std::string_view> Text(size_t max_bytes);
  Result<bool> Bool();
  Result<size_t> Array(size_t max_count);
  Result<size_t> Map(size_t max_pairs);

  // One item, of any kind, with all that is in it.
  Result<void> Skip();

  bool AtEnd() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }  // what was not read yet
  Result<void> End() const;

 private:
  Result<uint64_t> Head(unsigned major);
  Result<std::string_view> Take(uint64_t bytes, size_t max_bytes);

  std::string_view rest_;
};

}  // namespace cay::protocol
