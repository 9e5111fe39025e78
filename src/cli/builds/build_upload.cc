#include "cli/builds/build_upload.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/os/sys.h"
#include "base/text.h"
#include "build/packing/pack_context.h"

namespace cay::cli {
namespace {

std::string Begin(const std::string& boundary, const std::string& options) {
  return "--" + boundary +
         "\r\nContent-Disposition: form-data; name=\"options\"\r\n"
         "Content-Type: application/json\r\n\r\n" +
         options + "\r\n--" + boundary +
         "\r\nContent-Disposition: form-data; name=\"context\"; filename=\"context.tar\"\r\n"
         "Content-Type: application/x-tar\r\n\r\n";
}

}  // namespace

class BuildUpload::Impl {
 public:
  Impl(const std::string& boundary, const std::string& options, Pack pack, SocketPair sockets)
      : content_type_("multipart/form-data; boundary=" + boundary),
        text_(Begin(boundary, options)),
        end_("\r\n--" + boundary + "--\r\n"),
        reader_(std::move(sockets.first)),
        thread_([this, writer = std::move(sockets.second), pack = std::move(pack)] {
          archive::SocketSink sink(writer, "sending the context");
          packed_ = pack(sink);
          ::shutdown(writer.get(), SHUT_RDWR);
        }) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    Join();
    Wipe(text_);  // there may be secrets in it
  }

  const std::string& content_type() const { return content_type_; }

  Result<size_t> Read(std::span<char> space) {
    if (at_ < text_.size()) return TakeText(space);
    if (is_packed_) return size_t{0};
    while (true) {
      const ssize_t got = ::recv(reader_.get(), space.data(), space.size(), 0);
      if (got > 0) return static_cast<size_t>(got);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failure(Error::FromErrno("reading the context"));
      Join();
      TRY(*packed_);
      is_packed_ = true;
      Wipe(text_);
      text_ = end_;
      at_ = 0;
      return TakeText(space);
    }
  }

 private:
  size_t TakeText(std::span<char> space) {
    const size_t count = std::min(space.size(), text_.size() - at_);
    std::memcpy(space.data(), text_.data() + at_, count);
    at_ += count;
    return count;
  }
  void Join() {
    if (!thread_.joinable()) return;
    ::shutdown(reader_.get(), SHUT_RDWR);
    thread_.join();
  }

  const std::string content_type_;
  std::string text_;  // before the archive, and then behind it
  const std::string end_;
  size_t at_ = 0;
  bool is_packed_ = false;
  Fd reader_;
  std::optional<Result<void>> packed_;  // the thread's until it is joined
  std::thread thread_;
};

BuildUpload::BuildUpload(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BuildUpload::BuildUpload(BuildUpload&&) noexcept = default;
BuildUpload::~BuildUpload() = default;

Result<BuildUpload> BuildUpload::StartWith(const std::string& options, Pack pack) {
  // Random: no archive has it.
  const std::string boundary = "cay-" + TRY(SandboxId::Generate()).text();
  SocketPair sockets = TRY(MakeSocketPair(SOCK_STREAM));
  return BuildUpload(
      std::make_unique<Impl>(boundary, options, std::move(pack), std::move(sockets)));
}

Result<BuildUpload> BuildUpload::Start(const std::string& options, build::OpenedContext context) {
  return StartWith(options, [from = std::move(context)](archive::ByteSink& sink) {
    return build::PackContext(from, sink);
  });
}

Result<BuildUpload> BuildUpload::Start(const std::string& options,
                                       std::shared_ptr<archive::ByteSource> archive) {
  return StartWith(options, [from = std::move(archive)](archive::ByteSink& sink) -> Result<void> {
    std::vector<char> space(64 * kKiB);
    while (const size_t got = TRY(from->Read(space))) TRY(sink.Write({space.data(), got}));
    return {};
  });
}

const std::string& BuildUpload::content_type() const { return impl_->content_type(); }
Result<size_t> BuildUpload::Read(std::span<char> space) { return impl_->Read(space); }

}  // namespace cay::cli
