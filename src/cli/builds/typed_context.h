// The context of a build as it is typed, as docker has it: a directory, "-", or a file.
//
//   TypedContext context = TRY(OpenTypedContext("-", ""));
//   if (context.archive) …            // a tar, plain or compressed: docker build - < context.tar
//   else … context.opened …           // a directory; or a Dockerfile alone: docker build - < Dockerfile
//
// What comes is told apart by its first bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "archive/byte_stream.h"
#include "base/os/paths.h"
#include "base/result.h"
#include "build/stages/context.h"
#include "template/store/layer_store.h"

namespace cay::cli {

struct TypedContext {
  std::optional<build::OpenedContext> opened{};
  std::shared_ptr<archive::ByteSource> archive{};
};

// `file`: as -f has it: of an archive, a path in it; "-" is standard input, which is one thing
// only. kInvalidArgument, and the errors of build::OpenContext.
Result<TypedContext> OpenTypedContext(const std::string& typed, const std::string& file);

// Whether this is the beginning of a tar, plain or compressed, and no text. Pure.
bool LooksLikeArchive(std::string_view begin);

// An archive's content, for a build on this machine: a directory beside the layers that are being
// made, which goes with this, or with what a killed build left.
struct UnpackedContext {
  templates::NewLayer directory;
  build::OpenedContext context;
};
Result<UnpackedContext> UnpackContextHere(const Paths& paths, archive::ByteSource& archive,
                                          const std::string& file);

}  // namespace cay::cli
