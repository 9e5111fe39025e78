// CopyWritten: what a sandbox wrote (engine::WrittenLayers) becomes a layer of templates.
//
//   engine::WrittenLayers written = TRY(engine.OpenWritten(id));
//   WrittenReport report = TRY(CopyWritten(written.uppers[0], root, {.id_offset = …}));
//
// The copy shows above the same layers what the sandbox saw: whiteouts, opaque directories and
// redirects are kept. What no layer has is left out and counted: setuid, setgid, attributes but
// user.*, sockets, devices and FIFOs. Hard links stay links. It is code in the sandbox that made
// all of it: no symlink is followed, nothing is opened but directories and regular files, and any
// depth is gone through.
//
// The sandbox should stand still. Where it does not, each file is as it was at some moment, and
// what vanished meanwhile is counted.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <functional>

#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "template/layers/copy_up.h"
#include "template/layers/overlay_marks.h"

namespace cay::templates {

struct WrittenReport {
  uint64_t entries = 0;
  Bytes bytes = 0;  // of content
  uint64_t whiteouts = 0;
  uint64_t opaque_directories = 0;
  uint64_t redirects = 0;           // renamed directories of the template
  uint64_t skipped_special = 0;     // sockets, devices, FIFOs
  uint64_t skipped_unreadable = 0;  // an ordinary user's, without the right to read
  uint64_t changed_meanwhile = 0;
  CopyLoss loss{};
};

struct WrittenOptions {
  int64_t id_offset = 0;  // engine::WrittenLayers::id_offset
  uint64_t max_entries = 2'000'000;
  Bytes max_bytes = 16 * kGiB;  // of content
  archive::Ownership ownership =
      ::geteuid() == 0 ? archive::Ownership::kArchive : archive::Ownership::kCaller;
  OverlayXattrs xattrs = OverlayXattrsOfCaller();
  // After every entry and every MiB of content; an error ends the copying with that error.
  std::function<Result<void>(const WrittenReport&)> on_progress{};
};

// `root` is an empty directory; what was copied before an error stays there. kLimitTooHigh for more
// than the bounds; the kernel's errors. Blocking.
Result<WrittenReport> CopyWritten(const Fd& upper, const Fd& root, const WrittenOptions& options);

}  // namespace cay::templates
