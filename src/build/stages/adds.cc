#include "build/stages/adds.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "build/fetch/fetch_file.h"
#include "build/fetch/fetch_tree.h"
#include "build/stages/copies.h"

namespace cay::build {
namespace {

namespace df = templates::dockerfile;

FetchTools ToolsOf(BuildParts& parts, const StepLabel& label) {
  return {.engine = parts.machine.engine,
          .store = parts.machine.store,
          .network = parts.machine.network,
          .limits = parts.request.limits,
          .authorities = parts.request.authorities,
          .downloader = parts.machine.downloader,
          .stop = parts.stop,
          .note = [&parts, label](const std::string& text) { parts.told.Note(label, text); }};
}

Failure WrongChecksum(const std::string& shown, const std::string& what) {
  return Failure(Error::Invalid("ADD of " + shown + ": --checksum of " + what));
}

}  // namespace

AddSources::AddSources(BuildParts& parts, const StepLabel& label, const df::Add& add)
    : parts_(parts), label_(label), add_(add) {}

Result<AddSources> AddSources::Look(BuildParts& parts, const StepLabel& label, const df::Add& add) {
  AddSources sources(parts, label, add);
  for (const std::string& text : add.files.sources) {
    auto source = TRY(ParseRemote(text));
    if (source) {
      TRY(sources.LookAt(text, *std::move(source)));
    } else {
      sources.is_only_remote_ = false;
    }
  }
  if (!add.files.heredocs.empty()) sources.is_only_remote_ = false;
  if (!add.checksum.empty() && sources.none()) {
    return Failure(Error::Invalid("--checksum is for what is fetched: \"" + add.files.sources[0] +
                                  "\" is a path of the context"));
  }
  return sources;
}

Result<void> AddSources::LookAt(const std::string& text, RemoteSource source) {
  if (parts_.machine.downloader.empty()) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "ADD of " + WithoutCredentials(text) + ": this build fetches nothing"));
  }
  Remote remote{.source = std::move(source)};
  TRY(std::visit([&](const auto& one) { return LookAt(remote, one); }, remote.source));
  remote_.push_back(std::move(remote));
  return {};
}

Result<void> AddSources::LookAt(Remote& remote, const RemoteFile& file) const {
  if (file.name.empty() && add_.files.destination.ends_with('/')) {
    return Failure(Error::Invalid("ADD of " + file.shown + ": the URL names no file")
                       .WithRemedy("let the destination end with the name of one"));
  }
  if (add_.checksum.empty()) return {};
  if (!add_.checksum.contains(':'))
    return WrongChecksum(file.shown, "a file is its digest: sha256:…");
  remote.pin = "file " + add_.checksum + " " + file.name;
  return {};
}

Result<void> AddSources::LookAt(Remote& remote, const RemoteTree& tree) const {
  if (add_.checksum.contains(':'))
    return WrongChecksum(tree.shown, "a repository is the name of a commit");
  if (!add_.checksum.empty() && !tree.checksum.empty() && add_.checksum != tree.checksum)
    return WrongChecksum(tree.shown, "it is another than that of the URL");
  const std::string checksum = ChecksumOf(tree);
  std::string known = checksum;
  // What a short one, or none, means is for the server to say.
  if (!IsCommitName(checksum)) {
    remote.commit = TRY(FindCommit(ToolsOf(parts_, label_), tree, checksum)).commit;
    known = remote.commit;
  }
  remote.pin = "tree " + known + (KeepsGit(tree) ? " with .git" : "") +
               (tree.submodules ? " with submodules" : "") + " " + tree.url + " " +
               (KeepsGit(tree) ? tree.ref : "") + " " + tree.subdirectory;
  return {};
}

bool AddSources::KeepsGit(const RemoteTree& tree) const {
  return tree.keep_git_dir.value_or(add_.keep_git_dir);
}

std::string AddSources::ChecksumOf(const RemoteTree& tree) const {
  return add_.checksum.empty() ? tree.checksum : add_.checksum;
}

bool AddSources::pinned() const {
  return is_only_remote_ && !remote_.empty() &&
         std::ranges::none_of(remote_, [](const Remote& one) { return one.pin.empty(); });
}

std::vector<std::string> AddSources::Pins() const {
  std::vector<std::string> pins;
  for (const Remote& one : remote_) pins.push_back(one.pin);
  return pins;
}

Result<std::vector<CopySource>> AddSources::Fetch() {
  std::vector<CopySource> sources = SourcesOf(add_.files);
  size_t next = 0;
  for (CopySource& source : sources) {
    const auto* const path = std::get_if<PathSource>(&source);
    if (path == nullptr || !TRY(ParseRemote(path->pattern))) continue;
    const Remote& remote = remote_.at(next++);
    source = TRY(std::visit([&](const auto& one) { return Fetch(remote, one); }, remote.source));
  }
  return sources;
}

Result<CopySource> AddSources::Fetch(const Remote&, const RemoteFile& file) {
  FetchedContent content = TRY(FetchFile(ToolsOf(parts_, label_), file, add_.checksum));
  layers_.push_back(std::move(content.layer));
  return FetchedFile{.name = file.name, .file = std::move(content.file), .mtime = content.mtime};
}

Result<CopySource> AddSources::Fetch(const Remote& remote, const RemoteTree& tree) {
  const FetchTools tools = ToolsOf(parts_, label_);
  std::string commit = remote.commit;
  if (commit.empty()) commit = TRY(FindCommit(tools, tree, ChecksumOf(tree))).commit;
  FetchedTree fetched = TRY(FetchTree(tools, tree, commit, KeepsGit(tree)));
  layers_.push_back(std::move(fetched.layer));
  return FetchedDirectory{.url = tree.shown, .directory = std::move(fetched.directory)};
}

}  // namespace cay::build
