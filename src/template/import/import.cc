#include "template/import/import.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "archive/byte_stream.h"
#include "archive/pack.h"
#include "archive/unpack.h"
#include "base/os/sys.h"
#include "template/import/import_watch.h"
#include "template/layers/lower_chain.h"

namespace cay::templates {
namespace {

Result<archive::UnpackReport> UnpackTar(archive::ByteSource& source, const std::string& root,
                                        const ImportOptions& options) {
  const Fd directory = TRY(OpenLayerRoot(root));
  ImportWatch watch(options);
  archive::UnpackOptions unpack;
  unpack.max_entries = options.max_entries;
  unpack.max_bytes = options.max_bytes;
  unpack.max_file_bytes = options.max_bytes;
  unpack.ownership = ::geteuid() == 0 ? archive::Ownership::kArchive : archive::Ownership::kCaller;
  unpack.keep_sticky_directories = true;
  unpack.skip_whiteout_names = true;
  unpack.on_progress = [&](const archive::UnpackReport& report) {
    return watch.Note({report.entries, report.bytes}, directory);
  };
  return archive::Unpack(source, directory, unpack);
}

ImportedContent ContentOf(const archive::UnpackReport& report) {
  ImportedContent content;
  content.entries = report.entries;
  content.bytes = report.bytes;
  content.notes = NotesOf(report);
  return content;
}

// A copy into itself would not end before the bounds do.
Result<void> CheckIsOutside(const struct stat& source, const std::string& store_dir) {
  Fd at = TRY(sys::OpenAt(AT_FDCWD, store_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::optional<struct stat> below;
  while (true) {
    struct stat info{};
    if (::fstat(at.get(), &info) < 0) return Failure(Error::FromErrno("looking at " + store_dir));
    if (info.st_ino == source.st_ino && info.st_dev == source.st_dev) {
      return Failure(Error::Invalid("the directory to import holds Cay's own templates")
                         .WithRemedy("name the root filesystem itself, or keep templates elsewhere "
                                     "with CAY_STATE_DIR"));
    }
    if (below && below->st_ino == info.st_ino && below->st_dev == info.st_dev) return {};
    below = info;
    at = TRY(sys::OpenAt(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
}

Result<archive::PackReport> PackInto(const Fd& directory, Fd pipe, const ImportOptions& options) {
  // Whoever reads may give up; that is an error of write(2) here and not the end of the process.
  sigset_t pipe_signal;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
  archive::FdSink sink(pipe);
  archive::PackOptions pack;
  pack.max_entries = options.max_entries;
  pack.max_bytes = options.max_bytes;
  return archive::Pack(directory, ".", ".", sink, pack);
}

Result<ImportedContent> FromDirectory(const Fd& directory, const std::string& root,
                                      const ImportOptions& options) {
  Pipe pipe = TRY(MakePipe());
  Result<archive::PackReport> packed;
  std::thread packer([&, write = std::move(pipe.write)]() mutable {
    packed = PackInto(directory, std::move(write), options);
  });
  Result<archive::UnpackReport> unpacked;
  {
    const Fd read = std::move(pipe.read);
    archive::FdSource source(read);
    unpacked = UnpackTar(source, root, options);
  }  // closed: a packer that still writes ends
  packer.join();
  // The one that failed first says why; the other only saw its end of the pipe close.
  if (!packed && packed.error().sys_errno() != EPIPE) return Failure(packed.error());
  if (!unpacked) return Failure(unpacked.error());
  if (!packed) return Failure(packed.error());
  ImportedContent content = ContentOf(*unpacked);
  content.notes.skipped_special += packed->skipped_special;
  content.notes.skipped_unreadable = packed->skipped_unreadable;
  content.notes.skipped_other =
      packed->skipped_mounts + packed->skipped_too_deep + packed->skipped_fragmented;
  content.notes.changed_meanwhile = packed->changed;
  return content;
}

Result<Fd> StandardInput() {
  const int fd = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return Failure(Error::FromErrno("standard input"));
  return Fd::Adopt(fd);
}

}  // namespace

Result<ImportSource> OpenSource(const std::string& source) {
  Result<Fd> opened = source == "-" ? StandardInput()
                                    : sys::OpenAt(AT_FDCWD, source.c_str(),
                                                  O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (!opened) {
    const int why = opened.error().sys_errno();
    const ErrorCode code = why == ENOENT || why == ENOTDIR ? ErrorCode::kNotFound
                           : why == EACCES                 ? ErrorCode::kPermissionDenied
                                                           : opened.error().code();
    return Failure(Error(code, Fault::kCaller, opened.error().message()));
  }
  struct stat info{};
  if (::fstat(opened->get(), &info) < 0) return Failure(Error::FromErrno("looking at " + source));
  const bool is_stream = source == "-" && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
  if (S_ISDIR(info.st_mode) || S_ISREG(info.st_mode) || is_stream)
    return ImportSource{.fd = *std::move(opened), .is_directory = S_ISDIR(info.st_mode)};
  return Failure(
      Error::Invalid((source == "-" ? "standard input" : source) +
                     " is neither a directory nor a file")
          .WithRemedy("give a root filesystem directory, a .tar, .tar.gz or .tar.zst of one, or an "
                      "archive of images"));
}

Result<ImportedContent> UnpackDirectory(const Fd& directory, const std::string& store_dir,
                                        const std::string& root, const ImportOptions& options) {
  struct stat info{};
  if (::fstat(directory.get(), &info) < 0)
    return Failure(Error::FromErrno("looking at the directory to import"));
  TRY(CheckIsOutside(info, store_dir));
  return FromDirectory(directory, root, options);
}

Result<ImportedContent> UnpackArchive(archive::ByteSource& tar, const std::string& root,
                                      const ImportOptions& options) {
  return ContentOf(TRY(UnpackTar(tar, root, options)));
}

Result<void> SyncLayer(const std::string& root) {
  const Fd directory = TRY(OpenLayerRoot(root));
  if (::syncfs(directory.get()) < 0) return Failure(Error::FromErrno("syncing " + root));
  return {};
}

}  // namespace cay::templates
