#include "build/stages/copies.h"

#include <string>
#include <utility>

#include "build/stages/aside.h"
#include "build/stages/run_mounts.h"

namespace cay::build {
namespace {

namespace df = templates::dockerfile;

Result<void> TakeFiles(const df::FilesToCopy& files, FileTree& below,
                       const std::string& working_dir, CopyRequest& request) {
  request.destination = files.destination;
  request.working_dir = working_dir;
  if (!files.chown.empty()) request.owner = TRY(ResolveOwner(below, files.chown));
  if (!files.chmod.empty()) request.chmod = TRY(ModeChange::Parse(files.chmod));
  request.excludes = files.excludes;
  request.link = files.link;
  return {};
}

Result<std::unique_ptr<FileTree>> ContextOf(const BuildRequest& request) {
  return std::make_unique<FileTree>(TRY(FileTree::OfContext(*request.context, request.ignore)));
}

}  // namespace

Result<CopyInputs> InputsOf(BuildParts& parts, size_t stage, const df::Copy& copy, FileTree& below,
                            const std::string& working_dir) {
  CopyInputs inputs;
  if (copy.from.empty()) {
    inputs.tree = TRY(ContextOf(parts.request));
  } else {
    inputs.tree = std::make_unique<FileTree>(TRY(TreeOf(TRY(ChainNamed(parts, stage, copy.from)))));
  }
  inputs.request.from = inputs.tree.get();
  inputs.request.sources = SourcesOf(copy.files);
  inputs.request.parents = copy.parents;
  TRY(TakeFiles(copy.files, below, working_dir, inputs.request));
  return inputs;
}

Result<CopyInputs> InputsOf(BuildParts& parts, const df::Add& add, FileTree& below,
                            const std::string& working_dir, std::vector<CopySource> sources) {
  CopyInputs inputs{.tree = TRY(ContextOf(parts.request))};
  inputs.request.from = inputs.tree.get();
  inputs.request.sources = std::move(sources);
  inputs.request.add = true;
  inputs.request.unpack = add.unpack;
  TRY(TakeFiles(add.files, below, working_dir, inputs.request));
  return inputs;
}

}  // namespace cay::build
