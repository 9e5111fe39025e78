// The beginning of a TLS connection: which name its client asks for (SNI, RFC 6066), in the clear.
// Pure; the bytes are an attacker's, and may come one by one.
//
//   ClientHello hello;
//   switch (ReadClientHello(bytes, hello)) { case Peek::kMore: … }
//
// More bytes never change an answer other than kMore.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cay::network {

inline constexpr size_t kMaxPeek = 16 * 1024;

enum class Peek : uint8_t {
  kMore,  // it could become one
  kFound,
  kOther,  // its first bytes say that it is something else
  kBad,    // begins as one and is none, or is larger than kMaxPeek
};

struct ClientHello {
  static constexpr size_t kMaxName = 255;  // OpenSSL's servers take no longer one either

  std::string name;                  // SNI as it was sent; empty: none
  bool has_encrypted_hello = false;  // encrypted_client_hello is there, GREASE or not
};

// Over all of what has been sent so far: records (type 22, version 3.x, none empty) that hold one
// ClientHello and nothing else; it may span several of them, and anything may follow in others.
// All that is kFound is within kMaxPeek. `hello` is written only then.
//
// kBad is what could make a server see a hello where we see none, or another name than we do:
// - A first record of another type (an alert, say), or of a version below 16.0 that is not 3.x:
//   Go's servers pass over warnings before the hello, and read any such version.
// - A hello of SSLv2's form (RFC 5246, E.2), which has no place for a name, and which OpenSSL's
//   servers still take.
// - An empty record, another handshake message, lengths that do not add up.
// - More than one SNI extension, one whose list is not exactly one host name, a name with NUL or of
//   more than kMaxName bytes.
Peek ReadClientHello(std::string_view bytes, ClientHello& hello);

}  // namespace cay::network
