// UnpackLayer: one layer of a container image (OCI image-spec, layer.md) into a directory that is
// mounted as an overlay's lower layer, above the layers below it.
//
//   const LayerDigests expected{.blob = "sha256:…", .diff_id = "sha256:…"};
//   const LayerReport report = TRY(UnpackLayer(blob, expected, lower, root, options));
//
// What the layer says is done as the tree of all layers together would see it:
//  - ".wh.NAME" and ".wh..wh..opq" become a whiteout and an opaque directory (overlay_marks.h), for
//    what the layers below have and for nothing else, wherever in the archive they stand. Neither
//    is ever taken from the archive itself.
//  - A parent that the archive does not have is as the layers below have it, or root's 0755.
//  - A name through a symlink, of this layer or one below, leads where it leads inside.
//  - A hardlink to a file of a layer below copies that file up, and links both names to the copy.
//  - The same name twice: the last one counts. A directory over a directory merges; over anything
//    else, or once something else was there in this archive, it is a directory of its own.
//  - A device, FIFO or unknown type is not made; what it would have replaced is gone all the same.
// And it is as safe as archive::Unpack is (unpack.h): nothing outside `root` is changed, whatever
// the archive says; setuid, setgid and attributes but user.* are dropped and counted; owners over
// 65535 are nobody's.
//
// What was unpacked depends on the layers below: it serves above those and no others (their OCI
// ChainID). `root` must be of a filesystem with extended attributes, and no overlay itself.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "archive/byte_stream.h"
#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "template/layers/overlay_marks.h"

namespace cay::templates {

// "sha256:" and 64 lower-case hexadecimal digits each.
struct LayerDigests {
  std::string blob;     // of the bytes as they come
  std::string diff_id;  // of the tar without compression
};

struct LayerProgress {
  uint64_t entries = 0;
  Bytes bytes = 0;       // of content written
  Bytes blob_bytes = 0;  // read
};

struct LayerOptions {
  uint64_t max_entries = 2'000'000;
  Bytes max_bytes = 16 * kGiB;       // of content, what is copied up among it, and headers
  Bytes max_blob_bytes = 16 * kGiB;  // as the bytes come
  archive::Ownership ownership =
      ::geteuid() == 0 ? archive::Ownership::kArchive : archive::Ownership::kCaller;
  OverlayXattrs xattrs = OverlayXattrsOfCaller();
  // After every entry, every MiB of content and every piece of the blob, whatever it unfolds to; an
  // error ends the unpacking with that error. This is how a caller cancels, and watches the disk.
  std::function<Result<void>(const LayerProgress&)> on_progress{};
};

struct LayerReport {
  archive::UnpackReport unpacked;  // skipped_whiteouts: devices 0/0 and names of aufs (".wh..wh.x")
  uint64_t whiteouts = 0;          // made
  uint64_t opaque_directories = 0;
  uint64_t copied_up = 0;             // files of layers below that hardlinks made copies of
  uint64_t dropped_capabilities = 0;  // of unpacked.dropped_xattrs, those that gave capabilities
  Bytes blob_bytes = 0;
  Bytes tar_bytes = 0;
};

// `blob` is plain, gzip or zstd, by its first bytes, and is read to its end. `lower` are the root
// directories of the layers below, the topmost first; `root` is an empty directory. What was
// unpacked before an error stays there.
//
// Errors: kInvalidArgument for a malformed or hostile archive and for bytes that have another
// digest, kLimitTooHigh for what is over a bound, kNotSupported for another digest than SHA-256 and
// for a filesystem that cannot hold what overlayfs reads; and the kernel's. Blocking; several calls
// may run in threads of their own.
Result<LayerReport> UnpackLayer(archive::ByteSource& blob, const LayerDigests& expected,
                                std::span<const Fd> lower, const Fd& root,
                                const LayerOptions& options = {});

// The same of an uncompressed archive that this program makes: nobody has said what its digests
// are, and none are computed.
Result<LayerReport> UnpackLayerTar(archive::ByteSource& tar, std::span<const Fd> lower,
                                   const Fd& root, const LayerOptions& options = {});

}  // namespace cay::templates
