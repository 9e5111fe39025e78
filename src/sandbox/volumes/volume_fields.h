// Fields of a volume that is asked for, each once (base/field.h). What is told of one:
// volume/store/volume_fields.h.
#pragma once

#include <string_view>

#include "base/field.h"
#include "sandbox/fields.h"
#include "sandbox/volumes/volume_keeper.h"

namespace cay::sandbox::fields {

// A VolumeSpec.
struct VolumeSpec {
  static constexpr std::string_view kSchema = "VolumeSpec";
  static void Of(auto& spec, auto& visit) {
    visit(About{.name = "name", .needed = true}, field::Text{.pattern = UsedVolume::kNamePattern},
          spec.name);
    visit(About{.name = "size",
                .text = "a multiple of 4k, from 16m on; left out: 1g. Its filesystem's own data "
                        "takes a little of it"},
          field::Size{}, spec.size);
  }
};

}  // namespace cay::sandbox::fields
