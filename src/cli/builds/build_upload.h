// BuildUpload: what a server is asked to build, as multipart/form-data (RFC 7578): the options, and
// the context as a tar that is packed while it is sent.
//
//   BuildUpload upload = TRY(BuildUpload::Start(options_json, std::move(context)));
//   request.headers.Add("Content-Type", upload.content_type());
//   request.source = [&](std::span<char> space) { return upload.Read(space); };
//
// One thread at a time; the packing has its own, which ends with this.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "build/stages/context.h"

namespace cay::cli {

class BuildUpload {
 public:
  static Result<BuildUpload> Start(const std::string& options, build::OpenedContext context);
  BuildUpload(BuildUpload&&) noexcept;
  BuildUpload& operator=(BuildUpload&&) = delete;
  ~BuildUpload();

  const std::string& content_type() const;
  // The next bytes of the body; 0 at its end. Packing's error comes out here.
  Result<size_t> Read(std::span<char> space);

 private:
  class Impl;
  explicit BuildUpload(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::cli
