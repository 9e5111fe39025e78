// Metadata of an imported template: NAME.json beside the layers, never inside one.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "template/host/skeleton.h"
#include "template/template.h"

namespace cay::templates {

struct Metadata {
  TemplateInfo info;
  std::string layer;  // its id
  TemplateUser user;
  std::string
      hostname;  // see engine::RootFilesystem; empty: imported by a Cay that did not write it
};

std::string SerializeMetadata(const Metadata& metadata);

// `name` is the template's. kIo (the machine's fault) for a file that is damaged.
Result<Metadata> ParseMetadata(const std::string& name, std::string_view text);

// kInvalidArgument unless [a-z0-9][a-z0-9._-]{0,63}, which keeps names apart from Cay's own files.
Result<void> CheckTemplateName(std::string_view name);

}  // namespace cay::templates
