#include "build/copy/apply_copy.h"

#include <pthread.h>
#include <signal.h>

#include <thread>

#include "archive/byte_stream.h"
#include "build/copy/copy_archive.h"

namespace cay::build {
namespace {

// The digest, where it is wanted.
Result<std::optional<std::string>> WriteInto(CopyPlan& plan, const Fd& pipe, bool digested) {
  // Whoever reads may give up; that is an error of write(2) here and not the end of the process.
  sigset_t pipe_signal;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
  archive::FdSink sink(pipe);
  if (digested) return std::optional(TRY(WriteAndDigest(plan, sink)));
  TRY(WriteCopyArchive(plan, sink, TimesMode::kReal));
  return std::optional<std::string>();
}

}  // namespace

Result<templates::LayerReport> ApplyCopy(CopyPlan& plan, std::span<const Fd> lower, const Fd& root,
                                         const ApplyOptions& options) {
  Pipe pipe = TRY(MakePipe());
  Result<std::optional<std::string>> written;
  std::thread writer([&, write = std::move(pipe.write)]() mutable {
    const Fd end = std::move(write);  // closed when it is done
    written = WriteInto(plan, end, options.expected_digest.has_value());
  });
  Result<templates::LayerReport> unpacked;
  {
    const Fd read = std::move(pipe.read);
    archive::FdSource source(read);
    unpacked = templates::UnpackLayerTar(source, lower, root, options.layer);
  }  // closed: a writer that still writes ends
  writer.join();
  // The one that failed first says why; the other only saw its end of the pipe close.
  if (!written && written.error().sys_errno() != EPIPE) return Failure(written.error());
  if (!unpacked) return Failure(unpacked.error());
  if (!written) return Failure(written.error());
  if (options.expected_digest && **written != *options.expected_digest) {
    return Failure(Error::Impossible("files were changed while they were copied", ESTALE));
  }
  return unpacked;
}

}  // namespace cay::build
