#include "template/oci/image_command.h"

#include <string.h>

#include <algorithm>

#include "base/units.h"

namespace cay::templates::oci {
namespace {

constexpr int kMaxSignal = 64;
constexpr int kFirstRealTime = 34;  // the C library keeps 32 and 33 for itself
constexpr int kFirstUnnamed = 32;

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return upper;
}

// "RTMIN+3", "RTMAX-1", "RTMIN".
std::optional<int> RealTimeSignal(std::string_view name) {
  const bool from_first = name.starts_with("RTMIN");
  if (!from_first && !name.starts_with("RTMAX")) return std::nullopt;
  name.remove_prefix(5);
  if (name.empty()) return from_first ? kFirstRealTime : kMaxSignal;
  if (name.front() != (from_first ? '+' : '-')) return std::nullopt;
  const auto distance = ParseUnsigned(name.substr(1), kMaxSignal - kFirstRealTime);
  if (!distance) return std::nullopt;
  const int steps = static_cast<int>(*distance);
  return from_first ? kFirstRealTime + steps : kMaxSignal - steps;
}

}  // namespace

std::vector<std::string> ImageCommand(const ProcessConfig& image,
                                      const std::optional<std::vector<std::string>>& entrypoint,
                                      const std::vector<std::string>& cmd) {
  std::vector<std::string> argv = entrypoint.value_or(image.entrypoint);
  const bool has_other = entrypoint && !entrypoint->empty();
  const std::vector<std::string>& rest = cmd.empty() && !has_other ? image.cmd : cmd;
  argv.insert(argv.end(), rest.begin(), rest.end());
  return argv;
}

Result<int> ParseStopSignal(std::string_view text) {
  if (text.empty()) return kUsualStopSignal;
  if (const auto number = ParseUnsigned(text, kMaxSignal); number && *number > 0) {
    return static_cast<int>(*number);
  }
  std::string name = Upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  for (int signal = 1; signal < kFirstUnnamed; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  if (const auto real_time = RealTimeSignal(name)) return *real_time;
  return Failure(Error::Invalid("not a signal: \"" + std::string(text.substr(0, 80)) + "\""));
}

}  // namespace cay::templates::oci
