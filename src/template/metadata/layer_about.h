// What is kept beside a layer of an image (.layers/ID/about.json): of which content it is, and what
// unpacking it found, for templates that stand on it later.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "template/template.h"

namespace cay::templates {

struct LayerAbout {
  std::string chain_id;  // "sha256:…"
  Bytes bytes = 0;       // of content
  uint64_t entries = 0;
  ImportNotes notes;
};

std::string SerializeLayerAbout(const LayerAbout& about);
// kIo, the machine's fault, for a file that is damaged.
Result<LayerAbout> ParseLayerAbout(std::string_view text);

}  // namespace cay::templates
