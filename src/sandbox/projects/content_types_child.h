// The process behind ContentTypes: reads libmagic's database once, then tells types of contents
// until its standard input ends. Each content is looked at in a child of its own that can only
// compute, take memory within a bound, and write some bytes to one pipe.
#pragma once

#include <string_view>

#include "base/os/fd.h"

namespace cay::sandbox {

inline constexpr const char* kContentTypesCommand = "content-types";
inline constexpr std::string_view kTypesGreeting = "ready";
inline constexpr size_t kMaxTypeAnswer = 256;

// Serves a SOCK_SEQPACKET pair's end: first a packet that is the greeting, or says why there is no
// database; then for each packet with the beginning of a content one with its type. Returns the
// exit code.
int ServeContentTypes(const Fd& control);

}  // namespace cay::sandbox
