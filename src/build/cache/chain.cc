#include "build/cache/chain.h"

#include <fcntl.h>

#include "base/os/sys.h"

namespace cay::build {

std::vector<std::string> Chain::Roots() const {
  std::vector<std::string> roots;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) roots.push_back(layer->root);
  return roots;
}

Result<std::vector<Fd>> Chain::OpenRoots() const {
  std::vector<Fd> roots;
  for (const std::string& root : Roots()) {
    roots.push_back(
        TRY(sys::OpenAt(AT_FDCWD, root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
  }
  return roots;
}

}  // namespace cay::build
