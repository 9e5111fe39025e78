// The head of an HTTP/1 request on a connection in the clear: which Host it is for. Pure; the bytes
// are an attacker's, and may come one by one.
#pragma once

#include <string>
#include <string_view>

#include "network/wire/client_hello.h"

namespace cay::network {

struct RequestHead {
  std::string host;  // of the Host field (or an absolute target), lower case, without its port
};

// kOther: not HTTP/1 (HTTP/2's preface is none: it would go on in frames). kBad: a head over kMaxPeek, two Host fields, none in an
// HTTP/1.1 request, a line that is folded, a bare CR, a NUL, a target and a Host that differ.
Peek ReadRequestHead(std::string_view bytes, RequestHead& head);

}  // namespace cay::network
