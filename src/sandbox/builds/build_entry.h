// What the keeper of builds has of one. For the keeper's own files.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"
#include "build/stop.h"
#include "sandbox/builds/build_keeper.h"
#include "template/store/layer_store.h"

namespace cay::sandbox {

// One of those that may be under way or wait, from before its context is taken in. Not longer than
// the keeper.
class BuildKeeper::Place {
 public:
  // kUnavailable and kResourceExhausted, as Start.
  static Result<Place> Take(BuildKeeper& keeper, const Caller& caller, const BuildRules& rules);
  Place(Place&& other) noexcept
      : keeper_(std::exchange(other.keeper_, nullptr)), owner_(std::move(other.owner_)) {}
  Place& operator=(Place&&) = delete;
  ~Place();

 private:
  Place(BuildKeeper& keeper, std::string owner) : keeper_(&keeper), owner_(std::move(owner)) {}
  BuildKeeper* keeper_;
  std::string owner_;
};

struct BuildKeeper::Entry {
  BuildView view{};
  Caller caller{};
  BuildLog log{};
  std::string dockerfile{};  // its path in the context
  bool pulls_again = false;  // BuildSpec::pull
  bool cancelled = false;

  // Until its end: of the thread that has it.
  build::BuildRequest request{};
  std::unique_ptr<build::StepNetwork> network{};
  std::optional<templates::NewLayer> context{};  // the directory
  std::optional<StopTimer> stop{};               // any thread's
  std::optional<Place> place{};

  // Without the keeper's lock: files are deleted.
  void Release() {
    for (auto& [id, secret] : request.secrets) Wipe(secret);
    request = {};
    network.reset();
    context.reset();
    place.reset();
  }
};

}  // namespace cay::sandbox
