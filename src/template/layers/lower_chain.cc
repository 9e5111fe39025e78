#include "template/layers/lower_chain.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include "archive/safe_path.h"
#include "base/os/sys.h"

namespace cay::templates {
namespace {

enum class Merging : uint8_t { kUsual, kOpaque, kRedirected };

// Most directories have no attributes at all: one call tells.
Result<Merging> MergingOf(const Fd& directory, OverlayXattrs form) {
  const std::string path = PathOf(directory);
  const ssize_t names = ::listxattr(path.c_str(), nullptr, 0);
  if (names == 0 || (names < 0 && errno == EOPNOTSUPP)) return Merging::kUsual;
  if (names < 0) return Failure(Error::FromErrno("looking at a directory of a layer below"));
  char value[8];
  const ssize_t opaque = ::getxattr(path.c_str(), OpaqueName(form), value, sizeof(value));
  if (opaque == 1 && value[0] == 'y') return Merging::kOpaque;
  if (opaque < 0 && errno != ENODATA && errno != ERANGE) {
    return Failure(Error::FromErrno("looking at a directory of a layer below"));
  }
  if (::getxattr(path.c_str(), RedirectName(form), nullptr, 0) >= 0) return Merging::kRedirected;
  if (errno == ENODATA) return Merging::kUsual;
  return Failure(Error::FromErrno("looking at a directory of a layer below"));
}

}  // namespace

Result<Fd> OpenLayerRoot(const std::string& path) {
  return sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

Result<std::vector<Fd>> OpenLayerRoots(std::span<const std::string> paths) {
  std::vector<Fd> roots;
  for (const std::string& path : paths) roots.push_back(TRY(OpenLayerRoot(path)));
  return roots;
}

std::string PathOf(const Fd& node) { return "/proc/self/fd/" + std::to_string(node.get()); }

Result<Node> OpenNode(const Fd& directory, const std::string& name, struct stat& info) {
  Result<Fd> opened = sys::OpenAt(directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (!opened) {
    if (opened.error().sys_errno() == ENOENT) return Node();
    if (opened.error().sys_errno() == ENAMETOOLONG) {
      return Failure(Error::Invalid("layer: the name \"" + archive::Printable(name) +
                                    "\" is too long for this filesystem"));
    }
    return Failure(std::move(opened).error());
  }
  if (::fstat(opened->get(), &info) < 0) {
    return Failure(Error::FromErrno("looking at " + archive::Printable(name)));
  }
  return std::make_shared<const Fd>(*std::move(opened));
}

Result<LowerChain> LowerChain::Open(std::span<const Fd> layers, OverlayXattrs form) {
  std::vector<Node> root;
  for (const Fd& layer : layers) {
    Fd own = TRY(sys::OpenAt(layer.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    root.push_back(std::make_shared<const Fd>(std::move(own)));
  }
  return LowerChain(std::move(root), form);
}

Result<void> LowerChain::CountLookup() {
  if (lookups_left_-- > 0) return {};
  lookups_left_ = 0;
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       "layer: its names are too deep for the number of its entries"));
}

Result<LowerNode> LowerChain::Child(const std::vector<Node>& directories, const std::string& name) {
  LowerNode found;
  for (size_t i = 0; i < directories.size(); ++i) {
    TRY(CountLookup());
    struct stat info{};
    Node node = TRY(OpenNode(*directories[i], name, info));
    if (!node) continue;
    if (IsWhiteout(info)) break;
    if (!S_ISDIR(info.st_mode)) {
      if (!found.exists()) {
        found.other = std::move(node);
        found.info = info;
      }
      break;
    }
    if (!found.exists()) found.info = info;
    const Fd& directory = *found.directories.emplace_back(std::move(node));
    if (i + 1 == directories.size()) break;
    const Merging merging = TRY(MergingOf(directory, form_));
    if (merging == Merging::kOpaque) break;
    if (merging == Merging::kRedirected) {
      return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                           "layer: the directory \"" + archive::Printable(name) +
                               "\" was renamed in a layer below; a layer cannot be unpacked over "
                               "such a one"));
    }
  }
  return found;
}

}  // namespace cay::templates
