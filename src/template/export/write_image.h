// An image that was packed, as files that others read: an archive as `docker save` writes it, an
// OCI archive, or a directory that is an OCI image layout (image-layout.md). The same image and
// name give the same bytes.
#pragma once

#include <string>

#include "archive/byte_stream.h"
#include "base/result.h"
#include "template/export/pack_image.h"
#include "template/oci/image_reference.h"

namespace cay::templates {

// `reference`: by which it is known to those who read it, with a tag and without a digest.

// What `docker load`, podman and skopeo's docker-archive: read. Its layers have to be packed
// without compression.
Result<void> WriteDockerArchive(const PackedImage& image, const oci::ImageReference& reference,
                                archive::ByteSink& sink);

Result<void> WriteOciArchive(const PackedImage& image, const oci::ImageReference& reference,
                             archive::ByteSink& sink);

// Into an empty directory.
Result<void> WriteOciLayout(const PackedImage& image, const oci::ImageReference& reference,
                            const std::string& directory);

}  // namespace cay::templates
