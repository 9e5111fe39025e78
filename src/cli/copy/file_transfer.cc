#include "cli/copy/file_transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/json/object.hpp>

#include "base/os/file.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/copy/copy_paths.h"
#include "cli/copy/progress.h"
#include "cli/frame/console.h"
#include "guest_link/host_archive.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

constexpr size_t kPieceBytes = 256 * 1024;

Target FileTarget(const FileTransfer& transfer, std::string_view operation,
                  const std::string& path) {
  return Target(SandboxPath(transfer.sandbox, operation))
      .Add("path", path)
      .AddUnlessEmpty("user", transfer.user);
}

// Nothing when there is nothing there.
Result<std::optional<json::object>> StatInside(const FileTransfer& transfer,
                                               const std::string& path) {
  Result<json::object> info =
      transfer.api.Get(FileTarget(transfer, "/files/stat", path).Add("follow", "true").text());
  if (info) return *std::move(info);
  if (info.error().code() != ErrorCode::kNotFound) return Failure(std::move(info).error());
  // Or is it the sandbox that is not there?
  TRY(transfer.api.Get(SandboxPath(transfer.sandbox)));
  return std::nullopt;
}

bool IsDirectory(const json::object& info) { return TextOf(info, "type") == "directory"; }

Standing StandingOf(const std::optional<json::object>& info) {
  if (!info) return Standing::kNothing;
  return IsDirectory(*info) ? Standing::kDirectory : Standing::kOther;
}

Standing StandingHere(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return Standing::kNothing;
  return S_ISDIR(info.st_mode) ? Standing::kDirectory : Standing::kOther;
}

// What comes out of a sandbox makes no directories of this machine but what was named.
Result<void> CheckParentHere(const std::string& target) {
  const std::string parent = ParentOf(target);
  if (StandingHere(parent) == Standing::kDirectory) return {};
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "there is no directory " + parent + " on this machine")
                     .WithRemedy("mkdir -p " + parent));
}

// More than a sandbox can hold cannot come out of it, except for holes.
Result<Bytes> MostThatCanCome(const FileTransfer& transfer) {
  const json::object sandbox = TRY(transfer.api.Get(SandboxPath(transfer.sandbox)));
  const json::object& limits = ObjectOf(sandbox, "limits");
  const int64_t sum = NumberOf(limits, "disk").value_or(0) + NumberOf(limits, "memory").value_or(0);
  if (sum > 0) return static_cast<Bytes>(sum);
  return Failure(
      Error(ErrorCode::kProtocol, Fault::kMachine, "the server does not tell its limits"));
}

Error TooMuch(Bytes limit) {
  return Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
               "it has more than " + FormatBytes(limit) + " (is it sparse?)")
      .WithRemedy("pack it inside");
}

// All of a response's body.
template <class Sink>
Result<void> Drain(http::ClientResponse& response, Progress& progress, Sink sink) {
  std::array<char, kPieceBytes> buffer;
  while (true) {
    const size_t got = TRY(response.Read(buffer));
    if (got == 0) return {};
    TRY(sink(std::string_view(buffer.data(), got)));
    progress.Add(got);
  }
}

Result<std::unique_ptr<http::ClientResponse>> Open(const FileTransfer& transfer,
                                                   const Target& target) {
  http::ClientRequest request;
  request.target = target.text();
  return transfer.api.Send(std::move(request));
}

std::optional<uint64_t> LengthOf(const http::ClientResponse& response) {
  const auto text = response.headers().Find("Content-Length");
  if (!text) return std::nullopt;
  const Result<uint64_t> length = ParseUnsigned(*text);
  return length ? std::optional(*length) : std::nullopt;
}

// PUT with a body from `source`; the answer's object.
Result<json::object> Put(const FileTransfer& transfer, const Target& target,
                         std::function<Result<size_t>(std::span<char>)> source,
                         std::optional<uint64_t> size, Progress& progress) {
  http::ClientRequest request;
  request.method = "PUT";
  request.target = target.text();
  request.headers.Add("Content-Type", "application/octet-stream");
  request.source_length = size;
  request.source = [&progress,
                    source = std::move(source)](std::span<char> space) -> Result<size_t> {
    const size_t got = TRY(source(space));
    progress.Add(got);
    return got;
  };
  auto response = TRY(transfer.api.Send(std::move(request)));
  const std::string text = TRY(response->ReadAll(kMaxAnswerBytes));
  return text.empty() ? json::object() : TRY(ParseJsonObject(text));
}

std::function<Result<size_t>(std::span<char>)> SourceOf(int fd) {
  return [fd](std::span<char> space) -> Result<size_t> {
    while (true) {
      const ssize_t got = ::read(fd, space.data(), space.size());
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return Failure(Error::FromErrno("read"));
    }
  };
}

void NoteSkipped(const FileTransfer& transfer, const std::string& what, uint64_t count) {
  if (count == 0 || transfer.quiet) return;
  Note(what + ": " + std::to_string(count) + " sockets, pipes or devices were left out");
}

Result<void> PutDirectory(const FileTransfer& transfer, const std::string& source,
                          const std::string& target) {
  const std::string place =
      TRY(PlaceOfDirectory(source, target, StandingOf(TRY(StatInside(transfer, target)))));
  // With its name it brings its mode.
  const std::string name = place == target ? "." : BaseName(source);
  PackStream tar = TRY(PackStream::Start(source, name, {}));
  Progress progress(BaseName(source), std::nullopt, transfer.quiet);
  const json::object done = TRY(Put(
      transfer, FileTarget(transfer, "/archive", target),
      [&](std::span<char> space) { return tar.Read(space); }, std::nullopt, progress));
  const archive::PackReport report = TRY(tar.Finish());
  if (report.skipped_unreadable > 0) {
    return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                         report.first_problem + ": you may not read it")
                       .WithRemedy("copy what you may read yourself"));
  }
  const int64_t skipped = NumberOf(done, "skipped").value_or(0);
  NoteSkipped(transfer, source,
              report.skipped_special + static_cast<uint64_t>(std::max<int64_t>(0, skipped)));
  return {};
}

Result<void> PutOne(const FileTransfer& transfer, const std::string& source, std::string target) {
  const int raw = ::open(source.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (raw < 0 && errno == ENOENT) {
    return Failure(
        Error(ErrorCode::kNotFound, Fault::kCaller, "there is nothing of that name on this machine")
            .WithRemedy("of a sandbox's file, write SANDBOX:PATH"));
  }
  if (raw < 0) return Failure(Error::FromErrno("open"));
  const Fd file = Fd::Adopt(raw);
  struct stat info{};
  if (::fstat(raw, &info) != 0) return Failure(Error::FromErrno("stat"));
  if (S_ISDIR(info.st_mode)) return PutDirectory(transfer, source, target);
  if (!S_ISREG(info.st_mode)) {
    return Failure(Error::Invalid("it is neither a directory nor a regular file")
                       .WithRemedy("pipe it: … | cay files put SANDBOX - PATH"));
  }
  target = TRY(PlaceOfFile(source, target, StandingOf(TRY(StatInside(transfer, target)))));
  std::string mode = "0000";
  for (int digit = 0; digit < 3; ++digit) {
    mode[static_cast<size_t>(3 - digit)] =
        static_cast<char>('0' + ((info.st_mode >> (3 * digit)) & 7));
  }
  return WriteFileFrom(transfer, raw, target, static_cast<uint64_t>(info.st_size), mode);
}

// Streams a file of the sandbox into a new file beside `target` that then takes its place.
Result<void> GetFile(const FileTransfer& transfer, const std::string& source,
                     const json::object& info, const std::string& target) {
  TRY(CheckParentHere(target));
  const Bytes limit = TRY(MostThatCanCome(transfer));
  std::string partial = target + ".XXXXXX";
  const int raw = ::mkostemp(partial.data(), O_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno(target));
  const Fd file = Fd::Adopt(raw);
  auto copy = [&]() -> Result<void> {
    auto response = TRY(Open(transfer, FileTarget(transfer, "/files", source)));
    Progress progress(BaseName(source), LengthOf(*response), transfer.quiet);
    TRY(Drain(*response, progress, [&](std::string_view bytes) -> Result<void> {
      if (progress.done() + bytes.size() > limit) return Failure(TooMuch(limit));
      return WriteAll(raw, bytes);
    }));
    const bool executable = TextOf(info, "mode").find_first_of("1357") != std::string::npos;
    if (::fchmod(raw, executable ? 0755 : 0644) != 0 ||
        ::rename(partial.c_str(), target.c_str()) != 0) {
      return Failure(Error::FromErrno(target));
    }
    return {};
  };
  Result<void> done = copy();
  if (!done) ::unlink(partial.c_str());
  return done;
}

Result<void> GetDirectory(const FileTransfer& transfer, const std::string& source,
                          std::string target) {
  target = TRY(PlaceOfDirectory(source, target, StandingHere(target)));
  TRY(CheckParentHere(target));
  const Bytes limit = TRY(MostThatCanCome(transfer));
  TRY(MakeDirectories(target, 0755));
  auto files = TRY(UnpackStream::Start(target, HostUnpackOptions(limit)));
  auto response = TRY(
      Open(transfer,
           FileTarget(transfer, "/archive", source).Add("format", "tar").Add("contents", "true")));
  Progress progress(BaseName(source), std::nullopt, transfer.quiet);
  TRY(Drain(*response, progress, [&](std::string_view bytes) { return files.Write(bytes); }));
  const archive::UnpackReport unpacked = TRY(files.Finish());
  NoteSkipped(transfer, source, unpacked.skipped_special);
  return {};
}

Result<void> GetOne(const FileTransfer& transfer, const std::string& source,
                    const std::string& target) {
  const auto info = TRY(StatInside(transfer, source));
  if (!info) {
    return Failure(
        Error(ErrorCode::kNotFound, Fault::kCaller, "there is nothing of that name in the sandbox")
            .WithRemedy("see cay files ls " + transfer.sandbox + " " + ParentOf(source)));
  }
  if (IsDirectory(*info)) return GetDirectory(transfer, source, target);
  if (TextOf(*info, "type") != "file") {
    return Failure(Error::Invalid("it is neither a directory nor a regular file"));
  }
  return GetFile(transfer, source, *info, TRY(PlaceOfFile(source, target, StandingHere(target))));
}

Result<void> Named(const std::string& path, Result<void> done) {
  if (done || done.error().message().contains(path)) return done;
  return Failure(std::move(done).error().WithContext(path));
}

}  // namespace

Result<void> CopyToSandbox(const FileTransfer& transfer, const std::string& source,
                           const std::string& target) {
  return Named(source, PutOne(transfer, source, target));
}

Result<void> CopyFromSandbox(const FileTransfer& transfer, const std::string& source,
                             const std::string& target) {
  return Named(source, GetOne(transfer, source, target));
}

Result<void> UnpackStandardInput(const FileTransfer& transfer, const std::string& target) {
  Progress progress("standard input", std::nullopt, transfer.quiet);
  const json::object done = TRY(Put(transfer, FileTarget(transfer, "/archive", target),
                                    SourceOf(STDIN_FILENO), std::nullopt, progress));
  const int64_t skipped = NumberOf(done, "skipped").value_or(0);
  NoteSkipped(transfer, target, static_cast<uint64_t>(std::max<int64_t>(0, skipped)));
  return {};
}

Result<void> PackToStandardOutput(const FileTransfer& transfer, const std::string& source,
                                  const std::string& format) {
  Target target = FileTarget(transfer, "/archive", source).Add("format", format);
  // The root has no name that could be in front.
  const bool is_root = source.find_first_not_of('/') == std::string::npos;
  if (is_root || MeansContents(source)) target = std::move(target).Add("contents", "true");
  auto response = TRY(Open(transfer, target));
  Progress progress(BaseName(source), std::nullopt, transfer.quiet);
  return Drain(*response, progress,
               [](std::string_view bytes) { return WriteAll(STDOUT_FILENO, bytes); });
}

Result<void> ReadFileTo(const FileTransfer& transfer, const std::string& path, int fd) {
  auto response = TRY(Open(transfer, FileTarget(transfer, "/files", path)));
  const bool quiet = transfer.quiet || ::isatty(fd) == 1;
  Progress progress(BaseName(path), LengthOf(*response), quiet);
  return Drain(*response, progress, [fd](std::string_view bytes) { return WriteAll(fd, bytes); });
}

Result<void> WriteFileFrom(const FileTransfer& transfer, int fd, const std::string& path,
                           std::optional<uint64_t> size, const std::string& mode) {
  Progress progress(BaseName(path), size, transfer.quiet);
  TRY(Put(transfer,
          FileTarget(transfer, "/files", path).AddUnlessEmpty("mode", mode).Add("parents", "true"),
          SourceOf(fd), size, progress));
  return {};
}

}  // namespace cay::cli
