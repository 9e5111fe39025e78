// What an image's configuration tells of how its layers came to be.
#pragma once

#include "template/oci/image_config.h"

namespace cay::templates::oci {

// An entry without a word for each layer that the history does not tell of, below the others: for
// who adds entries. Other builders refuse a history that tells of some layers and not of all, which
// image-spec (config.md) does not.
void CompleteHistory(ImageConfig& config);

}  // namespace cay::templates::oci
