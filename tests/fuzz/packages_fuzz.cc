// Packages as strangers type them: whatever the text, reading it ends in a value or an error. What
// was taken is one line, no option, and the same when it is read again; what a manager is given of
// a file is what was read of it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "build/packages/rules/apt_package.h"
#include "build/packages/rules/asked_packages.h"
#include "build/packages/rules/npm_package.h"
#include "build/packages/rules/pip_requirement.h"

namespace {

using cay::build::Manager;

void MustBeOneWord(const std::string& taken) {
  if (taken.empty() || taken.front() == '-') std::abort();
  if (taken.find_first_of("\n\r\t\\$`|&") != std::string::npos && !taken.contains("||"))
    std::abort();
  for (const char byte : taken)
    if (byte < ' ' || byte > '~') std::abort();
}

void ReadPip(std::string_view text) {
  const auto requirement = cay::build::ParseRequirement(text);
  if (requirement) {
    MustBeOneWord(*requirement);
    const auto again = cay::build::ParseRequirement(*requirement);
    if (!again || *again != *requirement) std::abort();
  }
  const auto file = cay::build::ParseRequirements(text);
  if (!file) return;
  std::string whole;
  for (const std::string& line : *file) {
    MustBeOneWord(line);
    whole += line + "\n";
  }
  const auto again = cay::build::ParseRequirements(whole);
  if (!again || *again != *file) std::abort();
}

void ReadNpm(std::string_view text) {
  if (const auto package = cay::build::ParseNpmPackage(text)) {
    MustBeOneWord(package->name);
    const auto again = cay::build::ParseNpmPackage(package->name + "@" + package->range);
    if (!again || again->name != package->name || again->range != package->range) std::abort();
  }
  static_cast<void>(cay::build::CheckPackageLock(text));
  const auto file = cay::build::ParsePackageJson(text);
  if (!file) return;
  const auto again = cay::build::ParsePackageJson(file->Text());
  if (!again || again->Text() != file->Text()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadPip(text);
  ReadNpm(text);
  if (const auto package = cay::build::ParseAptPackage(text)) MustBeOneWord(*package);
  for (const Manager usual : {Manager::kPip, Manager::kNpm, Manager::kApt}) {
    const auto set = cay::build::ReadPackages({.packages = {std::string(text)}}, usual);
    if (set && set->none()) std::abort();
  }
  return 0;
}
