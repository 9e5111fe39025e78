// Beginnings of connections over TLS: whatever the bytes, more of them never change an answer, and
// how a hello is cut into records makes no difference.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "network/wire/client_hello.h"

namespace {

using cay::network::ClientHello;
using cay::network::Peek;
using cay::network::ReadClientHello;

void Check(bool condition) {
  if (!condition) std::abort();
}

bool Same(const ClientHello& one, const ClientHello& other) {
  return one.name == other.name && one.has_encrypted_hello == other.has_encrypted_hello;
}

// The handshake message in the records of a hello that was found.
std::string MessageOf(std::string_view bytes) {
  const auto at = [&](std::string_view of, size_t i) {
    return static_cast<size_t>(static_cast<uint8_t>(of[i]));
  };
  std::string message;
  while (message.size() < 4 ||
         message.size() < 4 + (at(message, 1) << 16 | at(message, 2) << 8 | at(message, 3))) {
    Check(bytes.size() > 5 && bytes[0] == 22 && bytes[1] == 3);
    const size_t length = at(bytes, 3) << 8 | at(bytes, 4);
    Check(length > 0 && bytes.size() >= 5 + length);
    message += bytes.substr(5, length);
    bytes.remove_prefix(5 + length);
  }
  return message;
}

void CheckInRecordsOf(std::string_view message, size_t size, const ClientHello& hello) {
  std::string records;
  for (size_t at = 0; at < message.size(); at += size) {
    const std::string_view part = message.substr(at, size);
    records += "\x16\x03\x01";
    records += static_cast<char>(part.size() >> 8);
    records += static_cast<char>(part.size() & 0xff);
    records += part;
  }
  ClientHello again;
  const Peek peek = ReadClientHello(records, again);
  if (records.size() > cay::network::kMaxPeek) {
    Check(peek == Peek::kBad);
  } else {
    Check(peek == Peek::kFound && Same(again, hello));
    Check(ReadClientHello(records.substr(0, records.size() - 1), again) == Peek::kMore);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  ClientHello hello;
  const Peek whole = ReadClientHello(bytes, hello);
  for (size_t at = 0; at < bytes.size(); at += 1 + at / 32) {
    ClientHello early;
    const Peek peek = ReadClientHello(bytes.substr(0, at), early);
    Check(peek == Peek::kMore || (peek == whole && Same(early, hello)));
  }
  Check(whole != Peek::kMore || bytes.size() < cay::network::kMaxPeek);
  if (whole != Peek::kFound) {
    Check(hello.name.empty() && !hello.has_encrypted_hello);
    return 0;
  }
  Check(hello.name.size() <= ClientHello::kMaxName);
  Check(hello.name.find('\0') == std::string::npos);
  CheckInRecordsOf(MessageOf(bytes), 1 + size_t{data[0]}, hello);
  return 0;
}
