// RunMounts: the --mount of one RUN, looked up: first what the step depends on, and only where it
// has to be done the files.
//
//   RunMounts mounts(parts, stage);
//   TRY(mounts.Look(run.mounts, below, working_dir, key));
//   … is there a layer of that key? …
//   TRY(mounts.Prepare(step));
//   const StepEnd end = TRY(runner.Run(step, …));
//   TRY(mounts.Keep(end));
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "build/cache/step_key.h"
#include "build/stages/cache_mounts.h"
#include "build/stages/stage_build.h"

namespace cay::build {

// What a --from or from= in stage `stage` names: the stage, which has ended, or an image.
Result<Chain> ChainNamed(BuildParts& parts, size_t stage, const std::string& from);

class RunMounts {
 public:
  RunMounts(BuildParts& parts, size_t stage) : parts_(parts), stage_(stage), caches_(parts) {}
  RunMounts(const RunMounts&) = delete;
  RunMounts& operator=(const RunMounts&) = delete;

  // Of caches and secrets a step depends on nothing but that they are there. `below`: what it
  // stands on.
  Result<void> Look(const std::vector<templates::dockerfile::RunMount>& mounts, FileTree& below,
                    const std::string& working_dir, StepKey& key);
  Result<void> Prepare(RunStep& step);
  Result<void> Keep(const StepEnd& end) { return caches_.Keep(end); }

 private:
  using Mount = templates::dockerfile::RunMount;

  Result<void> LookAt(const Mount& mount, const std::string& target, StepKey& key);
  Result<void> LookAtBind(const Mount& mount, const std::string& target, StepKey& key);
  Result<void> LookAtContext(const Mount& mount, const std::string& target, StepKey& key);
  Result<void> LookAtChain(const Mount& mount, const std::string& target, StepKey& key);
  Result<void> LookAtFile(const Place& file, const std::string& target, StepKey& key);
  Result<void> LookAtCache(const Mount& mount, const std::string& target, StepKey& key);
  Result<void> LookAtSecret(const Mount& mount, const std::string& target);
  Result<templates::NewLayer> FirstOfCache(const Mount& mount);
  void Later(std::function<Result<void>(RunStep&)> prepare) {
    prepare_.push_back(std::move(prepare));
  }

  BuildParts& parts_;
  const size_t stage_;
  CacheMounts caches_;
  std::vector<std::function<Result<void>(RunStep&)>> prepare_{};
};

}  // namespace cay::build
