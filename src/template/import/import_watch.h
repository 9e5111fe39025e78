// ImportWatch: what goes on while content is unpacked into a store, for imports and images alike:
// the caller is told how far it is, at most ten times a second, and the disk is not filled.
#pragma once

#include <chrono>

#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "template/layers/written_layer.h"
#include "template/template.h"

namespace cay::templates {

class ImportWatch {
 public:
  // `options` outlives it.
  explicit ImportWatch(const ImportOptions& options) : options_(options) {}

  // `root`: of what is being unpacked. kResourceExhausted when the disk's reserve is reached, at
  // which is looked every 64 MiB.
  Result<void> Note(const ImportProgress& now, const Fd& root);
  // kUnavailable, with ECANCELED, once nobody wants it any more (ImportOptions::is_stopped).
  Result<void> CheckWanted() const;

 private:
  const ImportOptions& options_;
  Bytes next_room_check_ = 0;
  std::chrono::steady_clock::time_point last_{};
};

// Of what unpacking left out or changed, what is told to people.
ImportNotes NotesOf(const archive::UnpackReport& report);
// The same of what a sandbox wrote.
ImportNotes NotesOf(const WrittenReport& report);

}  // namespace cay::templates
