#include "guest/operations/archive_worker.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "archive/compression.h"
#include "archive/pack.h"
#include "archive/unpack.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "guest/files/file_view.h"
#include "protocol/frame.h"

namespace cay::guest {
namespace {

using protocol::FrameType;

archive::Compression CompressionOf(protocol::ArchiveFormat format) {
  switch (format) {
    case protocol::ArchiveFormat::kTarGzip:
      return archive::Compression::kGzip;
    case protocol::ArchiveFormat::kTarZstd:
      return archive::Compression::kZstd;
    case protocol::ArchiveFormat::kTar:
      break;
  }
  return archive::Compression::kNone;
}

Result<void> SendAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return Failure(Error::FromErrno("sending to the host"));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

// Bytes into kData frames of the largest size.
class FrameSink final : public archive::ByteSink {
 public:
  explicit FrameSink(int socket) : socket_(socket) { buffer_.reserve(protocol::kMaxDataBytes); }

  Result<void> Write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const size_t count = std::min(bytes.size(), protocol::kMaxDataBytes - buffer_.size());
      buffer_.append(bytes.substr(0, count));
      bytes.remove_prefix(count);
      if (buffer_.size() == protocol::kMaxDataBytes) TRY(Flush());
    }
    return {};
  }

  Result<void> Flush() {
    if (buffer_.empty()) return {};
    const protocol::FrameHeader header =
        protocol::MakeFrameHeader(FrameType::kData, buffer_.size());
    TRY(SendAll(socket_, {header.data(), header.size()}));
    TRY(SendAll(socket_, buffer_));
    buffer_.clear();
    return {};
  }

 private:
  int socket_;
  std::string buffer_;
};

// The content of kData frames up to kDataEnd.
class FrameSource final : public archive::ByteSource {
 public:
  FrameSource(int socket, std::string_view early)
      : socket_(socket), early_(early), parser_(protocol::Sender::kHost) {}

  Result<size_t> Read(std::span<char> into) override {
    while (rest_.empty()) {
      if (ended_) return 0;
      TRY(NextFrame());
    }
    const size_t count = std::min(rest_.size(), into.size());
    std::memcpy(into.data(), rest_.data(), count);
    rest_.remove_prefix(count);
    return count;
  }

  // What the archive itself does not need: padding, and bytes after an error. The host sends them
  // all the same, and reads the answer only afterwards.
  void Drain() {
    while (!ended_ && NextFrame()) {
    }
  }

 private:
  Result<void> NextFrame() {
    while (true) {
      const std::optional<protocol::Frame> frame = TRY(parser_.Next());
      if (!frame) {
        TRY(Receive());
        continue;
      }
      if (frame->type == FrameType::kDataEnd) {
        ended_ = true;
      } else if (frame->type == FrameType::kData) {
        rest_ = frame->payload;
      } else {
        return Failure(Error(ErrorCode::kProtocol, Fault::kCaller,
                             "a frame that this operation does not take"));
      }
      return {};
    }
  }

  Result<void> Receive() {
    const std::span<char> space = parser_.Space();
    if (!early_.empty()) {
      const size_t count = std::min(early_.size(), space.size());
      std::memcpy(space.data(), early_.data(), count);
      early_.remove_prefix(count);
      parser_.Commit(count);
      return {};
    }
    while (true) {
      const ssize_t got = ::recv(socket_, space.data(), space.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the host has gone"));
      }
      parser_.Commit(static_cast<size_t>(got));
      return {};
    }
  }

  int socket_;
  std::string_view early_;
  protocol::FrameParser parser_;
  std::string_view rest_;
  bool ended_ = false;
};

Result<FileView> MakeView(const ArchiveJob& job, std::optional<Fd>& root, std::optional<Fd>& proc) {
  root = TRY(sys::OpenAt(AT_FDCWD, "/", O_PATH));
  proc = TRY(sys::OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
  return FileView(*root, *proc, job.temporaries);
}

Result<void> Confine(const ArchiveJob& job) {
  // Commands' score: out of memory, the guest is not the one to go. Only as long as this is root.
  static_cast<void>(WriteKnobAt(AT_FDCWD, "/proc/self/oom_score_adj", "500"));
  TRY(FileCredentials::BecomeForGood(job.user, job.single_user));
  const int flags = ::fcntl(job.socket, F_GETFL);
  if (flags < 0 || ::fcntl(job.socket, F_SETFL, flags & ~O_NONBLOCK) < 0) {
    return Failure(Error::FromErrno("making the connection blocking"));
  }
  return {};
}

void Answer(int socket, const Result<protocol::ArchiveDone>& result) {
  const std::string frame =
      result ? protocol::MakeFrame(FrameType::kArchiveDone, protocol::Encode(*result))
             : protocol::MakeFrame(FrameType::kError,
                                   protocol::Encode(protocol::ToMessage(result.error())));
  static_cast<void>(SendAll(socket, frame));  // a host that has gone needs no answer
}

// What the user may not read is the caller's to know, and no fault of the machine's.
Result<archive::PackReport> OfUser(Result<archive::PackReport> packed, const std::string& path) {
  if (packed) return packed;
  const int why = packed.error().sys_errno();
  if (why == EACCES || why == EPERM) return Failure(FileError(path, why));
  return packed;
}

Result<protocol::ArchiveDone> ArchiveOut(const ArchiveJob& job,
                                         const protocol::ArchiveOutRequest& request) {
  TRY(Confine(job));
  std::optional<Fd> root;
  std::optional<Fd> proc;
  const FileView view = TRY(MakeView(job, root, proc));
  archive::PackOptions options;
  options.max_bytes = request.max_bytes;
  options.max_entries = request.max_entries;
  options.leaves_out = [&job](const std::string& name) { return job.temporaries.IsLive(name); };
  FrameSink frames(job.socket);
  const auto sink = TRY(archive::Compress(frames, CompressionOf(request.format)));
  archive::PackReport report;
  if (request.contents) {
    const Fd directory = TRY(view.OpenDirectory(request.path));
    report = TRY(OfUser(archive::Pack(directory, ".", ".", *sink, options), request.path));
  } else {
    const FileView::Place place = TRY(view.OpenPlace(request.path, false));
    report = TRY(OfUser(archive::Pack(place.directory, place.name, place.name, *sink, options),
                        request.path));
  }
  TRY(sink->Finish());
  TRY(frames.Flush());
  return protocol::ArchiveDone{.entries = report.entries,
                               .bytes = report.bytes,
                               .skipped = report.skipped_special + report.skipped_unreadable +
                                          report.skipped_mounts + report.skipped_too_deep +
                                          report.skipped_fragmented};
}

Result<protocol::ArchiveDone> ArchiveIn(const ArchiveJob& job,
                                        const protocol::ArchiveInRequest& request,
                                        FrameSource& frames) {
  TRY(Confine(job));
  std::optional<Fd> root;
  std::optional<Fd> proc;
  const FileView view = TRY(MakeView(job, root, proc));
  if (request.make_parents) TRY(view.MakeDirectory(request.path, 0755, true));
  const Fd directory = TRY(view.OpenDirectory(request.path));
  archive::UnpackOptions options;
  options.max_bytes = request.max_bytes;
  options.max_entries = request.max_entries;
  std::optional<archive::Compression> expected;
  if (request.format) expected = CompressionOf(*request.format);
  const auto plain = TRY(archive::Decompress(frames, expected));
  const archive::UnpackReport report = TRY(archive::Unpack(*plain, directory, options));
  return protocol::ArchiveDone{.entries = report.entries,
                               .bytes = report.bytes,
                               .skipped = report.skipped_special + report.skipped_whiteouts};
}

}  // namespace

void RunArchiveOut(const ArchiveJob& job, const protocol::ArchiveOutRequest& request) {
  Answer(job.socket, ArchiveOut(job, request));
}

void RunArchiveIn(const ArchiveJob& job, const protocol::ArchiveInRequest& request) {
  FrameSource frames(job.socket, job.early);
  const Result<protocol::ArchiveDone> result = ArchiveIn(job, request, frames);
  frames.Drain();
  Answer(job.socket, result);
}

}  // namespace cay::guest
