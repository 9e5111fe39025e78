#include "build/stages/run_mounts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <memory>

#include "build/copy/copy_archive.h"
#include "build/stages/aside.h"
#include "template/dockerfile/image_changes.h"

namespace cay::build {
namespace {

using templates::NewLayer;
using templates::Node;
using templates::dockerfile::RunMount;

// Of a directory of a layer: for an engine, which takes paths.
Result<std::string> PathOnDisk(const Node& directory) {
  std::string path(PATH_MAX, '\0');
  const ssize_t size = ::readlink(templates::PathOf(*directory).c_str(), path.data(), path.size());
  if (size <= 0 || static_cast<size_t>(size) >= path.size() || path.front() != '/')
    return Failure(Error::FromErrno("looking where a layer's directory is"));
  path.resize(static_cast<size_t>(size));
  return path;
}

Result<Place> FindSource(FileTree& tree, const std::string& source, const std::string& where) {
  Place place = TRY(tree.Resolve(source));
  if (place.kind == Place::Kind::kFile || place.kind == Place::Kind::kDirectory) return place;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "--mount: \"" + source + "\" is no file or directory of " + where));
}

Error SshNotSupported() {
  return Error(ErrorCode::kNotSupported, Fault::kCaller,
               "--mount=type=ssh is not supported: no agent is forwarded to a build")
      .WithRemedy("give the key as a secret: --mount=type=secret");
}

}  // namespace

Result<Chain> ChainNamed(BuildParts& parts, size_t stage, const std::string& from) {
  if (const auto found = TRY(templates::dockerfile::FindStage(parts.stages.all(), stage, from)))
    return parts.ended.at(*found)->chain;
  return TRY(parts.bases.Find(from, parts.request.platform)).chain;
}

Result<void> RunMounts::Look(const std::vector<RunMount>& mounts, FileTree& below,
                             const std::string& working_dir, StepKey& key) {
  for (const RunMount& mount : mounts) {
    std::string target;
    if (!mount.target.empty()) {
      const std::string path = templates::dockerfile::PathBelow(working_dir, mount.target);
      target = "/" + TRY(below.Resolve(path)).path;
      if (target == "/")
        return Failure(Error::Invalid("--mount: nothing can be mounted over all that there is"));
    }
    TRY(LookAt(mount, target, key));
  }
  return {};
}

Result<void> RunMounts::Prepare(RunStep& step) {
  for (const auto& prepare : prepare_) TRY(prepare(step));
  return {};
}

Result<void> RunMounts::LookAt(const Mount& mount, const std::string& target, StepKey& key) {
  key.Add("mount", RunMountTypeName(mount.type)).Add("target", target);
  switch (mount.type) {
    case RunMount::Type::kBind:
      return LookAtBind(mount, target, key);
    case RunMount::Type::kCache:
      return LookAtCache(mount, target, key);
    case RunMount::Type::kTmpfs:
      Later([this, target, size = mount.size](RunStep& step) -> Result<void> {
        step.mounts.push_back({.kind = StepMount::Kind::kTmpfs,
                               .target = target,
                               .size = size > 0 ? size : parts_.request.limits.limits.memory});
        return {};
      });
      return {};
    case RunMount::Type::kSecret:
      key.Add("id", mount.id).Add("variable", mount.environment);
      return LookAtSecret(mount, target);
    case RunMount::Type::kSsh:
      return Failure(SshNotSupported());
  }
  return {};
}

Result<void> RunMounts::LookAtBind(const Mount& mount, const std::string& target, StepKey& key) {
  key.Add("read-only", mount.read_only ? "yes" : "no");
  return mount.from.empty() ? LookAtContext(mount, target, key) : LookAtChain(mount, target, key);
}

Result<void> RunMounts::LookAtContext(const Mount& mount, const std::string& target, StepKey& key) {
  auto tree = std::make_shared<FileTree>(
      TRY(FileTree::OfContext(*parts_.request.context, parts_.request.ignore)));
  const Place place = TRY(FindSource(*tree, mount.source, "the context"));
  if (place.kind == Place::Kind::kFile) return LookAtFile(place, target, key);
  auto copy = std::make_shared<AsideCopy>(TRY(PlanAside(*tree, mount.source)));
  key.Add("content", copy->digest);
  Later([this, tree, copy, target, read_only = mount.read_only](RunStep& step) -> Result<void> {
    NewLayer layer = TRY(parts_.layers.Begin());
    TRY(CopyAside(*copy, layer));
    step.mounts.push_back({.kind = StepMount::Kind::kLayers,
                           .target = target,
                           .layers = {parts_.layers.Keep(std::move(layer))},
                           .read_only = read_only});
    return {};
  });
  return {};
}

Result<void> RunMounts::LookAtChain(const Mount& mount, const std::string& target, StepKey& key) {
  const Chain chain = TRY(ChainNamed(parts_, stage_, mount.from));
  FileTree tree = TRY(TreeOf(chain));
  const Place place = TRY(FindSource(tree, mount.source, mount.from));
  if (place.kind == Place::Kind::kFile) return LookAtFile(place, target, key);
  key.Add("chain", chain.key).Add("source", place.path);
  StepMount bind{.kind = StepMount::Kind::kLayers,
                 .target = target,
                 .layers = {},
                 .read_only = mount.read_only};
  for (const Node& directory : place.node.directories)
    bind.layers.push_back(TRY(PathOnDisk(directory)));
  Later([bind](RunStep& step) -> Result<void> {
    step.mounts.push_back(bind);
    return {};
  });
  return {};
}

Result<void> RunMounts::LookAtFile(const Place& place, const std::string& target, StepKey& key) {
  StepFile file{.path = target, .mode = place.info().st_mode & 0777};
  file.source = std::make_shared<Fd>(TRY(FileTree::OpenFile(place)));
  CopyRequest whole{.destination = "/f", .working_dir = "/"};
  whole.sources.emplace_back(
      FetchedFile{.name = "f", .file = file.source, .mtime = archive::Timestamp{.seconds = 0}});
  CopyPlan plan = TRY(PlanCopy(whole, {}));
  key.Add("content", TRY(CopyDigest(plan))).Add("mode", std::to_string(file.mode));
  Later([file](RunStep& step) -> Result<void> {
    step.files.push_back(file);
    return {};
  });
  return {};
}

Result<NewLayer> RunMounts::FirstOfCache(const Mount& mount) {
  NewLayer layer = TRY(CacheMounts::Begin(parts_.layers, mount));
  if (mount.from.empty()) return layer;
  FileTree tree = TRY(TreeOf(TRY(ChainNamed(parts_, stage_, mount.from))));
  AsideCopy copy = TRY(PlanAside(tree, mount.source));
  TRY(CopyAside(copy, layer));
  return layer;
}

Result<void> RunMounts::LookAtCache(const Mount& mount, const std::string& target, StepKey& key) {
  key.Add("id", mount.id);
  Later([this, mount, target](RunStep& step) -> Result<void> {
    step.mounts.push_back(TRY(caches_.Take(mount, target, [&] { return FirstOfCache(mount); })));
    return {};
  });
  return {};
}

Result<void> RunMounts::LookAtSecret(const Mount& mount, const std::string& target) {
  const auto found = parts_.request.secrets.find(mount.id);
  if (found == parts_.request.secrets.end()) {
    if (!mount.required) return {};
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "the step needs the secret \"" + mount.id + "\", which was not given"));
  }
  if (!mount.environment.empty() && found->second.contains('\0')) {
    return Failure(Error::Invalid("the secret \"" + mount.id +
                                  "\" has a NUL byte, which no variable can have"));
  }
  Later([mount, target, content = found->second](RunStep& step) -> Result<void> {
    if (!mount.environment.empty()) step.env.push_back(mount.environment + "=" + content);
    if (mount.target.empty()) return {};
    step.secrets.push_back({.target = target,
                            .content = content,
                            .mode = mount.mode.value_or(0400),
                            .uid = mount.uid.value_or(0),
                            .gid = mount.gid.value_or(0)});
    return {};
  });
  return {};
}

}  // namespace cay::build
