// A build's context as a directory of this machine, and what it says of itself: its Dockerfile and
// its .dockerignore.
#pragma once

#include <memory>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "template/dockerfile/patterns/ignore.h"

namespace cay::build {

struct OpenedContext {
  std::shared_ptr<const Fd> directory;
  std::string dockerfile{};  // its text
  std::string file_name{};   // as people know it
  templates::dockerfile::IgnorePatterns ignore{};
};

// `dockerfile`: a path of this machine, or "-" for standard input; empty: the Dockerfile of the
// context. What is ignored is said by DOCKERFILE.dockerignore beside it, or else by .dockerignore
// of the context. The context may be a stranger's: of its own files, by the words of their paths,
// links lead only to others of them. kNotFound, kInvalidArgument, kLimitTooHigh.
Result<OpenedContext> OpenContext(const std::string& directory, const std::string& dockerfile);

// The same of a directory that a stranger's archive was unpacked into: `dockerfile` is a path in
// it, and nothing outside is reached.
Result<OpenedContext> OpenUnpackedContext(std::shared_ptr<const Fd> directory,
                                          const std::string& dockerfile);

}  // namespace cay::build
