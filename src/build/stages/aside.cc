#include "build/stages/aside.h"

#include "build/copy/apply_copy.h"
#include "build/copy/copy_archive.h"
#include "template/import/import_watch.h"
#include "template/layers/lower_chain.h"

namespace cay::build {
namespace {

// A path as COPY's sources are written: none of its characters is a pattern's.
std::string AsPattern(std::string_view path) {
  std::string pattern;
  for (const char c : path) {
    if (std::string_view("*?[\\").contains(c)) pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern.empty() ? "." : pattern;
}

}  // namespace

Result<FileTree> TreeOf(const Chain& chain) {
  const std::vector<Fd> roots = TRY(chain.OpenRoots());
  return FileTree::OfLayers(roots, templates::OverlayXattrsOfCaller());
}

Result<AsideCopy> PlanAside(FileTree& tree, std::string_view directory) {
  CopyRequest request{.from = &tree, .destination = "/", .working_dir = "/"};
  request.sources.emplace_back(PathSource{.pattern = AsPattern(directory)});
  CopyPlan plan = TRY(PlanCopy(request, {}));
  std::string digest = TRY(CopyDigest(plan));
  return AsideCopy{.plan = std::move(plan), .digest = std::move(digest)};
}

Result<void> CopyAside(AsideCopy& copy, const templates::NewLayer& layer) {
  const Fd root = TRY(templates::OpenLayerRoot(layer.root()));
  const templates::ImportOptions whole;
  templates::ImportWatch watch(whole);  // keeps the disk's reserve
  ApplyOptions options{.expected_digest = copy.digest};
  options.layer.on_progress = [&](const templates::LayerProgress& now) {
    return watch.Note({now.entries, now.bytes}, root);
  };
  const auto copied = ApplyCopy(copy.plan, {}, root, options);
  return copied ? Result<void>() : Failure(copied.error());
}

}  // namespace cay::build
