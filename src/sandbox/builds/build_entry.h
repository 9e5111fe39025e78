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
  bool is_of_packages = false;
  std::optional<Error> package_error{};  // of packages that could not be installed

  // Until its end: of the thread that has it.
  build::BuildRequest request{};
  std::optional<build::DerivePlan> derive{};  // instead of the request: packages
  build::DeriveOptions derive_options{};
  std::unique_ptr<build::StepNetwork> network{};
  std::optional<templates::NewLayer> context{};  // the directory
  std::optional<StopTimer> stop{};               // any thread's, with the keeper's lock
  std::optional<Place> place{};

  // Without the keeper's lock: files are deleted.
  void Release() {
    for (auto& [id, secret] : request.secrets) Wipe(secret);
    request = {};
    derive.reset();
    derive_options = {};
    network.reset();
    context.reset();
    place.reset();
  }
};

}  // namespace cay::sandbox
