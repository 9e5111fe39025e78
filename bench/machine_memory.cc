#include "machine_memory.h"

#include <cstdlib>

#include "base/os/file.h"

namespace cay::bench {

Result<double> AvailableKib() {
  const std::string text = TRY(ReadFile("/proc/meminfo"));
  static constexpr std::string_view kKey = "MemAvailable:";
  const size_t at = text.find(kKey);
  if (at == std::string::npos) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kMachine, "/proc/meminfo has no MemAvailable"));
  }
  return std::strtod(text.c_str() + at + kKey.size(), nullptr);
}

}  // namespace cay::bench
