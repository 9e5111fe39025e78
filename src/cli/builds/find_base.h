// What a FROM names, found for a build on this machine: a template that is here, an image of a
// registry, and of Debian, where no registry is reached, what mmdebstrap makes.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "cli/pulls/registry_options.h"
#include "template/oci/platform.h"
#include "template/store/template_store.h"

namespace cay::cli {

struct BaseOptions {
  RegistryOptions registry{};
  bool pull = false;  // images are looked at again in their registry
  bool quiet = false;
};

Result<templates::KeptTemplate> FindBaseHere(
    templates::TemplateStore& store, const std::string& image,
    const std::optional<templates::oci::Platform>& platform, const BaseOptions& options);

// The suite of Debian's own image: "debian:bookworm-slim" is "bookworm", "debian:12" too. Nothing
// for any other. Pure.
std::optional<std::string> DebianSuiteOf(const std::string& image);

}  // namespace cay::cli
