#include "cli/run/transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/os/file.h"
#include "cli/frame/console.h"
#include "guest_link/host_archive.h"

namespace cay::cli {
namespace {

std::string InsidePath(const TransferContext& context, const std::string& path) {
  return path.starts_with('/') ? path : context.workdir + "/" + path;
}

bool IsDirectory(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Nothing when there is nothing at `path`.
Result<std::optional<protocol::FileInfo>> StatInside(const TransferContext& context,
                                                     const std::string& path) {
  Result<protocol::FileInfo> info = context.guest.Stat({.user = context.user, .path = path});
  if (info) return *std::move(info);
  if (info.error().code() == ErrorCode::kNotFound) return std::nullopt;
  return Failure(std::move(info).error());
}

void NoteSkipped(const std::string& what, uint64_t count) {
  if (count == 0) return;
  Note(what + ": " + std::to_string(count) + " sockets, pipes or devices were left out");
}

Result<void> CopyDirectoryIn(const TransferContext& context, const std::string& source,
                             const std::string& target) {
  PackStream tar = TRY(PackStream::Start(source, ".", {}));
  protocol::ArchiveInRequest request;
  request.user = context.user;
  request.path = target;
  request.format = protocol::ArchiveFormat::kTar;
  TRY(context.guest.ArchiveIn(request, [&](std::span<char> into) { return tar.Read(into); }));
  archive::PackReport report = TRY(tar.Finish());
  if (report.skipped_unreadable > 0) {
    return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                         report.first_problem + ": you may not read it")
                       .WithRemedy("copy what you may read yourself"));
  }
  NoteSkipped("--copy " + source, report.skipped_special);
  return {};
}

// Streams a file of the sandbox into a new file beside `target` that then takes its place.
Result<void> CopyFileOut(const TransferContext& context, const std::string& source, uint32_t mode,
                         const std::string& target) {
  std::string partial = target + ".XXXXXX";
  int raw = ::mkostemp(partial.data(), O_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno(target));
  Fd file = Fd::Adopt(raw);
  Bytes total = 0;
  Result<protocol::FileInfo> read = context.guest.ReadFile(
      {.user = context.user, .path = source}, [&](std::string_view bytes) -> Result<void> {
        total += bytes.size();
        if (total <= context.max_bytes) return WriteAll(file.get(), bytes);
        return Failure(
            Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                  "it has more than " + FormatBytes(context.max_bytes) + " (is it sparse?)")
                .WithRemedy("raise --disk, or pack it inside"));
      });
  Result<void> done = read ? Result<void>() : Failure(std::move(read).error());
  if (done &&
      (::fchmod(file.get(), mode & 0755) != 0 || ::rename(partial.c_str(), target.c_str()) != 0)) {
    done = Failure(Error::FromErrno(target));
  }
  if (!done) ::unlink(partial.c_str());
  return done;
}

Result<void> CopyDirectoryOut(const TransferContext& context, const std::string& source,
                              const std::string& target) {
  TRY(MakeDirectories(target, 0755));
  auto files = TRY(UnpackStream::Start(target, HostUnpackOptions(context.max_bytes)));
  Result<protocol::ArchiveDone> done = context.guest.ArchiveOut(
      {.user = context.user, .path = source, .contents = true, .max_bytes = context.max_bytes},
      [&](std::string_view bytes) { return files.Write(bytes); });
  if (!done) return Failure(std::move(done).error());
  archive::UnpackReport unpacked = TRY(files.Finish());
  NoteSkipped("--out " + source, done->skipped + unpacked.skipped_special);
  return {};
}

Result<void> TryCopyIn(const TransferContext& context, const Transfer& transfer) {
  int raw = ::open(transfer.source.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno("open"));
  Fd source = Fd::Adopt(raw);
  struct stat info{};
  if (::fstat(raw, &info) != 0) return Failure(Error::FromErrno("stat"));
  std::string target = InsidePath(context, transfer.target);
  if (S_ISDIR(info.st_mode)) return CopyDirectoryIn(context, transfer.source, target);
  if (!S_ISREG(info.st_mode)) {
    return Failure(Error::Invalid("it is neither a directory nor a regular file")
                       .WithRemedy("pipe it to the command's standard input"));
  }
  auto there = TRY(StatInside(context, target));
  bool is_directory = there && there->kind == protocol::FileKind::kDirectory;
  target = PlaceForFile(transfer.source, target, is_directory);
  TRY(context.guest.WriteFile(
      {.user = context.user, .path = target, .mode = info.st_mode & 0777, .make_parents = true},
      FdSource(source)));
  return {};
}

Result<void> TryCopyOut(const TransferContext& context, const Transfer& transfer) {
  std::string source = InsidePath(context, transfer.source);
  auto info = TRY(StatInside(context, source));
  if (!info) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "the command left nothing there")
                       .WithRemedy("name a path inside the sandbox; relative ones begin at " +
                                   context.workdir));
  }
  if (info->kind == protocol::FileKind::kDirectory) {
    return CopyDirectoryOut(context, source, transfer.target);
  }
  if (info->kind != protocol::FileKind::kRegular) {
    return Failure(Error::Invalid("it is neither a directory nor a regular file"));
  }
  std::string target = PlaceForFile(transfer.source, transfer.target, IsDirectory(transfer.target));
  if (size_t slash = target.rfind('/'); slash != std::string::npos && slash > 0) {
    TRY(MakeDirectories(target.substr(0, slash), 0755));
  }
  return CopyFileOut(context, source, info->mode, target);
}

Result<void> Named(std::string_view option, const Transfer& transfer, Result<void> done) {
  if (done) return done;
  return Failure(std::move(done).error().WithContext(std::string(option) + " " + transfer.source +
                                                     ":" + transfer.target));
}

}  // namespace

Result<void> CopyIn(const TransferContext& context, const Transfer& transfer) {
  return Named("--copy", transfer, TryCopyIn(context, transfer));
}

Result<void> CopyOut(const TransferContext& context, const Transfer& transfer) {
  return Named("--out", transfer, TryCopyOut(context, transfer));
}

std::string PlaceForFile(const std::string& source, const std::string& target,
                         bool target_is_directory) {
  if (target.ends_with('/')) return target + source.substr(source.rfind('/') + 1);
  if (target_is_directory) return target + "/" + source.substr(source.rfind('/') + 1);
  return target;
}

}  // namespace cay::cli
