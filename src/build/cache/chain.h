// Chain: the layers that a stage of a build has so far, and what they are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "template/template.h"

namespace cay::build {

struct ChainLayer {
  std::string id;         // of the store
  std::string root;       // its root directory, where it lies now
  std::string diff_id{};  // "sha256:…"; empty: it is not known yet
  Bytes bytes = 0;        // of content
  uint64_t entries = 0;
  templates::ImportNotes notes{};
  bool is_of_base = false;           // it was there before the build
  std::shared_ptr<const void> hold;  // keeps it
};

struct Chain {
  std::string key;                   // of all that it is made of (step_key.h)
  std::vector<ChainLayer> layers{};  // the lowest first

  // As overlays are written down: the topmost first.
  std::vector<std::string> Roots() const;
  Result<std::vector<Fd>> OpenRoots() const;
};

}  // namespace cay::build
