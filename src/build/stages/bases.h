// Bases: what a stage begins with that is no other stage: an image, a template, nothing at all.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "build/cache/chain.h"
#include "build/cache/step_layers.h"
#include "build/stages/build.h"
#include "template/oci/image_config.h"

namespace cay::build {

struct Base {
  Chain chain;
  templates::oci::ImageConfig config;
};

// FROM scratch.
Result<Base> ScratchBase(const templates::oci::Platform& platform);

// The layers of a template that are part of what it was made of, without Cay's own; of one that is
// no image, all of them, and its programs are root's, as after FROM scratch and ADD.
Result<Base> BaseOfTemplate(const templates::KeptTemplate& kept);

// Each is looked up once in a build. Thread-safe.
class Bases {
 public:
  // It outlives this.
  explicit Bases(const BuildMachine& machine) : machine_(machine) {}

  Result<Base> Find(const std::string& image,
                    const std::optional<templates::oci::Platform>& platform);

 private:
  const BuildMachine& machine_;
  std::mutex mutex_;
  std::map<std::string, Base> known_;
};

}  // namespace cay::build
