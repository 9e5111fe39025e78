// BuildUpload: what a server is asked to build, as multipart/form-data (RFC 7578): the options, and
// the context as a tar, which is packed while it is sent.
//
//   BuildUpload upload = TRY(BuildUpload::Start(options_json, std::move(context)));
//   request.headers.Add("Content-Type", upload.content_type());
//   request.source = [&](std::span<char> space) { return upload.Read(space); };
//
// One thread at a time; the packing has its own, which ends with this.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "archive/byte_stream.h"
#include "base/result.h"
#include "build/stages/context.h"

namespace cay::cli {

class BuildUpload {
 public:
  static Result<BuildUpload> Start(const std::string& options, build::OpenedContext context);
  // Of a context that is an archive already, which is sent as it is.
  static Result<BuildUpload> Start(const std::string& options,
                                   std::shared_ptr<archive::ByteSource> archive);
  BuildUpload(BuildUpload&&) noexcept;
  BuildUpload& operator=(BuildUpload&&) = delete;
  ~BuildUpload();

  const std::string& content_type() const;
  // The next bytes of the body; 0 at its end. Packing's error comes out here.
  Result<size_t> Read(std::span<char> space);

 private:
  class Impl;
  explicit BuildUpload(std::unique_ptr<Impl> impl);
  using Pack = std::function<Result<void>(archive::ByteSink& sink)>;
  static Result<BuildUpload> StartWith(const std::string& options, Pack pack);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::cli
