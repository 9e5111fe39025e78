// cay template export and cay template push (export_command.cc, push_command.cc), two of
// template_command.cc's.
#pragma once

#include <string_view>

#include "archive/compression.h"
#include "base/result.h"
#include "cli/frame/command.h"
#include "template/oci/image_reference.h"

namespace cay::cli {

extern const Command kTemplateExportCommand;
extern const Command kTemplatePushCommand;

// "gzip", "zstd", "none".
Result<archive::Compression> ParseCompression(std::string_view text);

// By which an image is known to others: `asked`, or the template's name, whose tag is "latest"
// where it has none. kInvalidArgument for one with a digest.
Result<templates::oci::ImageReference> ReferenceToWrite(const std::string& asked,
                                                        const std::string& name);

}  // namespace cay::cli
