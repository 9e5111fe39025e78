#include "api/gate/secret.h"

#include "base/id.h"
#include "crypto/digest.h"

namespace cay::api {

Result<std::string> RandomText(size_t length) {
  std::string text;
  while (text.size() < length) text += TRY(SandboxId::Generate()).text();
  text.resize(length);
  return text;
}

Result<std::string> HashSecret(std::string_view secret) { return Sha256Hex(secret); }

}  // namespace cay::api
