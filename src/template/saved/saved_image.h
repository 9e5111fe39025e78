// FindSavedImage: which image is meant of those that an archive or a layout holds, with its
// documents verified and its layers found.
//
//   const SavedImageFound found = TRY(FindSavedImage(files, {.tag = "app:1.2"}));
//   … found.layers[i].file.Open() …     // not verified yet: AddImageLayers does
//
// Read are what `docker save` and `podman save` write (manifest.json with a configuration and
// layers beside it), the OCI image layout (image-layout.md), and what is both, as which the layout
// counts: it says the digests of the layers as they are stored.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "template/oci/descriptor.h"
#include "template/oci/image_config.h"
#include "template/oci/platform.h"
#include "template/saved/image_files.h"

namespace cay::templates {

struct ImageWish {
  std::string tag{};  // "1.2", "app:1.2": as the archive names it; empty: the only image there is
  oci::Platform platform = oci::Platform::Native();
};

struct SavedImageFound {
  struct Layer {
    oci::Descriptor blob;
    FileRange file;
  };
  std::string what;         // "an OCI archive of 3 layers"
  std::string reference{};  // canonical, where the archive says a whole one
  std::string digest{};     // of the manifest; empty of `docker save`
  oci::ImageConfig config;
  std::vector<Layer> layers{};  // the lowest first; as many as `config` has diff_ids
};

// kInvalidArgument: damaged, something it speaks of is missing, or several images of which none was
// chosen (the message lists them). kNotFound: there is none of that tag or for that platform.
// kNotSupported, kLimitTooHigh: as of the documents.
Result<SavedImageFound> FindSavedImage(const ImageFiles& files, const ImageWish& wish);

}  // namespace cay::templates
