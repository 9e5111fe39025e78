// The beginning of a TLS connection: which name its client asks for (SNI, RFC 6066), in the clear.
// Pure; the bytes are an attacker's, and may come one by one.
//
//   ClientHello hello;
//   switch (ReadClientHello(bytes, hello)) { case Peek::kMore: … }
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cay::network {

inline constexpr size_t kMaxPeek = 16 * 1024;

enum class Peek : uint8_t {
  kMore,  // it could become one
  kFound,
  kOther,  // the first byte already says that it is something else
  kBad,    // begins as one and is none, or is larger than kMaxPeek
};

struct ClientHello {
  std::string name;                  // SNI as it was sent; empty: none
  bool has_encrypted_hello = false;  // encrypted_client_hello is there, GREASE or not
};

// Over all of what has been sent so far: records (type 22, version 3.x, at most 16,640 bytes each,
// none empty) that hold one handshake message, which may span several of them. kBad for another handshake message, lengths that do
// not add up, two SNI extensions, a name with NUL, or more than one host name in it.
Peek ReadClientHello(std::string_view bytes, ClientHello& hello);

}  // namespace cay::network
