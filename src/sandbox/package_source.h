// PackageSource: who makes a template with the packages that a create asks for. The manager stands
// below it (builds/build_keeper.h).
#pragma once

#include "base/result.h"
#include "sandbox/types.h"
#include "template/template.h"

namespace cay::sandbox {

class PackageSource {
 public:
  virtual ~PackageSource() = default;

  // `base` with the packages, which are written into `packages` as they were read, with the name of
  // the template. It is waited for, where it has to be built. kPermissionDenied where they may not
  // be; kUnavailable with what awaits the build (Action::kAwaitBuild) when the patience has ended;
  // the errors of build::PlanPackages and build::PackageError. Any thread.
  virtual Result<templates::Template> WithPackages(const Caller& caller,
                                                   const templates::Template& base,
                                                   PackagesSpec& packages) = 0;
};

}  // namespace cay::sandbox
