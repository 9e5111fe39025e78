#include "build/cache/step_key.h"

#include "template/oci/digest.h"

namespace cay::build {

StepKey& StepKey::Add(std::string_view name, std::string_view value) {
  text_.append(name).append(" ").append(std::to_string(value.size())).append(" ").append(value);
  text_.push_back('\n');
  return *this;
}

StepKey& StepKey::Add(std::string_view name, const std::vector<std::string>& values) {
  Add(name, std::to_string(values.size()));
  for (const std::string& value : values) Add(name, value);
  return *this;
}

Result<std::string> StepKey::Finish() const {
  return TRY(templates::oci::Digest::Of(text_)).text();
}

}  // namespace cay::build
