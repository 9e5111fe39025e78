// Packages in a template, for whoever runs a command on this machine: what `cay run --packages`
// begins with. Found where somebody asked for the same before, or built now (build/packages), with
// what a person sees of it and signals that stop it.
#pragma once

#include <string>
#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "build/packages/rules/asked_packages.h"
#include "cli/frame/command.h"
#include "cli/network/run_network.h"
#include "template/store/template_store.h"

namespace cay::cli {

struct PackageOptions {
  build::AskedPackages asked{};
  std::vector<std::string> allow{};        // rules: what steps reach beside the registries
  std::vector<std::string> env{};          // "NAME=value" of the steps
  std::vector<std::string> authorities{};  // files (PEM) that steps trust, beside this machine's
};

// "numpy,pandas==2.2.0": commas part packages; those within brackets do not.
Result<void> AddPackages(build::AskedPackages& asked, std::string_view value);
// A requirements.txt, a package.json or a package-lock.json, by its name, into its place.
Result<void> AddPackageFile(build::AskedPackages& asked, const std::string& path);

// "NAME=VALUE".
Result<void> AddPackagesEnv(PackageOptions& options, std::string_view value);

// What `base` becomes with them. kNotSupported for an ordinary user where it has to be built; the
// errors of build::PackageError; kUnavailable with ECANCELED where a signal stopped it. The relay
// of the network is forked: there are no other threads. Blocking.
Result<templates::Template> WithPackages(templates::TemplateStore& store,
                                         const templates::Template& base, const Paths& paths,
                                         const PackageOptions& options, const Ways& ways,
                                         bool quiet);

}  // namespace cay::cli
