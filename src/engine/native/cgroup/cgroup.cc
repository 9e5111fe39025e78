#include "engine/native/cgroup/cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>

#include "base/os/paths.h"
#include "base/os/sys.h"
#include "engine/native/cgroup/cgroup_discover.h"
#include "engine/native/cgroup/cgroup_knobs.h"
#include "engine/native/cgroup/cgroup_parents.h"
#include "engine/native/cgroup/cgroup_processes.h"
#include "engine/native/cgroup/cgroup_v1.h"
#include "engine/native/cgroup/cgroup_v2.h"

namespace cay::engine::native {
namespace {

// What both versions of cgroups have, each in its own files. (What is read of processors differs in
// what there is.)
struct Knobs {
  decltype(&v2::SetMemory) set_memory;
  decltype(&v2::SetCpus) set_cpus;
  decltype(&v2::LiftCpus) lift_cpus;
  decltype(&v2::ReadMemory) read_memory;
  decltype(&v2::ReadOomKills) read_oom_kills;
  decltype(&v2::Freeze) freeze;
  decltype(&v2::Thaw) thaw;
};
constexpr Knobs kV1 = {&v1::SetMemory,    &v1::SetCpus, &v1::LiftCpus, &v1::ReadMemory,
                       &v1::ReadOomKills, &v1::Freeze,  &v1::Thaw};
constexpr Knobs kV2 = {&v2::SetMemory,    &v2::SetCpus, &v2::LiftCpus, &v2::ReadMemory,
                       &v2::ReadOomKills, &v2::Freeze,  &v2::Thaw};

const Knobs& KnobsOf(const CgroupParent& parent) { return parent.v2 ? kV2 : kV1; }

constexpr MilliCpus kMinCpus = 10;  // the kernel's smallest quota: 1 ms in 100
constexpr int kMaxKillRounds = 64;

Error NoGroup(std::string_view what) {
  return Error(ErrorCode::kNotSupported, Fault::kMachine,
               "this sandbox has no cgroup by which it could " + std::string(what))
      .WithRemedy("see: cay doctor");
}

// At most `rounds` times through the lists, or until nobody was left to signal.
Result<void> KillListed(const std::vector<CgroupDir>& dirs, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    size_t sent = 0;
    for (const CgroupDir& dir : dirs) sent += TRY(SignalKill(dir));
    if (sent == 0) return {};
  }
  return {};
}

}  // namespace

std::string_view CgroupLayoutName(CgroupLayout layout) {
  switch (layout) {
    case CgroupLayout::kNone:
      return "none";
    case CgroupLayout::kV1:
      return "v1";
    case CgroupLayout::kHybrid:
      return "hybrid";
    case CgroupLayout::kV2:
      return "v2";
  }
  return "none";
}

std::string_view ControllerName(Controller controller) {
  switch (controller) {
    case Controller::kMemory:
      return "memory";
    case Controller::kCpu:
      return "cpu";
    case Controller::kCpuacct:
      return "cpuacct";
    case Controller::kPids:
      return "pids";
    case Controller::kFreezer:
      return "freezer";
    case Controller::kIo:
      return "io";
  }
  return "";
}

// The trees are shared with the CgroupTree, which may go away before its groups.
class Cgroup::Impl {
 public:
  Impl(std::shared_ptr<const CgroupParents> trees, std::string name, bool fresh)
      : trees_(std::move(trees)), name_(std::move(name)), fresh_(fresh) {}

  const std::vector<CgroupParent>& parents() const { return trees_->parents; }
  CgroupDir In(const CgroupParent& parent) const { return {parent.dir.get(), name_}; }

  const CgroupParent* ParentOf(Controller controller) const {
    const auto found = std::ranges::find_if(
        parents(), [&](const CgroupParent& parent) { return parent.serves.Contains(controller); });
    return found == parents().end() ? nullptr : &*found;
  }

  Result<void> OpenV2() {
    for (const CgroupParent& parent : parents()) {
      if (!parent.v2) continue;
      v2_dir_ = TRY(sys::OpenAt(parent.dir.get(), name_.c_str(), O_PATH | O_DIRECTORY));
    }
    return {};
  }

  Result<void> SetLimits(const Limits& limits, KnobChanges& changes) const {
    if (const CgroupParent* parent = ParentOf(Controller::kMemory)) {
      TRY(KnobsOf(*parent).set_memory(In(*parent), limits.memory, fresh_, changes));
    }
    if (const CgroupParent* parent = ParentOf(Controller::kCpu)) {
      TRY(KnobsOf(*parent).set_cpus(In(*parent), limits.cpus, changes));
    }
    if (const CgroupParent* parent = ParentOf(Controller::kPids)) {
      TRY(changes.Write(In(*parent), "pids.max", std::to_string(limits.pids)));
    }
    return {};
  }

  std::shared_ptr<const CgroupParents> trees_;
  std::string name_;
  bool fresh_;  // made by this object, and no limit set yet
  std::optional<Fd> v2_dir_;
};

Cgroup::Cgroup(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cgroup::Cgroup(Cgroup&&) noexcept = default;
Cgroup& Cgroup::operator=(Cgroup&&) noexcept = default;
Cgroup::~Cgroup() = default;

Result<void> Cgroup::Apply(const Limits& limits) {
  if (limits.memory == 0 || limits.pids == 0 || limits.cpus < kMinCpus) {
    return Failure(Error::Invalid("a sandbox needs some memory, a process and 0.01 processors"));
  }
  KnobChanges changes(impl_->fresh_ ? KnobChanges::Undo::kNo : KnobChanges::Undo::kYes);
  TRY(impl_->SetLimits(limits, changes));
  impl_->fresh_ = false;
  return {};
}

Result<void> Cgroup::Attach(pid_t pid) {
  const std::string text = std::to_string(pid);
  for (const CgroupParent& parent : impl_->parents()) {
    TRY(impl_->In(parent).Write("cgroup.procs", text));
  }
  return {};
}

std::optional<int> Cgroup::v2_dir() const {
  if (!impl_->v2_dir_) return std::nullopt;
  return impl_->v2_dir_->get();
}

Result<std::vector<Fd>> Cgroup::OpenEntrances() const {
  std::vector<Fd> entrances;
  for (const CgroupParent& parent : impl_->parents()) {
    if (parent.v2) continue;
    const std::string path = impl_->name_ + "/tasks";
    entrances.push_back(TRY(sys::OpenAt(parent.dir.get(), path.c_str(), O_WRONLY)));
  }
  return entrances;
}

Result<void> Cgroup::Freeze() {
  const CgroupParent* parent = impl_->ParentOf(Controller::kFreezer);
  if (parent == nullptr) return Failure(NoGroup("be paused"));
  return KnobsOf(*parent).freeze(impl_->In(*parent));
}

Result<void> Cgroup::Thaw() {
  const CgroupParent* parent = impl_->ParentOf(Controller::kFreezer);
  if (parent == nullptr) return Failure(NoGroup("be resumed"));
  return KnobsOf(*parent).thaw(impl_->In(*parent));
}

Result<Stats> Cgroup::ReadStats() const {
  Stats stats;
  for (const CgroupParent& parent : impl_->parents()) {
    const CgroupDir dir = impl_->In(parent);
    if (parent.serves.Contains(Controller::kMemory)) {
      TRY(KnobsOf(parent).read_memory(dir, stats));
    }
    if (parent.v2) {
      TRY(v2::ReadCpu(dir, stats));
    } else {
      if (parent.serves.Contains(Controller::kCpu)) TRY(v1::ReadCpu(dir, stats));
      if (parent.serves.Contains(Controller::kCpuacct)) TRY(v1::ReadCpuacct(dir, stats));
    }
    if (parent.serves.Contains(Controller::kPids)) {
      stats.pids = TRY(dir.ReadNumber("pids.current"));
    }
  }
  return stats;
}

Result<void> Cgroup::LiftCpus() {
  const CgroupParent* parent = impl_->ParentOf(Controller::kCpu);
  if (parent == nullptr) return {};
  return KnobsOf(*parent).lift_cpus(impl_->In(*parent));
}

std::vector<CgroupView> Cgroup::Views() const {
  constexpr std::array kShown = {Controller::kMemory, Controller::kCpu, Controller::kCpuacct,
                                 Controller::kPids};
  std::vector<CgroupView> views = impl_->trees_->signs;
  for (const CgroupParent& parent : impl_->parents()) {
    const std::string path = parent.path + "/" + impl_->name_;
    if (parent.v2 && parent.serves.Contains(Controller::kMemory)) return {{path, "", true}};
    if (parent.v2) continue;
    for (const Controller controller : kShown) {
      if (!parent.serves.Contains(controller)) continue;
      views.push_back({path, std::string(ControllerName(controller)), true});
    }
  }
  return views;
}

Result<void> Cgroup::KillAll() {
  // After a crash a group may be in some of the trees only, and without the one to lift the limit
  // in.
  std::vector<CgroupDir> dirs;
  bool can_freeze = false;
  for (const CgroupParent& parent : impl_->parents()) {
    const CgroupDir dir = impl_->In(parent);
    if (!dir.Has("cgroup.procs")) continue;
    if (parent.v2 && dir.Has("cgroup.kill")) {  // 5.14
      TRY(dir.Write("cgroup.kill", "1"));
      (void)LiftCpus();
      return {};
    }
    can_freeze = can_freeze || parent.serves.Contains(Controller::kFreezer);
    dirs.push_back(dir);
  }
  if (dirs.empty()) return Failure(NoGroup("be killed as one"));

  // Frozen, nobody can fork away from the list. Where freezing fails (or is not there), rounds
  // until a list has nobody who is not dying. Who owes time does not freeze either.
  (void)LiftCpus();
  const bool frozen = can_freeze && Freeze().has_value();
  Result<void> killed = KillListed(dirs, frozen ? 1 : kMaxKillRounds);
  if (can_freeze) TRY(Thaw());  // a task frozen in v1 dies only when it runs again
  return killed;
}

Result<void> Cgroup::Remove(Millis patience) {
  for (const CgroupParent& parent : impl_->parents()) {
    TRY(RemoveGroup(impl_->In(parent), patience));
  }
  return {};
}

class CgroupTree::Impl {
 public:
  std::shared_ptr<const CgroupParents> trees;
  CgroupPurpose purpose = CgroupPurpose::kUse;
};

CgroupTree::CgroupTree(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CgroupTree::CgroupTree(CgroupTree&&) noexcept = default;
CgroupTree& CgroupTree::operator=(CgroupTree&&) noexcept = default;
CgroupTree::~CgroupTree() = default;

std::string CgroupParentName(std::string_view state_dir) {
  if (state_dir == kDefaultStateDir) return "cay";
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : state_dir) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "cay-%016" PRIx64, hash);
  return name.data();
}

Result<CgroupTree> CgroupTree::Discover(const CgroupUse& use) {
  auto impl = std::make_unique<Impl>();
  impl->trees = std::make_shared<const CgroupParents>(TRY(FindCgroupParents(use)));
  impl->purpose = use.purpose;
  return CgroupTree(std::move(impl));
}

CgroupLayout CgroupTree::layout() const { return impl_->trees->layout; }

bool CgroupTree::Has(Controller controller) const {
  return impl_->trees->available.Contains(controller);
}

std::string CgroupTree::WhyNot(Controller controller) const {
  if (Has(controller)) return {};
  return impl_->trees->why_not.at(static_cast<size_t>(controller));
}

Result<Cgroup> CgroupTree::Create(const SandboxId& id) {
  if (impl_->purpose == CgroupPurpose::kLook) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                         "a group was to be made in a tree that was opened for looking"));
  }
  const auto& parents = impl_->trees->parents;
  size_t made = 0;
  Result<void> result;
  for (; made < parents.size() && result; ++made) {
    result = sys::MkdirAt(parents[made].dir.get(), id.text().c_str(), 0755);
    if (!result) break;
  }
  auto group = std::make_unique<Cgroup::Impl>(impl_->trees, id.text(), /*fresh=*/true);
  if (result) result = group->OpenV2();
  if (!result) {
    for (size_t i = 0; i < made; ++i) {
      ::unlinkat(parents[i].dir.get(), id.text().c_str(), AT_REMOVEDIR);
    }
    if (result.error().sys_errno() == EEXIST) {
      return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                           "a cgroup of the name " + id.text() + " is there already"));
    }
    return Failure(std::move(result).error().WithContext("making a cgroup"));
  }
  return Cgroup(std::move(group));
}

Result<Cgroup> CgroupTree::Open(const SandboxId& id) {
  const auto& parents = impl_->trees->parents;
  const bool there = std::ranges::any_of(parents, [&](const CgroupParent& parent) {
    return ::faccessat(parent.dir.get(), id.text().c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  });
  if (!there) {
    return Failure(
        Error(ErrorCode::kNotFound, Fault::kCaller, "no cgroup of the name " + id.text()));
  }
  auto group = std::make_unique<Cgroup::Impl>(impl_->trees, id.text(), /*fresh=*/false);
  const Result<void> opened = group->OpenV2();
  // What a crash left may be in some trees only: it can still be killed and removed.
  if (!opened && opened.error().sys_errno() != ENOENT) return Failure(opened.error());
  return Cgroup(std::move(group));
}

Result<Stats> CgroupTree::ReadStats(const SandboxId& id) const {
  const Cgroup group(std::make_unique<Cgroup::Impl>(impl_->trees, id.text(), /*fresh=*/false));
  auto stats = group.ReadStats();
  if (stats || stats.error().sys_errno() != ENOENT) return stats;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "no cgroup of the name " + id.text()));
}

Result<std::optional<uint64_t>> CgroupTree::OomKills(const SandboxId& id) const {
  for (const CgroupParent& parent : impl_->trees->parents) {
    if (!parent.serves.Contains(Controller::kMemory)) continue;
    const CgroupDir dir{parent.dir.get(), id.text()};
    auto kills = KnobsOf(parent).read_oom_kills(dir);
    if (kills || kills.error().sys_errno() != ENOENT) return kills;
    return Failure(
        Error(ErrorCode::kNotFound, Fault::kCaller, "no cgroup of the name " + id.text()));
  }
  if (!Has(Controller::kMemory)) return std::nullopt;
  return Failure(Error(ErrorCode::kNotFound, Fault::kMachine, "there is no parent of cgroups"));
}

Result<std::vector<SandboxId>> CgroupTree::List() const {
  std::vector<SandboxId> ids;
  for (const CgroupParent& parent : impl_->trees->parents) {
    for (const std::string& name : TRY(ListGroups(parent.dir.get()))) {
      if (auto id = SandboxId::Parse(name)) ids.push_back(*std::move(id));
    }
  }
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  return ids;
}

void CgroupTree::RemoveParents() const {
  for (const CgroupParent& parent : impl_->trees->parents) ::rmdir(parent.path.c_str());
}

}  // namespace cay::engine::native
