// PackContext: a context, with its Dockerfile, as an archive for OpenUnpackedContext (context.h).
//
//   archive::StringSink sink;
//   TRY(PackContext(context, sink));         // a tar; its Dockerfile is kPackedDockerfile
//
// What .dockerignore ignores is not in it. The Dockerfile, which may lie anywhere, is there under a
// name of its own, with a .dockerignore of its own that keeps both out of COPY: so what COPY sees
// is what it would see here. Symlinks are packed and not followed; sockets, FIFOs and devices are
// left out. The archive's owners and modes are those of files as COPY has them from a context.
#pragma once

#include <string_view>

#include "archive/byte_stream.h"
#include "base/result.h"
#include "build/stages/context.h"

namespace cay::build {

inline constexpr std::string_view kPackedDockerfile = ".cay-build.Dockerfile";

// Errors are the sink's, and those of files that cannot be read or that change meanwhile.
// kAlreadyExists: the context has a file of that name.
Result<void> PackContext(const OpenedContext& context, archive::ByteSink& sink);

}  // namespace cay::build
