// PackageSteps: what installs packages in a template: a step of a build for each manager, each in a
// sandbox of its own (run/step_runner.h). What a stranger typed is in files and in arguments of the
// programs, never in the text of a script.
//
//   apt   first, since others may need what it installs; as root
//   npm   into /opt/cay-packages/node; /node_modules leads there, so that every script finds it, by
//         require and by import; as root
//   pip   into the Python that its pip belongs to, as the user whose file that is: into the image's
//         own environment; over this machine's own /usr, which is read-only, into
//         /opt/cay-packages/python, to which PYTHONPATH leads
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "build/packages/programs.h"
#include "build/packages/rules/asked_packages.h"
#include "build/run/step.h"
#include "template/template.h"

namespace cay::build {

struct PackageStep {
  Manager manager = Manager::kPip;
  std::string text{};  // for people, in one line: "pip install numpy pandas==2.2.0"
  RunStep run{};
};

struct PackageSteps {
  PackageSet set{};
  std::vector<PackageStep> steps{};
  std::vector<std::string> variables{};  // of every process of the template's sandboxes
};

// `usual`: whose packages are that do not say it; empty: whose manager the template has, pip's
// where it has several. kNotSupported, with the remedy, for a manager that the template does not
// have, or cannot be used over this machine's own /usr; otherwise as ReadPackages.
Result<PackageSteps> PlanPackages(const AskedPackages& asked, std::optional<Manager> usual,
                                  const templates::Template& base);

// The presets (network/policy) of the registries that these steps ask.
std::vector<std::string> PresetsOf(const PackageSteps& plan);

}  // namespace cay::build
