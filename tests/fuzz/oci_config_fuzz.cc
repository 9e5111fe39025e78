// Configurations of images, which whoever pushes an image writes: whatever the bytes, they are
// refused, or what was read is within every bound, can be given to a program, and is read again as
// it was written.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "template/oci/image_config.h"

namespace {

using cay::templates::oci::ProcessConfig;
namespace oci = cay::templates::oci;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckTexts(const std::vector<std::string>& texts) {
  Check(texts.size() <= oci::kMaxConfigList);
  for (const std::string& text : texts) {
    Check(text.size() <= oci::kMaxConfigText && !text.contains('\0'));
  }
}

void CheckProcess(const ProcessConfig& process) {
  for (const auto* texts : {&process.env, &process.entrypoint, &process.cmd, &process.volumes,
                            &process.shell, &process.on_build}) {
    CheckTexts(*texts);
  }
  const auto environment = oci::EnvironmentOf(process.env);
  for (const std::string& variable : environment) {
    Check(variable.contains('=') && !variable.starts_with('='));
    Check(std::ranges::count(process.env, variable) > 0);
  }
  Check(oci::EnvironmentOf(environment) == environment);
  for (const auto& port : process.exposed_ports) Check(port.first > 0 && port.first <= port.last);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto config =
      oci::DecodeImageConfig(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!config) return 0;
  Check(!config->platform.os.empty() && !config->platform.architecture.empty());
  Check(config->diff_ids.size() <= oci::kMaxLayers);
  CheckProcess(config->process);
  const auto text = oci::EncodeImageConfig(*config);
  // Escaped, a document may be longer than it was: only then may it be refused.
  if (!text) {
    Check(text.error().code() == cay::ErrorCode::kLimitTooHigh);
    return 0;
  }
  const auto again = oci::DecodeImageConfig(*text);
  Check(again && *again == *config);
  return 0;
}
