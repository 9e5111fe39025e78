#include "template/layers/layer_id.h"

#include "base/id.h"
#include "crypto/digest.h"

namespace cay::templates {

bool IsLayerId(std::string_view text) { return SandboxId::Parse(text).has_value(); }

Result<std::string> LayerIdOf(std::string_view content) {
  return TRY(Sha256Hex(content)).substr(0, SandboxId::kLength);
}

}  // namespace cay::templates
