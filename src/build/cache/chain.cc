#include "build/cache/chain.h"

#include "template/layers/lower_chain.h"

namespace cay::build {

std::vector<std::string> Chain::Roots() const {
  std::vector<std::string> roots;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) roots.push_back(layer->root);
  return roots;
}

Result<std::vector<Fd>> Chain::OpenRoots() const { return templates::OpenLayerRoots(Roots()); }

}  // namespace cay::build
