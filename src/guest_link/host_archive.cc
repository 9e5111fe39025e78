#include "guest_link/host_archive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <optional>
#include <thread>

#include "archive/compression.h"
#include "base/os/sys.h"

namespace cay {
namespace {

constexpr mode_t kWritableByOthers = 022;
constexpr std::string_view kPassingOn = "passing an archive on";

// "a/b/" -> the directory "a" and "b". A name that ends in "." or ".." is opened itself.
struct HostPath {
  Fd parent;
  std::string name;
};

Result<HostPath> OpenHostPath(const std::string& path) {
  std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  if (!real) {
    Error error = Error::FromErrno(path);
    if (errno != ENOENT && errno != ENOTDIR) return Failure(std::move(error));
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, error.message()));
  }
  const std::string_view whole(real.get());
  const size_t slash = whole.rfind('/');
  const std::string parent(slash == 0 ? "/" : whole.substr(0, slash));
  const std::string name(whole.substr(slash + 1));
  Fd directory = TRY(sys::OpenAt(AT_FDCWD, parent.c_str(), O_PATH | O_DIRECTORY));
  return HostPath{
      .parent = std::move(directory),
      .name = name.empty() ? "." : name,
  };
}

}  // namespace

class PackStream::Impl {
 public:
  Impl(HostPath path, std::string archive_name, archive::PackOptions options, SocketPair sockets)
      : reader_(std::move(sockets.first)),
        thread_([this, writer = std::move(sockets.second), from = std::move(path),
                 name = std::move(archive_name), pack_options = std::move(options)]() mutable {
          archive::SocketSink sink(writer, kPassingOn);
          result_ = archive::Pack(from.parent, from.name, name, sink, pack_options);
          ::shutdown(writer.get(), SHUT_RDWR);
        }) {}

  ~Impl() { Join(); }

  Result<size_t> Read(std::span<char> into) {
    while (true) {
      const ssize_t got = ::recv(reader_.get(), into.data(), into.size(), 0);
      if (got > 0) return static_cast<size_t>(got);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failure(Error::FromErrno("reading an archive"));
      TRY(Finish());
      return 0;
    }
  }

  Result<archive::PackReport> Finish() {
    Join();
    return *result_;
  }

 private:
  void Join() {
    if (!thread_.joinable()) return;
    ::shutdown(reader_.get(), SHUT_RDWR);
    thread_.join();
  }

  Fd reader_;
  std::optional<Result<archive::PackReport>> result_;  // the thread's until it is joined
  std::thread thread_;
};

PackStream::PackStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackStream::PackStream(PackStream&&) noexcept = default;
PackStream::~PackStream() = default;

Result<PackStream> PackStream::Start(const std::string& source, const std::string& archive_name,
                                     const archive::PackOptions& options) {
  HostPath path = TRY(OpenHostPath(source));
  SocketPair sockets = TRY(MakeSocketPair(SOCK_STREAM));
  return PackStream(
      std::make_unique<Impl>(std::move(path), archive_name, options, std::move(sockets)));
}

Result<size_t> PackStream::Read(std::span<char> into) { return impl_->Read(into); }
Result<archive::PackReport> PackStream::Finish() { return impl_->Finish(); }

archive::UnpackOptions HostUnpackOptions(Bytes max_bytes) {
  archive::UnpackOptions options;
  options.max_bytes = max_bytes;
  options.max_file_bytes = max_bytes;
  options.mode_mask = static_cast<mode_t>(~kWritableByOthers & 0777U);
  return options;
}

class UnpackStream::Impl {
 public:
  Impl(Fd directory, archive::UnpackOptions options, SocketPair sockets)
      : writer_(std::move(sockets.first)),
        thread_([this, reader = std::move(sockets.second), target = std::move(directory),
                 unpack_options = std::move(options)]() {
          result_ = Run(reader, target, unpack_options);
          ::shutdown(reader.get(), SHUT_RDWR);
        }) {}

  ~Impl() { Join(); }

  Result<void> Write(std::string_view bytes) {
    Result<void> written = archive::SocketSink(writer_, kPassingOn).Write(bytes);
    if (written) return {};
    // The thread has ended: it knows better why. It may also have read all it wants (what follows
    // an end marker is bounded).
    Join();
    if (!*result_) return Failure(result_->error());
    return {};
  }

  Result<archive::UnpackReport> Finish() {
    Join();
    return *result_;
  }

 private:
  static Result<archive::UnpackReport> Run(const Fd& reader, const Fd& target,
                                           const archive::UnpackOptions& options) {
    archive::FdSource packed(reader);
    const std::unique_ptr<archive::ByteSource> plain = TRY(archive::Decompress(packed));
    return archive::Unpack(*plain, target, options);
  }

  void Join() {
    if (!thread_.joinable()) return;
    ::shutdown(writer_.get(), SHUT_WR);
    thread_.join();
  }

  Fd writer_;
  std::optional<Result<archive::UnpackReport>> result_;  // the thread's until it is joined
  std::thread thread_;
};

UnpackStream::UnpackStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UnpackStream::UnpackStream(UnpackStream&&) noexcept = default;
UnpackStream::~UnpackStream() = default;

Result<UnpackStream> UnpackStream::Start(const std::string& directory,
                                         const archive::UnpackOptions& options) {
  Fd target = TRY(sys::OpenAt(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY));
  SocketPair sockets = TRY(MakeSocketPair(SOCK_STREAM));
  return UnpackStream(std::make_unique<Impl>(std::move(target), options, std::move(sockets)));
}

Result<void> UnpackStream::Write(std::string_view bytes) { return impl_->Write(bytes); }
Result<archive::UnpackReport> UnpackStream::Finish() { return impl_->Finish(); }

}  // namespace cay
