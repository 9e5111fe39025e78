// AddSources: what an ADD names by URLs: fetched where it has to be, and known without that where
// it is pinned.
//
//   AddSources remote = TRY(AddSources::Look(parts, label, add));
//   if (remote.pinned()) …its layer may be there: key.Add("remote", remote.Pins())…
//   std::vector<CopySource> sources = TRY(remote.Fetch());
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "build/build_event.h"
#include "build/copy/copy_plan.h"
#include "build/fetch/fetch_step.h"
#include "build/fetch/remote_source.h"
#include "build/stages/stage_build.h"
#include "template/dockerfile/instruction.h"
#include "template/store/layer_store.h"

namespace cay::build {

class AddSources {
 public:
  // Asks where a ref of a repository leads now, unless its commit is named whole. kInvalidArgument
  // for what is wrong with a URL, or with --checksum of it; kNotSupported where this build fetches
  // nothing; the errors of FindCommit. All outlive it.
  static Result<AddSources> Look(BuildParts& parts, const StepLabel& label,
                                 const templates::dockerfile::Add& add);

  bool none() const { return remote_.empty(); }
  // Whether what all sources will be is known before anything is fetched.
  bool pinned() const;
  // What they will be, for a key.
  std::vector<std::string> Pins() const;

  // All sources of the instruction in their order. What was fetched lies there as long as this
  // lives. Once.
  Result<std::vector<CopySource>> Fetch();

 private:
  struct Remote {
    RemoteSource source;
    std::string pin{};     // empty: what it will be is not known
    std::string commit{};  // of a repository; empty: it is asked for when it is fetched
  };

  AddSources(BuildParts& parts, const StepLabel& label, const templates::dockerfile::Add& add);
  Result<void> LookAt(const std::string& text, RemoteSource source);
  Result<void> LookAt(Remote& remote, const RemoteFile& file) const;
  Result<void> LookAt(Remote& remote, const RemoteTree& tree) const;
  Result<CopySource> Fetch(const Remote& remote, const RemoteFile& file);
  Result<CopySource> Fetch(const Remote& remote, const RemoteTree& tree);
  bool KeepsGit(const RemoteTree& tree) const;
  std::string ChecksumOf(const RemoteTree& tree) const;

  BuildParts& parts_;
  StepLabel label_;
  const templates::dockerfile::Add& add_;
  std::vector<Remote> remote_{};               // in the order of the sources
  std::vector<templates::NewLayer> layers_{};  // of what was fetched
  bool is_only_remote_ = true;
};

}  // namespace cay::build
