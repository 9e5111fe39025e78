// Derive: a template with packages above it, made or found.
//
//   const DerivePlan plan = TRY(PlanDerive(base, asked, {.owner = "team"}));
//   if (!store.HasDerived(plan.name, plan.key)) {
//     const BuildEnd end = TRY(Derive(machine, plan, options, watch, stop));
//     if (end.failure) return Failure(PackageError(*end.failure));
//   }
//   templates::Template found = TRY(store.Find(plan.name));
//
// The steps are those of package_steps.h; each is known by all that it depends on, as a RUN of a
// Dockerfile is (cache/), and found again by the same owner. What comes of them is a derived
// template (template/store/derived.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "build/build_event.h"
#include "build/packages/package_steps.h"
#include "build/stages/build.h"
#include "build/stop.h"
#include "template/template.h"

namespace cay::build {

struct DeriveFor {
  std::string owner{};             // whose cache is used; empty: whoever uses this machine
  std::string prefix{};            // before the name: "@OWNER/", or nothing
  std::optional<Manager> usual{};  // PlanPackages
};

struct DerivePlan {
  templates::Template base{};
  PackageSteps packages{};
  std::string owner{};
  std::string name{};  // of the derived template: "packages-…", with the prefix
  std::string key{};
};

// As PlanPackages; kInvalidArgument where there are no packages at all.
Result<DerivePlan> PlanDerive(const templates::Template& base, const AskedPackages& asked,
                              const DeriveFor& whom);

struct DeriveOptions {
  StepLimits limits{};
  Bytes max_bytes = 0;             // of content that all steps write together; 0: any
  std::string authorities{};       // BuildRequest::authorities
  std::vector<std::string> env{};  // "NAME=value" of the steps, not of the template: where an
                                   // index is. No part of what a step depends on
  templates::BuiltBounds keep = BuildRequest{}.keep;  // of steps, and of derived templates
};

// `machine.find_base` and `fetch` are not asked. However it ends, what was finished is kept.
// kUnavailable with ECANCELED when it was stopped. Blocking.
Result<BuildEnd> Derive(const BuildMachine& machine, const DerivePlan& plan,
                        const DeriveOptions& options, const BuildWatch& watch,
                        const StopTimer& stop);

// A step of these that did not succeed, for whoever asked for the packages: with the end of what
// the manager wrote, and whose fault it is. kNotFound (the caller's): the registry does not have
// what was asked for; kUnavailable (the machine's): the registry was not reached; kTimeout,
// kLimitTooHigh: the step's limits; kInvalidArgument (the caller's): whatever else.
Error PackageError(const StepFailure& failure);

}  // namespace cay::build
