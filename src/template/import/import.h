// Import: the content of a template, from a directory or a tar archive, into a new layer.
//
// Both go the same way: a directory is packed into a tar stream, and that, like any other, unpacked
// as hostile (archive/unpack.h). So there is one place that decides what may come in. As root,
// owners 0 to 65535 are kept; for an ordinary user everything becomes the user's own.
#pragma once

#include <string>

#include "base/result.h"
#include "template/template.h"

namespace cay::templates {

struct ImportedContent {
  uint64_t entries = 0;
  Bytes bytes = 0;
  ImportNotes notes;
};

// `root` is the empty root directory of a layer; `store_dir`, where templates are kept, must not be
// inside a source directory. What was written before an error stays in `root`.
Result<ImportedContent> UnpackSource(const std::string& source, const std::string& store_dir,
                                     const std::string& root, const ImportOptions& options);

// Makes what is in the layer survive a power failure.
Result<void> SyncLayer(const std::string& root);

}  // namespace cay::templates
