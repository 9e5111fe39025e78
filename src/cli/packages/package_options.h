// Options of packages, of every command that makes sandboxes on this machine.
//
//   struct Options { PackageOptions packages; };
#pragma once

#include <string>
#include <string_view>

#include "cli/frame/option_tables.h"
#include "cli/packages/packages_here.h"

namespace cay::cli {

template <class Options>
constexpr OptionSpec kPackagesOption = {
    .name = "packages",
    .value = "NAME,...",
    .help = "Packages in the template, of pip: or npm: or apt:, else of what it has; repeatable",
    .group = "Packages",
    .example = "pandas==2.2.0,apt:jq",
    .apply = [](void* options, std::string_view value) {
      return AddPackages(static_cast<Options*>(options)->packages.asked, value);
    }};

template <class Options>
constexpr OptionSpec kRequirementsOption = {
    .name = "requirements",
    .value = "FILE",
    .help = "Packages of a requirements.txt, package.json or package-lock.json; repeatable",
    .example = "requirements.txt",
    .completes = Completes::kFiles,
    .apply = [](void* options, std::string_view value) {
      return AddPackageFile(static_cast<Options*>(options)->packages.asked, std::string(value));
    }};

template <class Options>
constexpr OptionSpec kPackagesAllowOption = {
    .name = "packages-allow",
    .value = "RULE",
    .help = "What their installation reaches beside the registries; repeatable",
    .example = "10.1.0.0/16:443",
    .apply = [](void* options, std::string_view value) -> Result<void> {
      static_cast<Options*>(options)->packages.allow.emplace_back(value);
      return {};
    }};

template <class Options>
constexpr OptionSpec kPackagesEnvOption = {
    .name = "packages-env",
    .value = "NAME=VALUE",
    .help = "A variable of their installation alone, such as where an index is; repeatable",
    .example = "PIP_INDEX_URL=https://pip.example/simple",
    .apply = [](void* options, std::string_view value) {
      return AddPackagesEnv(static_cast<Options*>(options)->packages, value);
    }};

template <class Options>
constexpr OptionSpec kPackagesCaOption = {
    .name = "packages-ca",
    .value = "FILE",
    .help = "Their installation trusts the authorities in FILE (PEM), too; repeatable",
    .example = "./ca.pem",
    .completes = Completes::kFiles,
    .apply = [](void* options, std::string_view value) -> Result<void> {
      static_cast<Options*>(options)->packages.authorities.emplace_back(value);
      return {};
    }};

}  // namespace cay::cli
