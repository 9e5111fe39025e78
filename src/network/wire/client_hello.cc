#include "network/wire/client_hello.h"

#include "base/result.h"
#include "network/wire/byte_reader.h"

namespace cay::network {
namespace {

// RFC 8446, 5.1: types of records. RFC 6520 has the last.
constexpr uint8_t kChangeCipherSpec = 20;
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kHeartbeat = 24;
constexpr uint8_t kTlsMajor = 3;
constexpr uint8_t kMajorOfNoTls = 16;
constexpr size_t kRecordHeader = 5;

// RFC 8446, 4.
constexpr uint8_t kClientHello = 1;
constexpr size_t kMessageHeader = 4;
constexpr size_t kRandom = 32;
constexpr size_t kMaxSessionId = 32;

constexpr uint32_t kServerName = 0;  // RFC 6066, 3
constexpr uint32_t kHostName = 0;
constexpr uint32_t kEncryptedClientHello = 0xfe0d;  // RFC 9849

uint8_t Byte(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

Failure Malformed(const char* what) {
  return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, what));
}

// Whether a server could take the bytes for the beginning of a TLS connection: kFound, kOther, kBad
// or kMore.
Peek Recognize(std::string_view bytes) {
  if (bytes.empty()) return Peek::kMore;
  const uint8_t first = Byte(bytes, 0);
  if ((first & 0x80U) != 0) {  // SSLv2's: a length, the type, the version that is asked for
    if (bytes.size() < 3) return Peek::kMore;
    if (Byte(bytes, 2) != kClientHello) return Peek::kOther;
    if (bytes.size() < 4) return Peek::kMore;
    return Byte(bytes, 3) == kTlsMajor ? Peek::kBad : Peek::kOther;
  }
  if (first < kChangeCipherSpec || first > kHeartbeat) return Peek::kOther;
  if (bytes.size() < 2) return Peek::kMore;
  return Byte(bytes, 1) < kMajorOfNoTls ? Peek::kFound : Peek::kOther;
}

// What of one handshake message is there.
struct Gathered {
  Peek peek;
  std::string message{};  // whole, with its header, where `peek` is kFound
};

Gathered Gather(std::string_view bytes) {
  std::string message;
  while (true) {
    if (!bytes.empty() && Byte(bytes, 0) != kHandshake) return {Peek::kBad};
    if (bytes.size() > 1 && Byte(bytes, 1) != kTlsMajor) return {Peek::kBad};
    if (bytes.size() < kRecordHeader) return {Peek::kMore};
    const size_t length = static_cast<size_t>(Byte(bytes, 3)) << 8 | Byte(bytes, 4);
    if (length == 0) return {Peek::kBad};
    const std::string_view here = bytes.substr(kRecordHeader, length);
    const size_t after = message.size() + length;  // what there is of the message after this record
    message += here;
    if (!message.empty() && Byte(message, 0) != kClientHello) return {Peek::kBad};
    if (message.size() >= kMessageHeader) {
      const size_t whole = kMessageHeader + (static_cast<size_t>(Byte(message, 1)) << 16 |
                                             static_cast<size_t>(Byte(message, 2)) << 8 |
                                             static_cast<size_t>(Byte(message, 3)));
      if (whole + kRecordHeader > kMaxPeek || after > whole) return {Peek::kBad};
      if (message.size() == whole) return {Peek::kFound, std::move(message)};
    }
    if (here.size() < length) return {Peek::kMore};
    bytes.remove_prefix(kRecordHeader + length);
  }
}

Result<std::string> ReadServerName(std::string_view extension) {
  ByteReader reader(extension);
  ByteReader list(TRY(reader.Vector(2)));
  // A list could hold names of other types, and servers do not agree on what they do with them:
  // there are none.
  if (TRY(list.Integer(1)) != kHostName) return Malformed("a name that is no host's");
  const std::string_view name = TRY(list.Vector(2));
  if (!list.AtEnd() || !reader.AtEnd()) return Malformed("more than one name");
  if (name.empty() || name.size() > ClientHello::kMaxName) return Malformed("a name's length");
  if (name.find('\0') != std::string_view::npos) return Malformed("a name with NUL");
  return std::string(name);
}

Result<ClientHello> ReadExtensions(std::string_view extensions) {
  ClientHello hello;
  ByteReader reader(extensions);
  while (!reader.AtEnd()) {
    const uint32_t type = TRY(reader.Integer(2));
    const std::string_view extension = TRY(reader.Vector(2));
    if (type == kServerName) {
      if (!hello.name.empty()) return Malformed("two SNI extensions");
      hello.name = TRY(ReadServerName(extension));
    } else if (type == kEncryptedClientHello) {
      hello.has_encrypted_hello = true;
    }
  }
  return hello;
}

// RFC 8446, 4.1.2; before TLS 1.2 the extensions could be left out.
Result<ClientHello> ReadBody(std::string_view body) {
  ByteReader reader(body);
  TRY(reader.Take(2));  // legacy_version: servers choose by the extension, too
  TRY(reader.Take(kRandom));
  if (TRY(reader.Vector(1)).size() > kMaxSessionId) return Malformed("a long session id");
  const size_t suites = TRY(reader.Vector(2)).size();
  if (suites == 0 || suites % 2 != 0) return Malformed("cipher suites of two bytes each");
  if (TRY(reader.Vector(1)).empty()) return Malformed("no compression method");
  if (reader.AtEnd()) return ClientHello();
  const std::string_view extensions = TRY(reader.Vector(2));
  if (!reader.AtEnd()) return Malformed("bytes after the extensions");
  return ReadExtensions(extensions);
}

Peek Read(std::string_view bytes, ClientHello& hello) {
  const Peek beginning = Recognize(bytes);
  if (beginning != Peek::kFound) return beginning;
  const Gathered gathered = Gather(bytes);
  if (gathered.peek != Peek::kFound) return gathered.peek;
  auto read = ReadBody(std::string_view(gathered.message).substr(kMessageHeader));
  if (!read) return Peek::kBad;
  hello = *std::move(read);
  return Peek::kFound;
}

}  // namespace

Peek ReadClientHello(std::string_view bytes, ClientHello& hello) {
  const Peek peek = Read(bytes.substr(0, kMaxPeek), hello);
  return peek == Peek::kMore && bytes.size() >= kMaxPeek ? Peek::kBad : peek;
}

}  // namespace cay::network
