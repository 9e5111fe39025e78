// Import: the content of a template, from a directory or a tar archive, into a new layer.
//
// Both go the same way: a directory is packed into a tar stream, and that, like any other, unpacked
// as hostile (archive/unpack.h). So there is one place that decides what may come in. As root,
// owners 0 to 65535 are kept; for an ordinary user everything becomes the user's own.
#pragma once

#include <string>

#include "archive/byte_stream.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "template/template.h"

namespace cay::templates {

struct ImportedContent {
  uint64_t entries = 0;
  Bytes bytes = 0;
  ImportNotes notes;
};

// What an import is given: a directory, a file, or "-", which is standard input, for reading.
struct ImportSource {
  Fd fd;
  bool is_directory = false;
};
// kNotFound, kPermissionDenied; kInvalidArgument for what is neither.
Result<ImportSource> OpenSource(const std::string& source);

// `root` is the empty root directory of a layer; what was written before an error stays in it.
// `store_dir`, where templates are kept, must not be inside the directory.
Result<ImportedContent> UnpackDirectory(const Fd& directory, const std::string& store_dir,
                                        const std::string& root, const ImportOptions& options);
// Of an uncompressed tar.
Result<ImportedContent> UnpackArchive(archive::ByteSource& tar, const std::string& root,
                                      const ImportOptions& options);

// Makes what is in the layer survive a power failure.
Result<void> SyncLayer(const std::string& root);

}  // namespace cay::templates
