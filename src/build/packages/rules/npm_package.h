// Packages of npm, as far as they name what its registry has: a name, with its scope, and a range
// of versions or a tag. No URL, path, alias or repository. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::build {

struct NpmPackage {
  std::string name;   // "lodash", "@types/node"
  std::string range;  // "^4.17.0", "4.x || >=5", "latest"; "*": any
};

// "lodash", "lodash@^4", "@types/node@20". kInvalidArgument says what is wrong.
Result<NpmPackage> ParseNpmPackage(std::string_view text);
Result<void> CheckNpmName(std::string_view name);
Result<void> CheckNpmRange(std::string_view range);

// What of a package.json says which packages are installed: its four lists of dependencies, and the
// name and version that a package-lock.json repeats. Nothing else of it is kept.
struct PackageJson {
  std::string name{};
  std::string version{};
  // By their lists, in the file's order.
  std::vector<NpmPackage> dependencies{};
  std::vector<NpmPackage> dev{};
  std::vector<NpmPackage> optional{};
  std::vector<NpmPackage> peer{};

  size_t size() const { return dependencies.size() + dev.size() + optional.size() + peer.size(); }
  std::string Text() const;  // a package.json of it
};
Result<PackageJson> ParsePackageJson(std::string_view text);

// That it is a JSON object with a lockfileVersion of 1 to 3, whose packages come from a registry:
// no links, and no places but of HTTPS.
Result<void> CheckPackageLock(std::string_view text);

}  // namespace cay::build
