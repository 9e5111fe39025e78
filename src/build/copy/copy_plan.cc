#include "build/copy/copy_plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "archive/safe_path.h"
#include "build/copy/copy_target.h"
#include "build/copy/plan_contents.h"
#include "build/copy/plan_tree.h"
#include "build/copy/source_match.h"
#include "build/copy/tar/tar_probe.h"
#include "template/dockerfile/image_changes.h"
#include "template/layers/overlay_marks.h"

namespace cay::build {
namespace {

using archive::Printable;
using templates::dockerfile::Glob;
using templates::dockerfile::IgnorePatterns;
using templates::dockerfile::PathBelow;

constexpr mode_t kInlineMode = 0644;
constexpr mode_t kFetchedMode = 0600;

archive::Timestamp Now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {.seconds = now.tv_sec, .nanoseconds = static_cast<uint32_t>(now.tv_nsec)};
}

// "/a/b" is "a/b".
std::string WithoutSlash(const std::string& absolute) { return absolute.substr(1); }

bool MeansDirectory(std::string_view destination) {
  return destination.empty() || destination == "." || destination.ends_with('/') ||
         destination.ends_with("/.");
}

Result<void> CheckName(std::string_view name) {
  if (!name.empty() && name != "." && name != ".." && !name.contains('/') && !name.contains('\0')) {
    return {};
  }
  return Failure(Error::Invalid("\"" + Printable(name) + "\" is no name of a file"));
}

class Planner {
 public:
  Planner(const CopyRequest& request, CopyPlan::Contents& plan, FileTree below, CopyRules rules,
          const archive::Timestamp& now)
      : request_(request),
        plan_(plan),
        rules_(std::move(rules)),
        now_(now),
        target_(plan, std::move(below), request.owner.value_or(Owner{}), now),
        destination_(WithoutSlash(PathBelow(request.working_dir, request.destination))),
        is_directory_(MeansDirectory(request.destination)) {}

  Result<void> Run() {
    for (const CopySource& source : request_.sources) {
      TRY(std::visit([this](const auto& one) { return Copy(one); }, source));
    }
    return {};
  }

 private:
  Result<void> Copy(const PathSource& source) {
    if (request_.from == nullptr) {
      return Failure(Error(
          ErrorCode::kInternal, Fault::kMachine,
          "there is nothing that \"" + Printable(source.pattern) + "\" could be copied from"));
    }
    if (request_.parents) return CopyWithParents(source.pattern);
    const SourceMatches matches = TRY(MatchSource(*request_.from, source.pattern));
    if (matches.paths.empty()) {
      plan_.unmatched.push_back({source.pattern, matches.only_ignored});
    }
    for (const std::string& path : matches.paths) {
      TRY(CopyMatch(TRY(FollowSource(*request_.from, path, matches.by_pattern)), nullptr));
    }
    return {};
  }

  // The path before "/./" is where it begins; what is after it is kept, and chosen by as a pattern.
  Result<void> CopyWithParents(const std::string& written) {
    constexpr std::string_view kPivot = "/./";
    const size_t pivot = written.find(kPivot);
    const bool has_pivot = pivot != std::string::npos;
    const std::string top = has_pivot ? written.substr(0, pivot) : "";
    const std::string kept =
        SourcePath(has_pivot ? written.substr(pivot + kPivot.size()) : written);
    const Glob glob = TRY(Glob::Parse(kept, Glob::Kind::kTree));
    const SourceMatches matches = TRY(MatchSource(*request_.from, top));
    const size_t before = plan_.entries.size();
    for (const std::string& path : matches.paths) {
      const SourceMatch match = TRY(FollowSource(*request_.from, path, matches.by_pattern));
      if (glob.IsLiteral() && !matches.by_pattern) {
        const std::string wanted = JoinPath(match.place.path, glob.literal());
        if (!TRY(TreeCursor(*request_.from).Look(wanted)).exists()) {
          return Failure(TRY(NotThere(*request_.from, wanted)));
        }
      }
      TRY(CopyMatch(match, kept.empty() ? nullptr : &glob));
    }
    if (plan_.entries.size() == before) plan_.unmatched.push_back({written, false});
    return {};
  }

  Result<void> CopyMatch(const SourceMatch& match, const Glob* include) {
    const Place& place = match.place;
    if (place.kind == Place::Kind::kDirectory) {
      if (match.by_pattern && rules_.excludes.Ignores(match.name)) return {};
      return CopyDirectory({.tree = request_.from, .source_top = place.path}, include);
    }
    if (place.kind != Place::Kind::kFile) {
      return Failure(Error::Impossible("the source \"" + Printable(match.name) +
                                       "\" is a device, FIFO or socket, and not copied"));
    }
    if (rules_.excludes.Ignores(match.name)) return {};
    if (request_.add && request_.unpack.value_or(true) && IsTar(TRY(FileTree::OpenFile(place)))) {
      return Unpack({.tree = request_.from, .source_top = place.path},
                    static_cast<uint64_t>(place.info().st_size));
    }
    TRY(BeginFile({.tree = request_.from, .source_top = place.path}, match.name));
    return PlanTree(plan_, target_, rules_).AddNode("", place);
  }

  Result<void> Copy(const FetchedDirectory& source) {
    FileTree tree = TRY(FileTree::OfContext(*source.directory, {}));
    PlanItem item{.own_tree = std::make_unique<FileTree>(std::move(tree))};
    item.tree = item.own_tree.get();
    return CopyDirectory(std::move(item), nullptr);
  }

  Result<void> Copy(const InlineFile& source) {
    TRY(CheckName(source.name));
    PlanEntry entry = EntryOf(kInlineMode, now_);
    entry.size = source.content.size();
    TRY(BeginFile({.content = source.content}, source.name));
    return AddFile(std::move(entry));
  }

  Result<void> Copy(const FetchedFile& source) {
    if (!source.name.empty()) TRY(CheckName(source.name));
    struct stat info{};
    if (::fstat(source.file->get(), &info) < 0) {
      return Failure(Error::FromErrno("looking at what was fetched"));
    }
    const auto size = static_cast<uint64_t>(info.st_size);
    if (request_.unpack.value_or(false) && IsTar(*source.file)) {
      return Unpack({.file = source.file}, size);
    }
    PlanEntry entry = EntryOf(kFetchedMode, source.mtime.value_or(now_));
    entry.size = size;
    TRY(BeginFile({.file = source.file}, source.name));
    return AddFile(std::move(entry));
  }

  PlanEntry EntryOf(mode_t mode, const archive::Timestamp& mtime) const {
    const Owner owner = request_.owner.value_or(Owner{});
    PlanEntry entry;
    entry.mode = rules_.chmod ? rules_.chmod->Apply(mode, false) : mode;
    entry.uid = owner.uid;
    entry.gid = owner.gid;
    entry.mtime = mtime;
    return entry;
  }

  // Of the last item.
  Result<void> AddFile(PlanEntry entry) {
    entry.item = static_cast<uint32_t>(plan_.items.size() - 1);
    const std::string target = plan_.TargetOf(entry);
    if (TRY(target_.Look(target)).kind == CopyTarget::Kind::kDirectory) {
      return Failure(Error::Impossible(
          "\"/" + Printable(target) + "\" is a directory, and a file does not replace one",
          EISDIR));
    }
    return plan_.Add(std::move(entry));
  }

  // Where the destination leads, with what is above it, or it itself, made.
  Result<std::string> Destination() {
    std::string path = TRY(target_.Resolve(destination_));
    const std::string_view above = archive::SplitLast(path).parent;
    TRY(target_.MakeDirectories(is_directory_ ? path : std::string(above)));
    return path;
  }

  Result<void> BeginFile(PlanItem item, const std::string& name) {
    std::string path = TRY(Destination());
    const CopyTarget::Found found = TRY(target_.Look(path));
    if (found.kind == CopyTarget::Kind::kDirectory) {
      if (name.empty()) {
        return Failure(Error::Invalid("what is fetched has no name in \"/" + Printable(path) +
                                      "\", which is a directory")
                           .WithRemedy("let the destination end with the name of a file"));
      }
      path = JoinPath(path, name);
    } else if (found.planned) {
      return Failure(Error::Impossible("several files would become \"/" + Printable(path) + "\"")
                         .WithRemedy("end the destination with \"/\" to make it a directory"));
    }
    item.target_top = std::move(path);
    plan_.items.push_back(std::move(item));
    return {};
  }

  Result<void> BeginDirectory(PlanItem item) {
    item.target_top = TRY(Destination());
    TRY(target_.MakeDirectories(item.target_top));
    plan_.items.push_back(std::move(item));
    return {};
  }

  Result<void> CopyDirectory(PlanItem item, const Glob* include) {
    TRY(BeginDirectory(std::move(item)));
    return PlanTree(plan_, target_, rules_, include).AddBelowTop();
  }

  // `size` of the archive as it is; the bounds on what it holds are the unpacker's.
  Result<void> Unpack(PlanItem item, uint64_t size) {
    item.archive_owner = request_.owner;
    TRY(BeginDirectory(std::move(item)));
    PlanEntry entry = EntryOf(kInlineMode, now_);
    entry.is_archive = true;
    entry.item = static_cast<uint32_t>(plan_.items.size() - 1);
    entry.size = size;
    return plan_.Add(std::move(entry));
  }

  const CopyRequest& request_;
  CopyPlan::Contents& plan_;
  CopyRules rules_;
  archive::Timestamp now_;
  CopyTarget target_;
  std::string destination_;  // absolute, without the first slash
  bool is_directory_;        // it was written as one
};

}  // namespace

std::vector<CopySource> SourcesOf(const templates::dockerfile::FilesToCopy& files) {
  std::vector<CopySource> sources;
  for (const std::string& path : files.sources) sources.emplace_back(PathSource{path});
  for (const templates::dockerfile::Heredoc& heredoc : files.heredocs) {
    sources.emplace_back(InlineFile{.name = heredoc.name, .content = heredoc.Text()});
  }
  return sources;
}

Result<CopyPlan> PlanCopy(const CopyRequest& request, std::span<const Fd> lower,
                          const CopyLimits& limits) {
  FileTree below = TRY(FileTree::OfLayers(request.link ? std::span<const Fd>() : lower,
                                          templates::OverlayXattrsOfCaller()));
  CopyRules rules{.owner = request.owner, .chmod = request.chmod};
  rules.excludes = TRY(IgnorePatterns::Of(request.excludes));
  auto contents = std::make_unique<CopyPlan::Contents>(limits);
  TRY(Planner(request, *contents, std::move(below), std::move(rules), Now()).Run());
  return CopyPlan(std::move(contents));
}

Result<CopyPlan> PlanDirectory(std::string_view path, const Owner& owner,
                               std::span<const Fd> lower) {
  FileTree below = TRY(FileTree::OfLayers(lower, templates::OverlayXattrsOfCaller()));
  auto contents = std::make_unique<CopyPlan::Contents>(CopyLimits{});
  CopyTarget target(*contents, std::move(below), owner, Now());
  const std::string place = TRY(target.Resolve(WithoutSlash(PathBelow("", path))));
  TRY(target.MakeDirectories(place));
  return CopyPlan(std::move(contents));
}

}  // namespace cay::build
