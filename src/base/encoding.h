// Text and bytes as they go through formats that can hold only one of the two: UTF-8 and base64.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay {

// How many bytes at the beginning of `text` are ASCII.
size_t AsciiPrefix(std::string_view text);

// RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF.
bool IsUtf8(std::string_view text);

// The length of the UTF-8 sequence that `text` begins with, or 0 when it is none. `text` is not
// empty.
size_t Utf8SequenceLength(std::string_view text);

// How many bytes at the end of `text` are the beginning of a sequence that more bytes could
// complete: 0 to 3. A stream of text is cut before them.
size_t IncompleteUtf8Tail(std::string_view text);
// How many bytes at its beginning are the rest of a sequence whose first byte is missing: 0 to 3.
size_t IncompleteUtf8Head(std::string_view text);

// Each byte that is no part of UTF-8 becomes U+FFFD.
std::string ToUtf8Lossy(std::string_view bytes);

// RFC 4648 section 4, with padding.
std::string EncodeBase64(std::string_view bytes);

// Two lower-case digits a byte.
std::string EncodeHex(std::span<const unsigned char> bytes);

// kInvalidArgument unless it is exactly what EncodeBase64 gives (no line breaks, no other
// alphabet).
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace cay
