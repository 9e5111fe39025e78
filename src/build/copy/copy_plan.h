// PlanCopy: what a COPY or ADD puts where, decided before anything is made (docs.docker.com,
// "Dockerfile reference"; where that is silent, BuildKit's frontend/dockerfile/dockerfile2llb and
// tonistiigi/fsutil/copy).
//
//   CopyRequest request{.from = &context, .sources = SourcesOf(copy.files), .destination = "/app/",
//                       .working_dir = "/"};
//   CopyPlan plan = TRY(PlanCopy(request, lower));
//   const std::string key = TRY(CopyDigest(plan));         // copy_archive.h
//   TRY(ApplyCopy(plan, lower, root));                     // apply_copy.h
//
// Sources:
//  - A path or pattern is of the root of `from`; ".." does not lead above it. Symlinks of a source's
//    path are followed, the last one too, inside; those below a directory are copied as they are.
//  - A directory is copied by its content. With several sources the destination ends with "/".
//  - A path that is not there is an error that names it, and says so when .dockerignore is why. A
//    pattern that nothing matches is none, as in BuildKit: the plan names it (unmatched()). But the
//    directories before the first component with a wildcard have to be there.
//  - --exclude counts from the directory that is copied; of a file, from the directory it is in.
//  - A file that has several names in one source is copied with them (hard links).
//  - Sockets, FIFOs and devices below a directory are left out and counted; one that is named is an
//    error. A name that begins with ".wh." is one too: in a layer it removes what is below.
//  - With `parents`, the path of a source stays, from "/./" on where it has one; symlinks of it are
//    not followed, and the directories of it get what the sources have.
//  - With `add`, a file that is a tar archive, with or without gzip, zstd, xz or bzip2, is unpacked
//    into the destination, by its content and whatever its name; of a fetched one, when `unpack`
//    says so.
//
// Destination:
//  - Relative to the working directory. It is a directory when it ends with "/" or is one below;
//    then files come into it. Symlinks lead where they lead inside of the layers below.
//  - Directories that are missing are made, 0755, of `owner`; so is the destination of a directory.
//  - A directory that is there already keeps what it has if it is the destination; below it, it
//    gets what the source has. A file over a directory, and a directory over anything else, are
//    errors; a file or symlink is replaced.
//  - With `link`, the layers below are not looked at: the path is made of directories, whatever is
//    there, and a symlink in its way is replaced by one.
//
// Owners: `owner`, else 0:0 for a context, inline and fetched files, and the source's for layers.
// Modes: the source's (inline files 0644, fetched ones 0600) through `chmod`. chmod does not touch
// what an archive holds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "archive/tar_entry.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "build/copy/file_tree.h"
#include "build/copy/mode_change.h"
#include "build/copy/owner_names.h"
#include "template/dockerfile/instruction.h"

namespace cay::build {

// A path or pattern (Glob::Kind::kComponents) in CopyRequest::from.
struct PathSource {
  std::string pattern{};
};
// A heredoc.
struct InlineFile {
  std::string name{};  // one component
  std::string content{};
};
// What somebody fetched for an ADD of a URL.
struct FetchedFile {
  std::string name{};                         // one component: the last of the URL's path; empty:
                                              // it has none, and comes into no directory
  std::shared_ptr<const Fd> file{};           // a regular file, for reading, at any offset
  std::optional<archive::Timestamp> mtime{};  // nothing: the time of the build
};
// What somebody fetched for an ADD of a Git repository: its content is copied.
struct FetchedDirectory {
  std::string url{};  // for messages
  std::shared_ptr<const Fd> directory{};
};
using CopySource = std::variant<PathSource, InlineFile, FetchedFile, FetchedDirectory>;

// The paths of an instruction, and its heredocs after them: for who fetches nothing.
std::vector<CopySource> SourcesOf(const templates::dockerfile::FilesToCopy& files);

struct CopyRequest {
  FileTree* from = nullptr;  // outlives the plan; may be null where no source is a path
  std::vector<CopySource> sources{};
  std::string destination{};  // as it was written, variables replaced
  std::string working_dir{};  // absolute; empty: "/"
  std::optional<Owner> owner{};
  std::optional<ModeChange> chmod{};
  std::vector<std::string> excludes{};
  bool parents = false;
  bool link = false;
  bool add = false;
  std::optional<bool> unpack{};  // of ADD
};

struct CopyLimits {
  uint64_t max_entries = kMaxTreeEntries;
  Bytes max_bytes = 16 * kGiB;        // of all files, with their holes
  Bytes max_name_bytes = 256 * kMiB;  // of all paths that are kept
  // While it is planned, digested and written: after every file that is looked at and every 256 KiB
  // of content. An error ends it with that error: this is how a caller cancels.
  std::function<Result<void>()> on_step{};
};

class CopyPlan {
 public:
  CopyPlan(CopyPlan&&) noexcept;
  CopyPlan& operator=(CopyPlan&&) noexcept;
  ~CopyPlan();

  // Nothing is to be done: no layer is needed.
  bool empty() const;
  uint64_t entries() const;
  Bytes bytes() const;  // of files, without what archives hold
  // Patterns that nothing matches; each with whether something ignored would.
  struct Unmatched {
    std::string pattern{};
    bool only_ignored = false;
  };
  const std::vector<Unmatched>& unmatched() const;
  uint64_t skipped_special() const;          // sockets, FIFOs, devices
  const std::string& first_skipped() const;  // printable; empty: none

  class Contents;  // of this room
  explicit CopyPlan(std::unique_ptr<Contents> contents);
  Contents& contents() { return *contents_; }

 private:
  std::unique_ptr<Contents> contents_;
};

// `lower`: the root directories of the layers below, the topmost first; not needed afterwards.
// kInvalidArgument, kNotFound and kLimitTooHigh, each naming the source or destination; the
// kernel's. Blocking.
Result<CopyPlan> PlanCopy(const CopyRequest& request, std::span<const Fd> lower,
                          const CopyLimits& limits = {});

// The directory of a WORKDIR, with those above it: each that is missing, 0755 and of `owner`. Empty
// when it is there. kInvalidArgument when something that is no directory is in its place.
Result<CopyPlan> PlanDirectory(std::string_view path, const Owner& owner,
                               std::span<const Fd> lower);

}  // namespace cay::build
