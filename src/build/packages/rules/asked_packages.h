// AskedPackages: packages that somebody wants in a template, as they were typed; and what they are,
// read by the rules of the managers that install them. Pure.
//
//   AskedPackages asked{.packages = {"pandas==2.2.0", "apt:jq"}};
//   const PackageSet set = TRY(ReadPackages(asked, Manager::kPip));
//   set.pip                                    // {"pandas==2.2.0"}
//
// Every word is a stranger's. What a manager would take for an option, a path or a URL is refused:
// packages come from the registries that the template's network names, and from nowhere else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace cay::build {

enum class Manager : uint8_t { kPip, kNpm, kApt };
inline constexpr size_t kManagers = 3;
std::string_view ManagerName(Manager manager);  // "pip", "npm", "apt"
// Before a package: "pip:pandas". Nothing for any other word.
std::optional<Manager> ManagerFromName(std::string_view name);

struct AskedPackages {
  static constexpr size_t kMaxPackages = 1000;         // with those of the files
  static constexpr size_t kMaxPackage = 1024;          // bytes of one
  static constexpr Bytes kMaxRequirements = 1 * kMiB;  // hashes make them long
  static constexpr Bytes kMaxPackageJson = 256 * kKiB;
  static constexpr Bytes kMaxPackageLock = 4 * kMiB;

  std::vector<std::string> packages{};  // "NAME…", or "MANAGER:NAME…"
  std::string requirements{};           // of a requirements.txt
  std::string package_json{};           // of a package.json
  std::string package_lock{};           // of its package-lock.json

  bool none() const {
    return packages.empty() && requirements.empty() && package_json.empty() && package_lock.empty();
  }
  friend bool operator==(const AskedPackages&, const AskedPackages&) = default;
};

// What was asked for, each in one form, and none twice.
struct PackageSet {
  std::vector<std::string> pip{};   // lines of a requirements.txt
  std::string npm{};                // the text of a package.json; empty: nothing is asked of npm
  std::string npm_lock{};           // the text of a package-lock.json that belongs to it
  std::vector<std::string> apt{};   // "NAME" or "NAME=VERSION"
  std::vector<std::string> told{};  // all of them, for people: "pip:pandas==2.2.0"

  bool Has(Manager manager) const {
    return manager == Manager::kPip   ? !pip.empty()
           : manager == Manager::kNpm ? !npm.empty()
                                      : !apt.empty();
  }
  bool none() const { return told.empty(); }
};

// Whether a package is there without a word that says whose it is.
bool HasUnmarked(const AskedPackages& asked);

// `usual`: whose packages without such a word are. kInvalidArgument names the package and what is
// wrong with it, kLimitTooHigh says which bound it is over.
Result<PackageSet> ReadPackages(const AskedPackages& asked, Manager usual);

}  // namespace cay::build
