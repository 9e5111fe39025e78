// The head of an HTTP/1 request on a connection in the clear: which Host it is for (RFC 9112). Pure;
// the bytes are an attacker's, and may come one by one. More bytes never change an answer other than
// Peek::kMore.
#pragma once

#include <string>
#include <string_view>

#include "network/wire/client_hello.h"

namespace cay::network {

struct RequestHead {
  static constexpr size_t kMaxHost = 255;

  // Of the Host field, or of an absolute target or CONNECT's: lower case, without its port, an
  // IPv6 address without its brackets. Empty: the request names none, as HTTP/1.0 and an empty Host
  // may. Letters, digits, '-', '_' and '.', or what Address::Parse reads.
  std::string host;
};

// Over all of what has been sent so far. Nothing after the empty line that ends the head is read; all
// that is kFound is within kMaxPeek. `head` is written only then.
//
// kOther: what does not begin with a method and a space, and HTTP/2's preface, which would go on in
// frames. kBad: what a lenient server could take for another request than we do. White space before
// the method or after it other than one space; a line that ends in LF alone or that is folded, a bare
// CR, a NUL or another control character; a version other than HTTP/1.0 and 1.1; a target that has
// none of the four forms (the absolute one with "http" and without a user), or has a fragment; a
// space before a field's colon; two Host fields, none in HTTP/1.1, one that is no host and port, one
// that names another host than the target; a head over kMaxPeek.
Peek ReadRequestHead(std::string_view bytes, RequestHead& head);

}  // namespace cay::network
