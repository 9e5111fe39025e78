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

using engine::Diagnosis;
using engine::Machine;
using engine::MachineFeature;
using engine::Protection;
using engine::ProtectionGroup;
using Status = engine::ProtectionStatus;

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

std::string Controllers(const Machine& machine) {
  std::string names;
  for (const MachineFeature& controller : machine.controllers) {
    // io: Cay limits nothing by it.
    if (controller.works != true || controller.key == "io") continue;
    names += " " + controller.name;
  }
  return names.empty() ? " none that Cay may use" : names;
}

std::string OtherEngines(const Machine& machine) {
  std::string found;
  const auto add = [&](const std::string& what) { found += (found.empty() ? "" : ", ") + what; };
  if (machine.kvm) add("KVM");
  if (machine.docker) add("Docker");
  for (const std::string& runtime : machine.runtimes) add(runtime);
  return found.empty() ? "none" : found;
}

std::string RenderMachine(const Machine& machine) {
  std::string missing;
  for (const MachineFeature& feature : machine.features) {
    if (feature.works == false) missing += (missing.empty() ? "" : ", ") + feature.name;
  }
  const std::string landlock =
      machine.landlock_abi == 0 ? "none" : "ABI " + std::to_string(machine.landlock_abi);
  return "MACHINE\n" +
         FormatTable({
             {"  kernel", "Linux " + OneLine(machine.kernel) + " " + OneLine(machine.architecture)},
             {"  user", machine.uid == 0 ? "root" : "ordinary, uid " + std::to_string(machine.uid)},
             {"  cgroups", machine.cgroup_layout + ":" + Controllers(machine)},
             {"  Landlock", landlock},
             {"  missing", missing.empty() ? "nothing that Cay uses" : missing},
             {"  other engines", OtherEngines(machine)},
         });
}

std::string RenderGroup(const Diagnosis& diagnosis, ProtectionGroup group, bool utf8) {
  size_t width = 0;
  for (const Protection& protection : diagnosis.protections) {
    width = std::max(width, protection.name.size());
  }
  std::string text;
  for (const Protection& protection : diagnosis.protections) {
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

std::string RenderConclusion(const Diagnosis& diagnosis) {
  if (diagnosis.fully_enforced) return "The default sandbox is fully enforced for this user.\n";
  std::string gaps;
  for (const Protection& protection : diagnosis.protections) {
    if (protection.group == ProtectionGroup::kNetworks) continue;
    const bool counts = diagnosis.can_run ? protection.status != Status::kEnforced
                                          : protection.status == Status::kBlocks;
    if (counts) gaps += (gaps.empty() ? "" : ", ") + protection.name;
  }
  return diagnosis.can_run ? "Sandboxes run for this user, but not fully enforced: " + gaps + ".\n"
                           : "No sandbox can run for this user: " + gaps + ".\n";
}

// One way is enough.
std::string RenderNetworks(const Diagnosis& diagnosis) {
  std::string by;
  for (const Protection& protection : diagnosis.protections) {
    const bool works =
        protection.group == ProtectionGroup::kNetworks && protection.status == Status::kEnforced;
    if (works && by.empty()) by = protection.name;
  }
  if (by.empty()) return "Sandboxes can have no network for this user.\n";
  return "Sandboxes can have a network for this user, by " + by +
         (diagnosis.machine.landlock_abi > 0 ? ".\n"
                                             : ", and no package cache: it needs Landlock.\n");
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

std::vector<Concern> ConcernsOf(const std::vector<engine::InventoryEntry>& entries) {
  std::vector<Concern> concerns;
  for (const engine::InventoryEntry& entry : entries) {
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

std::string RenderDoctor(const Diagnosis& diagnosis, bool utf8, const DoctorFindings& found) {
  const std::string disk = found.disk != nullptr ? RenderDisk(*found.disk, utf8) + "\n" : "";
  return RenderMachine(diagnosis.machine) + "\n" + disk + "LIMITS\n" +
         RenderGroup(diagnosis, ProtectionGroup::kLimits, utf8) + "\nISOLATION\n" +
         RenderGroup(diagnosis, ProtectionGroup::kIsolation, utf8) + "\nNETWORKS\n" +
         RenderGroup(diagnosis, ProtectionGroup::kNetworks, utf8) + "\n" +
         RenderConcerns(found.concerns) + RenderConclusion(diagnosis) + RenderNetworks(diagnosis);
}

std::string RenderDoctorJson(const Diagnosis& diagnosis, const DoctorFindings& found) {
  const Machine& machine = diagnosis.machine;
  boost::json::object controllers;
  for (const MachineFeature& controller : machine.controllers) {
    controllers[controller.key] = controller.works.value_or(false);
  }
  boost::json::object features;
  for (const MachineFeature& feature : machine.features) {
    features[feature.key] =
        feature.works ? boost::json::value(*feature.works) : boost::json::value(nullptr);
  }
  boost::json::array protections;
  for (const Protection& protection : diagnosis.protections) {
    protections.push_back({{"name", protection.key},
                           {"group", GroupName(protection.group)},
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
      {"kernel", machine.kernel},
      {"machine", machine.architecture},
      {"uid", machine.uid},
      {"cgroups", {{"layout", machine.cgroup_layout}, {"controllers", controllers}}},
      {"landlock_abi", machine.landlock_abi},
      {"features", features},
      {"kvm", machine.kvm},
      {"docker", machine.docker},
      {"runtimes", boost::json::array(machine.runtimes.begin(), machine.runtimes.end())},
      {"protections", protections},
      {"sandboxes", sandboxes},
      {"can_run", diagnosis.can_run},
      {"fully_enforced", diagnosis.fully_enforced},
  };
  if (found.disk != nullptr) whole["disk"] = DiskJson(*found.disk);
  return boost::json::serialize(whole) + "\n";
}

}  // namespace cay::cli
