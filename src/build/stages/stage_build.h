// StageBuild: the instructions of one stage, one after the other.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "build/cache/chain.h"
#include "build/cache/step_layers.h"
#include "build/copy/file_tree.h"
#include "build/stages/bases.h"
#include "build/stages/build.h"
#include "build/stages/told.h"
#include "template/dockerfile/image_changes.h"
#include "template/dockerfile/stages.h"

namespace cay::build {

// What a stage ended with.
struct StageEnd {
  Chain chain;
  templates::oci::ImageConfig config;                 // its history is what the stage began with
  std::vector<templates::oci::HistoryEntry> history;  // of the stage's own steps
  templates::dockerfile::StageVariables variables;

  templates::oci::ImageConfig WholeConfig() const {
    templates::oci::ImageConfig whole = config;
    whole.history.insert(whole.history.end(), history.begin(), history.end());
    return whole;
  }
};

// What the stages of a build share.
struct BuildParts {
  const BuildMachine& machine;
  const BuildRequest& request;
  const templates::dockerfile::Stages& stages;
  Bases& bases;
  StepLayers& layers;
  StepRunner& runner;
  Told& told;
  const StopTimer& stop;
  // Of each stage that has ended, by its index; a stage is begun when those it needs have.
  const std::vector<std::optional<StageEnd>>& ended;
  std::atomic<Bytes> written = 0;  // by steps that were not found, up to now
  std::mutex cache_mounts{};       // held while what is kept of one is read or changed
  std::mutex locked_caches{};  // held by a step that has a cache with sharing=locked: one for all
                               // caches, so that no two steps wait for each other
};

// Nothing when a step failed: it has been told (Told::failure). Blocking.
Result<std::optional<StageEnd>> BuildStage(BuildParts& parts, size_t index);

}  // namespace cay::build
