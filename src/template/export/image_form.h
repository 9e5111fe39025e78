// What may be said of an image that is written or pushed: in which form, how its layers are
// compressed, by which name others know it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "archive/compression.h"
#include "base/result.h"
#include "template/oci/image_reference.h"

namespace cay::templates {

// An archive of an OCI image layout, or one as `docker save` writes it.
enum class ImageForm : uint8_t { kOci, kDocker };

// "oci", "docker".
Result<ImageForm> ParseImageForm(std::string_view text);
// "gzip", "zstd", "none".
Result<archive::Compression> ParseCompression(std::string_view text);
// Of the layers, in that form: gzip where nothing is asked for, and none in docker's, for which any
// other is kInvalidArgument.
Result<archive::Compression> CompressionFor(ImageForm form,
                                            const std::optional<archive::Compression>& asked);

// By which an image is known to others: `asked`, or the template's name, whose tag is "latest"
// where it has none; a template of an owner's own is called as its owner calls it. kInvalidArgument
// for one with a digest.
Result<oci::ImageReference> ReferenceToWrite(const std::string& asked, const std::string& name);

}  // namespace cay::templates
