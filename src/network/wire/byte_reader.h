// ByteReader: numbers in network order, and bytes with their length before them, from the front of
// what an attacker sent. It allocates nothing, gives views into the input, and fails (kProtocol) on
// what the rest of the input does not hold.
//
//   ByteReader reader(bytes);
//   const uint32_t type = TRY(reader.Integer(2));
//   ByteReader list(TRY(reader.Vector(2)));          // of at most 65,535 bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace cay::network {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  Result<std::string_view> Take(size_t bytes) {
    if (bytes > rest_.size()) {
      return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, "the message is cut short"));
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  // Of `width` bytes, 1 to 4.
  Result<uint32_t> Integer(size_t width) {
    uint32_t value = 0;
    for (const char byte : TRY(Take(width))) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }

  // A length of `width` bytes, and as many bytes as it says.
  Result<std::string_view> Vector(size_t width) { return Take(TRY(Integer(width))); }

  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace cay::network
