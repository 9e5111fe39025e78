#include "build/packages/programs.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "template/layers/lower_chain.h"
#include "template/layers/overlay_marks.h"

namespace cay::build {
namespace {

constexpr size_t kMaxDirectories = 64;  // of a PATH

std::vector<std::string> PathOf(const std::vector<std::string>& env) {
  constexpr std::string_view kPath = "PATH=";
  std::vector<std::string> directories;
  for (const std::string& variable : env) {
    if (!variable.starts_with(kPath)) continue;
    for (const std::string_view one : Split(std::string_view(variable).substr(kPath.size()), ':')) {
      if (one.starts_with('/') && directories.size() < kMaxDirectories)
        directories.emplace_back(one);
    }
  }
  return directories;
}

}  // namespace

Result<Programs> Programs::Of(const templates::Template& base) {
  std::vector<Tree> trees;
  for (const engine::Overlay& overlay : engine::HostLayersOf(base.root).overlays) {
    const std::vector<Fd> layers = TRY(templates::OpenLayerRoots(overlay.layers));
    FileTree files = TRY(FileTree::OfLayers(layers, templates::OverlayXattrsOfCaller()));
    trees.push_back({.target = overlay.target, .files = std::move(files)});
  }
  if (trees.empty()) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                         "packages are installed over templates that are made of directories"));
  }
  std::ranges::sort(trees, std::greater(), [](const Tree& tree) { return tree.target.size(); });
  return Programs(std::move(trees), PathOf(base.env));
}

Result<std::optional<Program>> Programs::Find(std::string_view name) {
  for (const std::string& directory : path_) {
    const std::string path = directory + "/" + std::string(name);
    for (Tree& tree : trees_) {
      const std::string below = tree.target == "/" ? "/" : tree.target + "/";
      if (!path.starts_with(below)) continue;
      // A symlink is a program's, too: where it leads may be in another overlay.
      const auto place = tree.files.Resolve(path.substr(below.size()), LastLink::kKeep);
      const bool is_there =
          place && (place->kind == Place::Kind::kFile || place->kind == Place::Kind::kSymlink);
      if (is_there) {
        return Program{.path = path, .uid = place->info().st_uid, .gid = place->info().st_gid};
      }
      break;
    }
  }
  return std::nullopt;
}

}  // namespace cay::build
