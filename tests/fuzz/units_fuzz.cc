// Limits as people write them: whatever the text, parsing ends in a value or an error, and a value
// that was accepted survives being written out and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/units.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = cay::ParseBytes(text)) {
    const auto again = cay::ParseBytes(cay::FormatBytes(*bytes));
    if (!again || *again != *bytes) std::abort();
  }
  if (const auto duration = cay::ParseDuration(text)) {
    const auto again = cay::ParseDuration(cay::FormatDuration(*duration));
    if (!again || *again != *duration) std::abort();
  }
  if (const auto cpus = cay::ParseCpus(text)) {
    const auto again = cay::ParseCpus(cay::FormatCpus(*cpus));
    if (!again || *again != *cpus) std::abort();
  }
  static_cast<void>(cay::ParseUnsigned(text));
  return 0;
}
