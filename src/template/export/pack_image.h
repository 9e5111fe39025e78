// PackImage: a template as a container image: its layers as archives, its configuration and its
// manifest, ready to be written (write_image.h) or pushed (pull/push_image.h).
//
//   const PackedImage image = TRY(PackImage(store, "python:3.12-slim", {}));
//
// Of a template that is an image, the image comes out, and what a snapshot of it holds as a layer
// above it: Cay's own layer between them (mount points, /workspace, its user) is left out, since
// whoever imports or pulls the image gets that layer anew.
// Of an imported root filesystem there is only one layer, in which those are: it comes out as it
// is, and the configuration says the user and directory that its sandboxes have. The same template
// gives the same bytes. Its digests are not those of the image that was pulled: a layer's archive
// is written anew, without what unpacking left out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "archive/compression.h"
#include "base/result.h"
#include "base/units.h"
#include "template/oci/descriptor.h"
#include "template/oci/image_config.h"
#include "template/oci/manifest.h"
#include "template/saved/file_range.h"
#include "template/store/template_store.h"

namespace cay::templates {

struct PackedLayer {
  oci::Descriptor blob;
  oci::Digest diff_id;
  FileRange file;  // in a file without a name
};

struct PackedImage {
  std::string name;                   // of the template
  std::vector<PackedLayer> layers{};  // the lowest first
  oci::ImageConfig config;
  std::string config_bytes{};
  oci::Manifest manifest;
  std::string manifest_bytes{};
  oci::Descriptor descriptor;  // of the manifest
};

struct PackProgress {
  size_t layer = 0;  // of `layers`, from 0
  size_t layers = 0;
  Bytes bytes = 0;  // of content, in this one
};

struct PackImageOptions {
  archive::Compression compression = archive::Compression::kGzip;
  // After each MiB, at least; an error ends it with that error. May be empty.
  std::function<Result<void>(const PackProgress&)> on_progress{};
};

// kNotFound; kInvalidArgument for `host`, which has no layers of its own; the errors of
// WriteLayerTar; kResourceExhausted for a full disk.
Result<PackedImage> PackImage(TemplateStore& store, const std::string& name,
                              const PackImageOptions& options);

}  // namespace cay::templates
