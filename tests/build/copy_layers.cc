// copy-layers DIRECTORY CONTEXT DOCKERFILE: executes what COPY, ADD and WORKDIR of a Dockerfile
// say, whose stages begin with scratch or another stage, with layers in DIRECTORY, and prints the
// tree of the last stage. A line of it:
//
//   PATH TYPE MODE UID GID MTIME LINK-GROUP TARGET-OR-DIGEST
//
// separated by tabs; the time of directories is 0, links of one file have the same group, which is
// the first path of it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "build/copy/apply_copy.h"
#include "build/copy/copy_archive.h"
#include "build/copy/copy_plan.h"
#include "build/copy/tree_walk.h"
#include "crypto/digest.h"
#include "template/dockerfile/dockerfile.h"
#include "template/dockerfile/image_changes.h"
#include "template/dockerfile/stages.h"

namespace {

namespace build = cay::build;
namespace dockerfile = cay::templates::dockerfile;
using cay::Error;
using cay::Failure;
using cay::Fd;
using cay::Result;

constexpr size_t kMaxFileBytes = 64 << 20;

Result<Fd> OpenDirectory(const std::string& path) {
  return cay::sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct StageState {
  std::vector<std::string> layers{};  // paths, the topmost first
  std::string working_dir = "/";

  Result<std::vector<Fd>> Open() const {
    std::vector<Fd> opened;
    for (const std::string& layer : layers) opened.push_back(TRY(OpenDirectory(layer)));
    return opened;
  }
};

class Executor {
 public:
  Executor(std::string directory, std::string context)
      : directory_(std::move(directory)), context_(std::move(context)) {}

  Result<void> Run(const dockerfile::Dockerfile& file) {
    const dockerfile::Stages stages = TRY(dockerfile::Stages::Of(file));
    for (const size_t index : stages.order()) {
      const dockerfile::Stage& stage = stages.all()[index];
      StageState& state = states_[index];
      if (stage.base) state = states_[*stage.base];
      dockerfile::StageVariables variables(stages, {});
      for (const dockerfile::Instruction& instruction : stage.instructions) {
        const dockerfile::Expanded expanded = TRY(variables.Step(instruction));
        Result<void> done = Execute(stages, index, expanded.instruction, state);
        if (done) continue;
        return Failure(
            std::move(done).error().WithContext("line " + std::to_string(instruction.first_line)));
      }
    }
    const std::vector<Fd> lower = TRY(states_[stages.target()].Open());
    build::FileTree tree =
        TRY(build::FileTree::OfLayers(lower, cay::templates::OverlayXattrsOfCaller()));
    return Print(tree);
  }

 private:
  Result<void> Execute(const dockerfile::Stages& stages, size_t index,
                       const dockerfile::Instruction& instruction, StageState& state) {
    build::CopyRequest request;
    request.working_dir = state.working_dir;
    const Fd context = TRY(OpenDirectory(context_));
    build::FileTree from = TRY(build::FileTree::OfContext(context, {}));
    if (const auto* workdir = instruction.As<dockerfile::Workdir>()) {
      state.working_dir = dockerfile::PathBelow(state.working_dir, workdir->path);
      const std::vector<Fd> lower = TRY(state.Open());
      build::CopyPlan plan = TRY(build::PlanDirectory(state.working_dir, {}, lower));
      return Apply(plan, state);
    }
    if (const auto* add = instruction.As<dockerfile::Add>()) {
      request.add = true;
      request.unpack = add->unpack;
      return Copy(request, add->files, from, state);
    }
    const auto* copy = instruction.As<dockerfile::Copy>();
    if (copy == nullptr) return Failure(Error::Invalid("not an instruction of this test"));
    if (!copy->from.empty()) {
      const auto stage = TRY(dockerfile::FindStage(stages.all(), index, copy->from));
      if (!stage) return Failure(Error::Invalid("not a stage of this test"));
      const std::vector<Fd> layers = TRY(states_[*stage].Open());
      from = TRY(build::FileTree::OfLayers(layers, cay::templates::OverlayXattrsOfCaller()));
    }
    request.parents = copy->parents;
    return Copy(request, copy->files, from, state);
  }

  Result<void> Copy(build::CopyRequest& request, const dockerfile::FilesToCopy& files,
                    build::FileTree& from, StageState& state) {
    const std::vector<Fd> lower = TRY(state.Open());
    build::FileTree below =
        TRY(build::FileTree::OfLayers(lower, cay::templates::OverlayXattrsOfCaller()));
    request.from = &from;
    request.sources = build::SourcesOf(files);
    request.destination = files.destination;
    request.excludes = files.excludes;
    request.link = files.link;
    if (!files.chown.empty()) request.owner = TRY(build::ResolveOwner(below, files.chown));
    if (!files.chmod.empty()) request.chmod = TRY(build::ModeChange::Parse(files.chmod));
    build::CopyPlan plan = TRY(build::PlanCopy(request, lower));
    return Apply(plan, state);
  }

  Result<void> Apply(build::CopyPlan& plan, StageState& state) {
    if (plan.empty()) return {};
    const std::vector<Fd> lower = TRY(state.Open());
    const std::string layer = directory_ + "/" + std::to_string(count_++);
    TRY(cay::MakeDirectories(layer, 0755));
    const Fd root = TRY(OpenDirectory(layer));
    const std::string digest = TRY(build::CopyDigest(plan));
    TRY(build::ApplyCopy(plan, lower, root, {.expected_digest = digest}));
    state.layers.insert(state.layers.begin(), layer);
    return {};
  }

  static Result<void> Print(build::FileTree& tree) {
    build::TreeWalk walk(tree, "");
    std::map<std::pair<dev_t, ino_t>, std::string> first;
    while (const auto step = TRY(walk.Next())) {
      const build::Place& place = step->place;
      const struct stat& info = place.info();
      std::string type = "other";
      std::string content;
      std::string group = step->below;
      if (place.kind == build::Place::Kind::kDirectory) type = "directory";
      if (place.kind == build::Place::Kind::kSymlink) {
        type = "symlink";
        content = TRY(build::FileTree::LinkTarget(place));
      }
      if (place.kind == build::Place::Kind::kFile) {
        type = "file";
        const Fd file = TRY(build::FileTree::OpenFile(place));
        const std::string path = "/proc/self/fd/" + std::to_string(file.get());
        content = TRY(cay::Sha256Hex(TRY(cay::ReadFile(path, kMaxFileBytes))));
        group = first.try_emplace(std::pair(info.st_dev, info.st_ino), group).first->second;
      }
      const long long time = type == "file" ? static_cast<long long>(info.st_mtim.tv_sec) : 0LL;
      std::printf("%s\t%s\t%o\t%u\t%u\t%lld\t%s\t%s\n", step->below.c_str(), type.c_str(),
                  info.st_mode & 07777U, info.st_uid, info.st_gid, time, group.c_str(),
                  content.c_str());
    }
    return {};
  }

  std::string directory_;
  std::string context_;
  std::map<size_t, StageState> states_{};
  size_t count_ = 0;
};

Result<void> Run(const std::string& directory, const std::string& context,
                 const std::string& path) {
  const std::string text = TRY(cay::ReadFile(path));
  const dockerfile::Dockerfile file = TRY(dockerfile::ParseDockerfile(text));
  return Executor(directory, context).Run(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: copy-layers DIRECTORY CONTEXT DOCKERFILE\n");
    return 2;
  }
  const Result<void> done = Run(argv[1], argv[2], argv[3]);
  if (done) return 0;
  std::fprintf(stderr, "copy-layers: %s\n", done.error().ToString().c_str());
  return 1;
}
