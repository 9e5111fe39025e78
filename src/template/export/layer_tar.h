// WriteLayerTar: a layer's directory as the archive that an image has of it (OCI image-spec,
// layer.md): the other way round of UnpackLayer.
//
//  - What removes something of the layers below becomes ".wh.NAME" and ".wh..wh..opq".
//  - The same directory gives the same bytes: members are sorted, owners are numbers without
//    names, times are those of the files. A file of several names is a file and hardlinks to it.
//  - Of extended attributes user.* is written, which is all that a layer has, but not overlayfs' own.
//  - Sparse files are written whole: the specification advises against anything else.
//
// Nothing is left out in silence: what an archive of a layer cannot say is an error.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <functional>

#include "archive/byte_stream.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "template/layers/overlay_marks.h"

namespace cay::templates {

struct LayerTarOptions {
  OverlayXattrs xattrs = OverlayXattrsOfCaller();
  // Everything in an ordinary user's layer is that user's, whatever it was in the archive that it
  // came of: it is written as root's, and the root directory's own entry is left out.
  bool owned_by_root = ::geteuid() != 0;
  uint64_t max_entries = 4'000'000;
  Bytes max_bytes = 64 * kGiB;  // of content, holes included
  // After each member and each MiB of content: content so far. An error ends it with that error.
  std::function<Result<void>(Bytes)> on_progress{};
};

// `root`: the root directory of a layer, open for reading. kNotSupported for a directory that was
// renamed by a sandbox (overlayfs' redirect_dir) or a file whose content lies below (metacopy), for
// devices, FIFOs and sockets, and for a name that says in an archive that something is removed;
// kLimitTooHigh over a bound.
Result<void> WriteLayerTar(const Fd& root, archive::ByteSink& sink,
                           const LayerTarOptions& options = {});

}  // namespace cay::templates
