// BuildKeeper: packages that creates ask for.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "sandbox/builds/build_entry.h"
#include "sandbox/builds/build_table.h"
#include "sandbox/secrets/trust.h"

namespace cay::sandbox {
namespace {

using templates::Template;

// A template may be collected between its end and its use, and is made again then.
constexpr int kMaxRounds = 3;

// Of owners who share one cache: no owner is called so.
constexpr const char* kEverybody = "*";

NetworkSpec NetworkOf(const build::DerivePlan& plan, const BuildRules& rules) {
  NetworkSpec spec;
  spec.policy = {.mode = network::Mode::kAllow,
                 .allow = rules.packages_allow,
                 .presets = build::PresetsOf(plan.packages)};
  spec.said = true;
  return spec;
}

Error NotYet(const BuildView& view) {
  return Error(ErrorCode::kUnavailable, Fault::kMachine,
               "the sandbox's packages are not installed yet: their build " + view.id + " is " +
                   std::string(BuildStateName(view.state)))
      .WithRemedy("try again, it goes on meanwhile: " + Remedy(Action::kAwaitBuild, view.id));
}

// Of one that has ended, and made nothing.
Error EndedWithout(const BuildView& view, const std::optional<Error>& package_error) {
  if (package_error) return *package_error;
  if (view.error) return *view.error;
  return Error(ErrorCode::kUnavailable, Fault::kMachine,
               "the build " + view.id + " of the sandbox's packages is " +
                   std::string(BuildStateName(view.state)))
      .WithRemedy("try again: what was finished is kept");
}

}  // namespace

Result<Template> BuildKeeper::WithPackages(const Caller& caller, const Template& base,
                                           PackagesSpec& packages) {
  const auto rules = rules_.Get();
  TRY(CheckMayInstall(*rules, caller));
  TRY(CheckEngine());
  const build::DerivePlan plan =
      TRY(build::PlanDerive(base, packages.asked,
                            {.owner = rules->share_cache ? std::string(kEverybody) : caller.owner,
                             .prefix = "@" + caller.owner + "/",
                             .usual = packages.usual}));
  packages.asked = {.packages = plan.packages.set.told};
  packages.template_name = plan.name;
  Reap();
  for (int round = 0; round < kMaxRounds; ++round) {
    if (services_.templates.HasDerived(plan.name, plan.key)) {
      auto found = services_.templates.Find(plan.name);
      if (found || found.error().code() != ErrorCode::kNotFound) return found;
    }
    const EntryPtr entry = TRY(JoinOrBegin(caller, plan, *rules));
    TRY(AwaitDerived(entry, packages.patience.value_or(rules->packages_patience)));
  }
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the template " + plan.name + " vanishes as fast as it is made")
                     .WithRemedy("raise templates.build_cache or templates.build_cache_age"));
}

Result<BuildKeeper::EntryPtr> BuildKeeper::JoinOrBegin(const Caller& caller,
                                                       const build::DerivePlan& plan,
                                                       const BuildRules& rules) {
  const auto under_way = [&]() -> EntryPtr {
    const auto found = deriving_.find(plan.name);
    return found == deriving_.end() ? nullptr : found->second;
  };
  {
    const std::lock_guard lock(mutex_);
    if (EntryPtr entry = under_way()) return entry;
  }
  const EntryPtr entry = TRY(PrepareDerived(caller, plan, rules));
  EntryPtr other;
  {
    const std::lock_guard lock(mutex_);
    other = under_way();
    if (other == nullptr) deriving_[plan.name] = entry;
  }
  if (other != nullptr) {
    entry->Release();
    return other;
  }
  if (auto entered = Enter(entry); !entered) {
    entry->Release();
    const std::lock_guard lock(mutex_);
    deriving_.erase(plan.name);
    // Whoever waits for it meanwhile is told, too.
    entry->view.state = BuildState::kFailed;
    entry->view.error = entered.error();
    changed_.notify_all();
    return Failure(entered.error());
  }
  return entry;
}

Result<BuildKeeper::EntryPtr> BuildKeeper::PrepareDerived(const Caller& caller,
                                                          const build::DerivePlan& plan,
                                                          const BuildRules& rules) {
  auto entry = std::make_shared<Entry>();
  entry->caller = caller;
  entry->is_of_packages = true;
  auto network = services_.manager.NetworkOfSteps(caller, NetworkOf(plan, rules));
  if (!network) return Failure(std::move(network).error().WithContext("installing packages"));
  entry->network = *std::move(network);
  build::DeriveOptions& options = entry->derive_options;
  options.limits = {.limits = rules.limits, .timeout = rules.step_timeout};
  options.max_bytes = rules.max_size;
  if (!caller.admin) {
    options.max_bytes = std::min(
        rules.max_size, TRY(services_.manager.snapshots().RoomFor(caller.owner, plan.name)));
  }
  options.authorities = TRY(ReadTrusted(rules.packages_ca, build::kMaxSecret));
  options.env = rules.packages_env;
  options.keep = {.max_bytes = rules.cache_size, .max_age = rules.cache_age};
  entry->derive = plan;
  BuildView& view = entry->view;
  view.id = TRY(SandboxId::Generate()).text();
  view.names = {plan.name};
  view.dockerfile = "packages";
  view.platform = templates::oci::Platform::Native().Text();
  view.owner = caller.owner;
  entry->stop.emplace(TRY(StopTimer::Make()));
  entry->place.emplace(TRY(Place::Take(*this, caller, rules)));
  return entry;
}

Result<void> BuildKeeper::AwaitDerived(const EntryPtr& entry, Millis patience) {
  const SteadyTime until = SteadyNow() + patience;
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [&] { return stopping_ || HasEnded(entry->view.state); });
  if (entry->view.state == BuildState::kDone) return {};
  if (!HasEnded(entry->view.state)) return Failure(NotYet(entry->view));
  return Failure(EndedWithout(entry->view, entry->package_error));
}

}  // namespace cay::sandbox
