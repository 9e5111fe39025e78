// Names of images as people and archives write them: whatever the text, it is refused, or each of
// the ways to write what was read means the same, within every bound.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "template/oci/image_reference.h"
#include "template/oci/platform.h"

namespace {

using cay::templates::oci::ImageReference;
using cay::templates::oci::Platform;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckSame(const ImageReference& reference, const std::string& text) {
  Check(text.size() <= ImageReference::kMaxText);
  const auto again = ImageReference::Parse(text);
  Check(again && *again == reference);
}

void CheckReference(const ImageReference& reference) {
  Check(!reference.domain.empty() && !reference.path.empty());
  Check(reference.Name().size() <= ImageReference::kMaxName);
  Check(reference.tag.empty() ? reference.digest.has_value()
                              : cay::templates::oci::IsTag(reference.tag));
  for (const char letter : reference.Canonical()) Check(letter > ' ' && letter < '\x7f');
  CheckSame(reference, reference.Canonical());
  CheckSame(reference, reference.Familiar());
  Check(reference.Familiar().size() <= reference.Canonical().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto reference = ImageReference::Parse(text)) CheckReference(*reference);
  if (const auto platform = Platform::Parse(text)) {
    Check(Platform::Parse(platform->Text()) == *platform);
    Check(Runs(*platform, *platform));
  }
  return 0;
}
