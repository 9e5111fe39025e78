// The head of an HTTP/1 request on a connection in the clear: which Host it is for (RFC 9112).
// Pure; the bytes are an attacker's, and may come one by one. More bytes never change an answer
// other than Peek::kMore.
//
//   RequestHead head;
//   if (ReadRequestHead(bytes, head) == Peek::kFound && head.host == …
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

// Over all of what has been sent so far. Nothing after the empty line that ends the head is read;
// all that is kFound is within kMaxPeek. `head` is written only then.
//
// kOther: what does not begin with a method and a space; and HTTP/2's preface, whose hosts come in
// the frames after it.
//
// kBad is what a lenient server could take for another request than we do:
// - White space before the method, or other than one space after it and after the target.
// - A line that ends in LF alone, a folded one, a bare CR, a NUL or another control character.
// - A version other than HTTP/1.0 and HTTP/1.1.
// - A target of none of the four forms (absolute: "http", without a user), or with a fragment.
// - A space before a field's colon, a line without a colon.
// - Two Host fields, none in HTTP/1.1, one that is not a host or a host and a port, one that names
//   another host than the target.
// - A head over kMaxPeek.
Peek ReadRequestHead(std::string_view bytes, RequestHead& head);

}  // namespace cay::network
