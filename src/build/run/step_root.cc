#include "build/run/step_root.h"

#include <fcntl.h>
#include <unistd.h>

#include "archive/safe_path.h"
#include "template/host/skeleton.h"
#include "template/layers/layer_tree.h"

namespace cay::build {
namespace {

using templates::LayerTree;

// As LayerTree and archives name it: without the slash at the beginning.
Result<std::string> Inside(const std::string& path) {
  std::string inside = TRY(archive::NormalizeEntryPath(path.substr(path.starts_with('/') ? 1 : 0)));
  if (!inside.empty()) return inside;
  return Failure(Error::Invalid("/ is no place to mount anything at"));
}

Result<void> MakeParent(LayerTree& tree, const std::string& inside) {
  const std::string parent(archive::SplitLast(inside).parent);
  return parent.empty() ? Result<void>() : tree.EnsureDirectoryKept(parent, {.mode = 0755});
}

Result<void> WriteStepFile(LayerTree& tree, const std::string& inside, const StepFile& file) {
  TRY(MakeParent(tree, inside));
  if (file.source == nullptr) return tree.WriteFile(inside, file.content, {.mode = file.mode});
  // Its digest was made of the same descriptor.
  if (::lseek(file.source->get(), 0, SEEK_SET) < 0) return Failure(Error::FromErrno(file.path));
  const auto copied = tree.CopyFile(*file.source, kMaxStepFile, inside, {.mode = file.mode});
  return copied ? Result<void>() : Failure(copied.error());
}

}  // namespace

Result<StepRoot> StepRoot::Make(templates::LayerStore& store, std::span<const Fd> lower,
                                const RunStep& step) {
  templates::NewLayer layer = TRY(store.Begin());
  LayerTree tree = TRY(LayerTree::Open(layer.root(), lower));
  TRY(templates::PrepareForStep(tree));
  std::vector<std::string> files(templates::kStepFiles.begin(), templates::kStepFiles.end());
  for (const StepMount& mount : step.mounts) {
    TRY(tree.EnsureDirectoryKept(TRY(Inside(mount.target)), {.mode = 0755}));
  }
  for (const StepFile& file : step.files) {
    files.push_back(TRY(Inside(file.path)));
    TRY(WriteStepFile(tree, files.back(), file));
  }
  if (!step.secrets.empty())
    TRY(tree.EnsureDirectory(TRY(Inside(std::string(kSecretsDirectory))), {.mode = 0755}));
  for (size_t i = 0; i < step.secrets.size(); ++i) {
    if (step.secrets[i].target.empty()) continue;
    files.push_back(TRY(Inside(step.secrets[i].target)));
    TRY(MakeParent(tree, files.back()));
    TRY(tree.WriteSymlink(files.back(), std::string(kSecretsDirectory) + "/" + std::to_string(i)));
  }
  return StepRoot(std::move(layer), std::move(files));
}

Result<void> StepRoot::TakeOut(const Fd& layer) const {
  for (const std::string& file : files_) {
    const auto [parent, name] = archive::SplitLast(file);
    const auto directory = archive::OpenDirectoryBeneath(layer, parent, O_RDONLY);
    if (!directory) continue;  // the step wrote nothing there, or something else is there now
    if (::unlinkat(directory->get(), std::string(name).c_str(), 0) == 0 || errno == ENOENT)
      continue;
    // A directory that the step put in the place of the file is the step's.
    if (errno != EISDIR && errno != ENOTDIR)
      return Failure(Error::FromErrno("taking /" + file + " out of a step's layer"));
  }
  return {};
}

}  // namespace cay::build
