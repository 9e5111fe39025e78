#include "guest_link/file_paths.h"

#include "protocol/messages.h"

namespace cay {

Result<std::string> AbsolutePath(std::string_view workdir, std::string_view path) {
  if (path.empty()) return Failure(Error::Invalid("the path is empty"));
  if (path.find('\0') != std::string_view::npos) {
    return Failure(Error::Impossible("the path has a NUL in it"));
  }
  std::string absolute;
  if (path.front() != '/') {
    absolute = workdir;
    if (!absolute.ends_with('/')) absolute += '/';
  }
  absolute += path;
  if (absolute.size() > protocol::kMaxPathBytes) {
    return Failure(Error::Impossible("the path has more than " +
                                     std::to_string(protocol::kMaxPathBytes) + " bytes"));
  }
  return absolute;
}

Result<std::string> DirectoryPath(std::string_view workdir, std::string_view path) {
  return AbsolutePath(workdir, path.empty() ? workdir : path);
}

std::string BelowWorkdir(std::string_view workdir, std::string_view path) {
  const auto below = [&](std::string_view top) {
    return top != "/" && path.starts_with(top) &&
           (path.size() == top.size() || path[top.size()] == '/');
  };
  const bool in_full = below(workdir) || below("/workspace") || below("/tmp");
  if (!path.starts_with('/') || in_full) return std::string(path);
  const size_t name = path.find_first_not_of('/');
  return std::string(name == std::string_view::npos ? workdir : path.substr(name));
}

std::string_view LastComponent(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/") return path;
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace cay
