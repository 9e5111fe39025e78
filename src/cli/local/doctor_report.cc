#include "cli/local/doctor_report.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>
#include <vector>

#include "cli/frame/console.h"

namespace cay::cli {
namespace {

using engine::native::Controller;
using engine::native::Facts;
using engine::native::Feature;
using engine::native::kControllerCount;
using engine::native::kFeatureCount;
using engine::native::kNotTried;
using engine::native::Protection;
using engine::native::ProtectionGroup;
using engine::native::Status;
using engine::native::Verdict;

std::string_view Mark(Status status, bool utf8) {
  switch (status) {
    case Status::kEnforced:
      return utf8 ? "✓" : "+";
    case Status::kPartly:
      return "~";
    case Status::kNotEnforced:
      return utf8 ? "✗" : "-";
    case Status::kBlocks:
      return utf8 ? "‼" : "!";
  }
  return "?";
}

std::string Controllers(const Facts& facts) {
  std::string names;
  for (size_t i = 0; i < kControllerCount; ++i) {
    // io: Cay limits nothing by it.
    if (!facts.controllers.at(i).there || static_cast<Controller>(i) == Controller::kIo) continue;
    names += " " + std::string(ControllerName(static_cast<Controller>(i)));
  }
  return names.empty() ? " none that Cay may use" : names;
}

std::string OtherEngines(const Facts& facts) {
  std::string found;
  const auto add = [&](const std::string& what) { found += (found.empty() ? "" : ", ") + what; };
  if (facts.kvm) add("KVM");
  if (facts.docker) add("Docker");
  for (const std::string& runtime : facts.runtimes) add(runtime);
  return found.empty() ? "none" : found;
}

std::string RenderMachine(const Facts& facts) {
  std::string missing;
  for (size_t i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    if (facts.outcomes[feature] <= 0) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(FeatureName(feature));
  }
  const std::string landlock =
      facts.landlock_abi == 0 ? "none" : "ABI " + std::to_string(facts.landlock_abi);
  return "MACHINE\n" +
         FormatTable({
             {"  kernel", "Linux " + OneLine(facts.kernel) + " " + OneLine(facts.machine)},
             {"  user", facts.root() ? "root" : "ordinary, uid " + std::to_string(facts.uid)},
             {"  cgroups",
              std::string(CgroupLayoutName(facts.cgroup_layout)) + ":" + Controllers(facts)},
             {"  Landlock", landlock},
             {"  missing", missing.empty() ? "nothing that Cay uses" : missing},
             {"  other engines", OtherEngines(facts)},
         });
}

std::string RenderGroup(const Verdict& verdict, ProtectionGroup group, bool utf8) {
  size_t width = 0;
  for (const Protection& protection : verdict.protections) {
    width = std::max(width, protection.name.size());
  }
  std::string text;
  for (const Protection& protection : verdict.protections) {
    if (protection.group != group) continue;
    text.append("  ").append(Mark(protection.status, utf8)).append(" ").append(protection.name);
    if (!protection.why.empty()) {
      text.append(width - protection.name.size() + 2, ' ').append(OneLine(protection.why));
    }
    text.push_back('\n');
    if (!protection.remedy.empty()) {
      text.append(width + 6, ' ').append("mend it: ").append(protection.remedy).push_back('\n');
    }
  }
  return text;
}

std::string RenderConclusion(const Verdict& verdict) {
  if (verdict.fully_enforced) return "The default sandbox is fully enforced for this user.\n";
  std::string gaps;
  for (const Protection& protection : verdict.protections) {
    const bool counts = verdict.can_run ? protection.status != Status::kEnforced
                                        : protection.status == Status::kBlocks;
    if (counts) gaps += (gaps.empty() ? "" : ", ") + protection.name;
  }
  return verdict.can_run ? "Sandboxes run for this user, but not fully enforced: " + gaps + ".\n"
                         : "No sandbox can run for this user: " + gaps + ".\n";
}

std::string RenderConcerns(const std::vector<Concern>& concerns) {
  if (concerns.empty()) return {};
  std::string text = "SANDBOXES\n";
  for (const Concern& concern : concerns) {
    text.append("  ").append(concern.sandbox).append("  ").append(OneLine(concern.what));
    text.append("\n      mend it: ").append(concern.remedy).push_back('\n');
  }
  return text + "\n";
}

}  // namespace

std::vector<Concern> ConcernsOf(const std::vector<engine::native::InventoryEntry>& entries) {
  std::vector<Concern> concerns;
  for (const engine::native::InventoryEntry& entry : entries) {
    const engine::SandboxStatus& status = entry.status;
    if (!status.damage.empty()) {
      concerns.push_back({status.id.text(), "its record cannot be read: " + status.damage,
                          "save what you need of it, and destroy it"});
    }
    if (status.orphaned_unix_ms) {
      concerns.push_back(
          {status.id.text(), "it is orphaned: no database knows whose it is",
           status.damage.empty() ? "cay adopt, or cay gc --orphans" : "cay gc --orphans"});
    }
  }
  return concerns;
}

std::string RenderDoctor(const Facts& facts, const Verdict& verdict, bool utf8,
                         const DoctorFindings& found) {
  const std::string disk = found.disk != nullptr ? RenderDisk(*found.disk, utf8) + "\n" : "";
  return RenderMachine(facts) + "\n" + disk + "LIMITS\n" +
         RenderGroup(verdict, ProtectionGroup::kLimits, utf8) + "\nISOLATION\n" +
         RenderGroup(verdict, ProtectionGroup::kIsolation, utf8) + "\n" +
         RenderConcerns(found.concerns) + RenderConclusion(verdict);
}

std::string RenderDoctorJson(const Facts& facts, const Verdict& verdict,
                             const DoctorFindings& found) {
  boost::json::object controllers;
  for (size_t i = 0; i < kControllerCount; ++i) {
    controllers[ControllerName(static_cast<Controller>(i))] = facts.controllers.at(i).there;
  }
  boost::json::object features;
  for (size_t i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    const auto outcome = facts.outcomes[feature];
    // null: not tried, because it needs root or something else that failed.
    features[FeatureKey(feature)] =
        outcome == kNotTried ? boost::json::value(nullptr) : boost::json::value(outcome == 0);
  }
  boost::json::array protections;
  for (const Protection& protection : verdict.protections) {
    protections.push_back(
        {{"name", protection.key},
         {"group", protection.group == ProtectionGroup::kLimits ? "limits" : "isolation"},
         {"status", StatusName(protection.status)},
         {"why", protection.why},
         {"remedy", protection.remedy}});
  }
  boost::json::array sandboxes;
  for (const Concern& concern : found.concerns) {
    sandboxes.push_back(
        {{"id", concern.sandbox}, {"what", concern.what}, {"remedy", concern.remedy}});
  }
  boost::json::object whole = {
      {"kernel", facts.kernel},
      {"machine", facts.machine},
      {"uid", facts.uid},
      {"cgroups",
       {{"layout", CgroupLayoutName(facts.cgroup_layout)}, {"controllers", controllers}}},
      {"landlock_abi", facts.landlock_abi},
      {"features", features},
      {"kvm", facts.kvm},
      {"docker", facts.docker},
      {"runtimes", boost::json::array(facts.runtimes.begin(), facts.runtimes.end())},
      {"protections", protections},
      {"sandboxes", sandboxes},
      {"can_run", verdict.can_run},
      {"fully_enforced", verdict.fully_enforced},
  };
  if (found.disk != nullptr) whole["disk"] = DiskJson(*found.disk);
  return boost::json::serialize(whole) + "\n";
}

}  // namespace cay::cli
