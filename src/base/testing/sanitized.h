// Whether the programs under test are built with a sanitizer. Its run time keeps what is freed,
// fills the address space, and is not in guests: those are executed then
// (cli/local/forked_guest.h).
#pragma once

namespace cay {

#ifdef CAY_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace cay
