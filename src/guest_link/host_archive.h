// Host archives: files of this machine as a tar stream, and a tar stream from a hostile guest as
// files of this machine, each in a thread of its own so that it meets GuestChannel's callbacks.
//
//   PackStream tar = TRY(PackStream::Start("/home/me/app", "app", {}));
//   TRY(guest.ArchiveIn(request, [&](std::span<char> into) { return tar.Read(into); }));
//   archive::PackReport packed = TRY(tar.Finish());
//
//   UnpackStream files = TRY(UnpackStream::Start("out", HostUnpackOptions(max_bytes)));
//   Result<...> done = guest.ArchiveOut(request, [&](auto bytes) { return files.Write(bytes); });
//   archive::UnpackReport unpacked = TRY(files.Finish());     // an error says why `done` is one
//
// What is unpacked belongs to the caller, has no setuid, setgid or sticky bit, is writable by
// nobody else, and never leaves the directory, whatever the stream says: archive/unpack.h. Symlinks
// in a packed tree are packed, not followed.
//
// One thread at a time. Destroying a stream before Finish ends its thread and waits for it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "archive/pack.h"
#include "archive/unpack.h"
#include "base/result.h"
#include "base/units.h"

namespace cay {

class PackStream {
 public:
  // `source`: an existing path; a symlink at its end is followed (its user typed it). "DIR/." is
  // the directory itself. `archive_name`: what it is called in the archive; "." for the content of
  // a directory alone. kNotFound when there is nothing.
  static Result<PackStream> Start(const std::string& source, const std::string& archive_name,
                                  const archive::PackOptions& options);

  PackStream(PackStream&&) noexcept;
  PackStream& operator=(PackStream&&) = delete;
  ~PackStream();

  // The next bytes of the tar stream; 0 at its end. Packing's error comes out here.
  Result<size_t> Read(std::span<char> into);

  // What was packed. After Read gave 0; earlier, it ends the packing with an error.
  Result<archive::PackReport> Finish();

 private:
  class Impl;
  explicit PackStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Limits for what comes out of a sandbox: `max_bytes` of content, and of each file with its holes.
archive::UnpackOptions HostUnpackOptions(Bytes max_bytes);

class UnpackStream {
 public:
  // `directory` is there. The format (plain, gzip, zstd) is told by the first bytes.
  static Result<UnpackStream> Start(const std::string& directory,
                                    const archive::UnpackOptions& options);

  UnpackStream(UnpackStream&&) noexcept;
  UnpackStream& operator=(UnpackStream&&) = delete;
  ~UnpackStream();

  // Unpacking's error comes out here or of Finish.
  Result<void> Write(std::string_view bytes);

  // No more bytes come: waits until all is unpacked. An archive that was cut short is an error.
  Result<archive::UnpackReport> Finish();

 private:
  class Impl;
  explicit UnpackStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay
