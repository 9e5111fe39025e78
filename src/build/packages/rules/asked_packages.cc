#include "build/packages/rules/asked_packages.h"

#include <algorithm>
#include <array>
#include <utility>

#include "build/packages/rules/apt_package.h"
#include "build/packages/rules/npm_package.h"
#include "build/packages/rules/pip_requirement.h"
#include "build/packages/rules/words.h"

namespace cay::build {
namespace {

constexpr std::array<std::string_view, kManagers> kNames = {"pip", "npm", "apt"};

Error TooMuch(const std::string& what) { return {ErrorCode::kLimitTooHigh, Fault::kCaller, what}; }

Result<void> CheckSize(std::string_view what, const std::string& text, Bytes most) {
  if (text.size() <= most) return {};
  return Failure(TooMuch("\"" + std::string(what) + "\" is larger than " + HumanBytes(most)));
}

Result<void> CheckSizes(const AskedPackages& asked) {
  using A = AskedPackages;
  if (asked.packages.size() > A::kMaxPackages)
    return Failure(TooMuch("\"packages\" has more than " + std::to_string(A::kMaxPackages)));
  TRY(CheckSize("requirements", asked.requirements, A::kMaxRequirements));
  TRY(CheckSize("package_json", asked.package_json, A::kMaxPackageJson));
  return CheckSize("package_lock", asked.package_lock, A::kMaxPackageLock);
}

struct Marked {
  std::optional<Manager> manager;
  std::string_view rest;
};

Marked Unmark(std::string_view package) {
  const size_t colon = package.find(':');
  if (colon == std::string_view::npos) return {.manager = {}, .rest = package};
  const auto manager = ManagerFromName(package.substr(0, colon));
  return {.manager = manager, .rest = manager ? package.substr(colon + 1) : package};
}

void AddOnce(std::vector<std::string>& list, std::string one) {
  if (std::ranges::find(list, one) == list.end()) list.push_back(std::move(one));
}

// Takes words and files apart into a set.
class Reading {
 public:
  explicit Reading(const AskedPackages& asked) : asked_(asked) {}

  Result<PackageSet> Read(Manager usual) {
    TRY(CheckSizes(asked_));
    TRY(ReadFiles());
    for (const std::string& package : asked_.packages) {
      if (package.size() > AskedPackages::kMaxPackage) {
        return Failure(NotAPackage(
            package, "it is longer than " + std::to_string(AskedPackages::kMaxPackage) + " bytes"));
      }
      TRY(ReadOne(package, usual));
    }
    return Finish();
  }

 private:
  Result<void> ReadFiles() {
    for (std::string& line : TRY(ParseRequirements(asked_.requirements)))
      AddOnce(set_.pip, std::move(line));
    if (!asked_.package_lock.empty() && asked_.package_json.empty())
      return Failure(Error::Invalid("a package-lock.json belongs to a package.json: give both"));
    if (!asked_.package_json.empty()) json_ = TRY(ParsePackageJson(asked_.package_json));
    if (asked_.package_lock.empty()) return {};
    TRY(CheckPackageLock(asked_.package_lock));
    set_.npm_lock = asked_.package_lock;
    return {};
  }

  Result<void> ReadOne(std::string_view package, Manager usual) {
    const Marked marked = Unmark(package);
    switch (marked.manager.value_or(usual)) {
      case Manager::kPip:
        AddOnce(set_.pip, TRY(ParseRequirement(marked.rest)));
        return {};
      case Manager::kApt:
        AddOnce(set_.apt, TRY(ParseAptPackage(marked.rest)));
        return {};
      case Manager::kNpm:
        return AddNpm(package, TRY(ParseNpmPackage(marked.rest)));
    }
    return {};
  }

  Result<void> AddNpm(std::string_view package, NpmPackage one) {
    if (!set_.npm_lock.empty()) {
      return Failure(NotAPackage(
          package, "with a package-lock.json exactly what that has is installed: put it there"));
    }
    auto& all = json_.dependencies;
    const auto same = std::ranges::find(all, one.name, &NpmPackage::name);
    if (same == all.end()) {
      all.push_back(std::move(one));
    } else if (same->range != one.range) {
      return Failure(NotAPackage(package, "it is asked for in two versions"));
    }
    return {};
  }

  // In the order of their names: the same packages in another order are the same.
  Result<PackageSet> Finish() {
    std::ranges::sort(set_.pip);
    std::ranges::sort(set_.apt);
    if (json_.size() > 0) {
      for (auto* list : {&json_.dependencies, &json_.dev, &json_.optional, &json_.peer})
        std::ranges::sort(*list, {}, &NpmPackage::name);
      set_.npm = json_.Text();
    }
    if (set_.pip.size() + set_.apt.size() + json_.size() > AskedPackages::kMaxPackages) {
      return Failure(TooMuch("there are more than " + std::to_string(AskedPackages::kMaxPackages) +
                             " packages"));
    }
    for (const std::string& one : set_.apt) set_.told.push_back("apt:" + one);
    for (const auto* list : {&json_.dependencies, &json_.dev, &json_.optional, &json_.peer}) {
      for (const NpmPackage& one : *list)
        set_.told.push_back("npm:" + one.name + (one.range == "*" ? "" : "@" + one.range));
    }
    for (const std::string& one : set_.pip)
      set_.told.push_back("pip:" + one.substr(0, one.find(" --hash=")));
    return std::move(set_);
  }

  const AskedPackages& asked_;
  PackageSet set_{};
  PackageJson json_{};
};

}  // namespace

std::string_view ManagerName(Manager manager) { return kNames.at(static_cast<size_t>(manager)); }

std::optional<Manager> ManagerFromName(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Manager>(found - kNames.begin());
}

bool HasUnmarked(const AskedPackages& asked) {
  return std::ranges::any_of(asked.packages, [](const std::string& package) {
    return !Unmark(package).manager.has_value();
  });
}

Result<PackageSet> ReadPackages(const AskedPackages& asked, Manager usual) {
  return Reading(asked).Read(usual);
}

}  // namespace cay::build
