// AddImageLayers: the layers of a container image into the store, each made once and shared by all
// templates that stand on it.
//
//   AddedLayers added = TRY(AddImageLayers(store, image, open, options));
//   … a layer of its own above them, metadata that names added.ids …
//   // as long as `added.holds` lives nobody deletes one
//
// A layer is named by its ChainID (OCI image-spec, config.md: its diff_id and those of all layers
// below it), since what is unpacked depends on what is below. Those that are there are not asked
// for. The new ones are made one after another, the lowest first, survive a power failure before
// they are named, and are put into place at the end: of an image that fails nothing stays.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "archive/byte_stream.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "template/oci/descriptor.h"
#include "template/oci/digest.h"
#include "template/store/layer_store.h"
#include "template/template.h"

namespace cay::templates {

// The layers of an image, the lowest first: as they are stored, and what they are uncompressed.
struct ImageLayer {
  oci::Descriptor blob;
  oci::Digest diff_id;
};

// Opens the stored bytes of layer `index`. Called at most once for each, in order.
using OpenLayer = std::function<Result<std::unique_ptr<archive::ByteSource>>(size_t index)>;

struct AddedLayers {
  std::vector<std::string> ids;                  // the topmost first
  std::vector<std::shared_ptr<const Fd>> holds;  // of each
  std::vector<Fd> roots;                         // the same: for a layer above them
  Bytes bytes = 0;                               // of content, in all of them
  uint64_t entries = 0;
  ImportNotes notes;
};

// Which of the layers are in the store, the lowest first: what need not be fetched. They may be
// gone a moment later.
Result<std::vector<bool>> FindImageLayers(const LayerStore& store,
                                          const std::vector<ImageLayer>& image);

// `options`: of max_bytes and max_entries what the new layers hold together; on_progress is of the
// new ones, together. A layer that somebody else is making is waited for, at most
// options.maker_patience. Errors: UnpackLayer's, ImportOptions::is_stopped, and kTimeout.
Result<AddedLayers> AddImageLayers(LayerStore& store, const std::vector<ImageLayer>& image,
                                   const OpenLayer& open, const ImportOptions& options);

}  // namespace cay::templates
