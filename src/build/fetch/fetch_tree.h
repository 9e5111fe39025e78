// FetchTree: the files of a Git repository, for an ADD. Git is this machine's, and runs in the
// sandbox of the fetch alone: what a repository has, hooks and filters of its own included, is
// looked at by nothing outside.
//
//   const GitPlace place = TRY(FindCommit(tools, remote, checksum));
//   FetchedTree tree = TRY(FetchTree(tools, remote, place.commit, /*keep_git_dir=*/false));
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "build/fetch/fetch_step.h"
#include "build/fetch/remote_source.h"

namespace cay::build {

// Where a ref leads.
struct GitPlace {
  std::string commit{};
  std::string tag{};  // the annotated tag's own object; empty: there is none
};

// Asks the server (git-ls-remote(1)), unless the ref is a commit's whole name. `checksum`: what the
// commit's or the tag's name has to begin with; empty: any. kNotFound for a ref that is not there,
// kProtocol where it leads elsewhere than the checksum says, kNotSupported without a git here.
Result<GitPlace> FindCommit(const FetchTools& tools, const RemoteTree& remote,
                            const std::string& checksum);

struct FetchedTree {
  templates::NewLayer layer;  // where it lies; it goes with this
  std::shared_ptr<const Fd> directory{};
};

// With its submodules, unless the URL says no; without its history where the server can leave that
// out. kNotFound for a subdirectory that is not there. Blocking.
Result<FetchedTree> FetchTree(const FetchTools& tools, const RemoteTree& remote,
                              const std::string& commit, bool keep_git_dir);

// Of lines of git-ls-remote(1): where a ref leads; a branch goes before a tag of that name, as for
// BuildKit. Nothing when it is not among them. Pure.
class RefLines {
 public:
  explicit RefLines(std::string ref) : ref_(std::move(ref)) {}
  void Take(std::string_view line);
  GitPlace Place() const;  // commit empty: it is not there

 private:
  std::string ref_;
  std::string named_{};
  std::string branch_{};
  std::string tag_{};
  std::string peeled_{};
};

}  // namespace cay::build
