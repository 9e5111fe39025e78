// WriteLayer: the members of a layer's archive into its directory. What unpack_layer.h says of a
// layer's content is done here.
#pragma once

#include <span>

#include "archive/byte_stream.h"
#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "template/layers/unpack_layer.h"

namespace cay::templates {

// `tar` is read up to its end marker, and a bit of what follows. Digests are the caller's.
Result<LayerReport> WriteLayer(archive::ByteSource& tar, std::span<const Fd> lower, const Fd& root,
                               const archive::UnpackOptions& options, OverlayXattrs xattrs);

}  // namespace cay::templates
