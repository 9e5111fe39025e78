// OpenArchive: an archive that somebody brought, told by its content: a root filesystem, or images.
//
//   OpenedArchive opened = TRY(OpenArchive(std::move(file), spool, options));
//   if (opened.images) … FindSavedImage(*opened.images, wish) …
//   else … opened.tar is the uncompressed tar, from its beginning …
//
// Images are read in any order, so their archive has to be a file without compression: any other,
// and one that comes from a pipe, is written into a file without a name first.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "archive/byte_stream.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "template/saved/image_files.h"

namespace cay::templates {

struct OpenOptions {
  // Of the uncompressed archive; beyond it, kLimitTooHigh. A root filesystem that is known for one
  // is not counted.
  Bytes max_spooled = 0;
  // After each piece that was written; an error ends it with that error.
  std::function<Result<void>(Bytes)> on_progress{};
};

struct OpenedArchive {
  std::optional<ImageFiles> images;
  std::unique_ptr<archive::ByteSource> tar{};  // null when it holds images
};

// `file` is read from its beginning, or where it is no regular file, to its end. `spool`: the
// directory for what has to be written. Errors: kInvalidArgument for what is no archive,
// kResourceExhausted for a full disk.
Result<OpenedArchive> OpenArchive(Fd file, const Fd& spool, const OpenOptions& options);

}  // namespace cay::templates
