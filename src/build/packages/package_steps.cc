#include "build/packages/package_steps.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace cay::build {
namespace {

using templates::Template;

constexpr std::string_view kPythonDirectory = "/opt/cay-packages/python";
constexpr std::string_view kNodeDirectory = "/opt/cay-packages/node";
// Of one step alone, on disk.
constexpr std::string_view kScratch = "/var/cache/cay-packages";
constexpr std::string_view kRequirements = "/run/cay-packages/requirements.txt";
constexpr size_t kMaxText = 200;

// "$@" are what was asked for. No package's name is a pattern of others' (APT::Cmd::Pattern-Only).
constexpr const char* kAptScript =
    "set -eu\n"
    "apt-get -q update\n"
    "apt-get -q install -y --no-install-recommends -o APT::Cmd::Pattern-Only=true -- \"$@\"\n"
    "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb "
    "/var/log/apt/* /var/log/dpkg.log\n";
// "$@" is npm with its arguments.
constexpr const char* kNpmScript =
    "set -eu\n"
    "\"$@\"\n"
    "[ -e /node_modules ] || ln -s /opt/cay-packages/node/node_modules /node_modules\n";

// The account's own are root's here.
std::vector<std::string> EnvironmentOf(const Template& base) {
  constexpr std::array<std::string_view, 4> kAccount = {"HOME=", "USER=", "LOGNAME=", "SHELL="};
  std::vector<std::string> env = base.env;
  std::erase_if(env, [&](const std::string& one) {
    return std::ranges::any_of(kAccount,
                               [&](std::string_view name) { return one.starts_with(name); });
  });
  return env;
}

std::string Listed(const std::string& begin, const std::vector<std::string>& words) {
  std::string text = begin;
  for (const std::string& word : words) {
    if (text.size() + word.size() > kMaxText) return text + " …";
    text += " " + word;
  }
  return text;
}

std::vector<std::string> ToldOf(const PackageSet& set, Manager manager) {
  const std::string mark = std::string(ManagerName(manager)) + ":";
  std::vector<std::string> told;
  for (const std::string& one : set.told)
    if (one.starts_with(mark)) told.push_back(one.substr(mark.size()));
  return told;
}

std::optional<std::string> ValueOf(const std::vector<std::string>& env, std::string_view name) {
  for (const std::string& variable : env)
    if (variable.starts_with(name) && variable.substr(name.size()).starts_with('='))
      return variable.substr(name.size() + 1);
  return std::nullopt;
}

class Planner {
 public:
  Planner(const Template& base, Programs programs) : base_(base), programs_(std::move(programs)) {}

  Result<Manager> Usual() {
    if (TRY(FindPip())) return Manager::kPip;
    if (TRY(programs_.Find("npm"))) return Manager::kNpm;
    return Manager::kPip;
  }

  Result<PackageSteps> Plan(PackageSet set) {
    plan_.set = std::move(set);
    path_ = ValueOf(base_.env, "PATH").value_or("");
    if (!plan_.set.apt.empty()) TRY(AddApt());
    if (!plan_.set.npm.empty()) TRY(AddNpm());
    if (!plan_.set.pip.empty()) TRY(AddPip());
    if (path_ != ValueOf(base_.env, "PATH").value_or(""))
      plan_.variables.push_back("PATH=" + path_);
    return std::move(plan_);
  }

 private:
  bool StandsOnMachine() const { return engine::HostLayersOf(base_.root).overlays.size() > 1; }

  // Its layers are those of the base, and where they lie.
  RunStep StepOver() const {
    RunStep step{.env = EnvironmentOf(base_), .cwd = "/", .user = "0"};
    const auto& overlays = engine::HostLayersOf(base_.root).overlays;
    for (size_t i = 1; i < overlays.size(); ++i) {
      step.mounts.push_back({.kind = StepMount::Kind::kLayers,
                             .target = overlays[i].target,
                             .layers = overlays[i].layers,
                             .read_only = true});
    }
    step.network = true;
    return step;
  }

  Error Lacks(std::string_view manager, Remedy remedy) const {
    return Error(ErrorCode::kNotSupported, Fault::kCaller,
                 "the template " + base_.name + " has no " + std::string(manager))
        .WithRemedy(std::move(remedy));
  }

  Result<std::optional<Program>> FindPip() {
    for (const std::string_view name : {"pip3", "pip"}) {
      if (auto found = TRY(programs_.Find(name))) return found;
    }
    return std::nullopt;
  }

  Result<void> AddApt() {
    if (StandsOnMachine()) {
      return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                           "the template " + base_.name +
                               " is this machine's own /usr, which packages of Debian would change")
                         .WithRemedy("use an environment of Debian: " +
                                     Remedy(Action::kBuildEnvironment, "basic")));
    }
    if (!TRY(programs_.Find("apt-get")))
      return Failure(Lacks("apt-get", "use a template of Debian or Ubuntu"));
    PackageStep step{.manager = Manager::kApt, .run = StepOver()};
    step.text = Listed("apt-get install", plan_.set.apt);
    step.run.argv = {"/bin/sh", "-c", kAptScript, "sh"};
    step.run.argv.insert(step.run.argv.end(), plan_.set.apt.begin(), plan_.set.apt.end());
    step.run.env.emplace_back("DEBIAN_FRONTEND=noninteractive");
    plan_.steps.push_back(std::move(step));
    return {};
  }

  Result<void> AddNpm() {
    const auto npm = TRY(programs_.Find("npm"));
    if (!npm) {
      return Failure(Lacks("npm", "use an environment that has it: " +
                                      Remedy(Action::kBuildEnvironment, "node-20")));
    }
    const bool is_locked = !plan_.set.npm_lock.empty();
    const std::string directory(kNodeDirectory);
    PackageStep step{.manager = Manager::kNpm, .run = StepOver()};
    step.text = Listed(is_locked ? "npm ci" : "npm install", ToldOf(plan_.set, Manager::kNpm));
    step.run.cwd = directory;
    step.run.argv = {"/bin/sh",      "-c",        kNpmScript,
                     "sh",           npm->path,   is_locked ? "ci" : "install",
                     "--no-audit",   "--no-fund", "--no-update-notifier",
                     "--no-progress"};
    step.run.files.push_back(
        {.path = directory + "/package.json", .content = plan_.set.npm, .mode = 0644});
    if (is_locked) {
      step.run.files.push_back(
          {.path = directory + "/package-lock.json", .content = plan_.set.npm_lock, .mode = 0644});
    }
    step.run.env.push_back("NPM_CONFIG_CACHE=" + std::string(kScratch));
    plan_.steps.push_back(std::move(step));
    path_ = directory + "/node_modules/.bin" + (path_.empty() ? "" : ":" + path_);
    return {};
  }

  Result<void> AddPip() {
    const auto pip = TRY(FindPip());
    if (!pip) {
      return Failure(Lacks("pip", "use an environment that has it: " +
                                      Remedy(Action::kBuildEnvironment, "python-3.11")));
    }
    PackageStep step{.manager = Manager::kPip, .run = StepOver()};
    step.text = Listed("pip install", ToldOf(plan_.set, Manager::kPip));
    step.run.argv = {pip->path,
                     "install",
                     "--no-input",
                     "--disable-pip-version-check",
                     "--progress-bar=off",
                     "--no-cache-dir",
                     "-r",
                     std::string(kRequirements)};
    std::string lines;
    for (const std::string& line : plan_.set.pip) lines += line + "\n";
    step.run.files.push_back(
        {.path = std::string(kRequirements), .content = std::move(lines), .mode = 0644});
    step.run.env.emplace_back("PIP_ROOT_USER_ACTION=ignore");
    if (StandsOnMachine()) {
      const std::string directory(kPythonDirectory);
      step.run.argv.insert(step.run.argv.begin() + 2, {"--target", directory});
      path_ = directory + "/bin" + (path_.empty() ? "" : ":" + path_);
      const std::string before = ValueOf(base_.env, "PYTHONPATH").value_or("");
      plan_.variables.push_back("PYTHONPATH=" + directory + (before.empty() ? "" : ":" + before));
    } else {
      step.run.user = std::to_string(pip->uid) + ":" + std::to_string(pip->gid);
      // PEP 668: this environment is the template's own, and nobody else's.
      step.run.env.emplace_back("PIP_BREAK_SYSTEM_PACKAGES=1");
    }
    plan_.steps.push_back(std::move(step));
    return {};
  }

  const Template& base_;
  Programs programs_;
  PackageSteps plan_{};
  std::string path_{};
};

}  // namespace

Result<PackageSteps> PlanPackages(const AskedPackages& asked, std::optional<Manager> usual,
                                  const Template& base) {
  Planner planner(base, TRY(Programs::Of(base)));
  if (!usual) usual = HasUnmarked(asked) ? TRY(planner.Usual()) : Manager::kPip;
  return planner.Plan(TRY(ReadPackages(asked, *usual)));
}

std::vector<std::string> PresetsOf(const PackageSteps& plan) {
  std::vector<std::string> presets;
  if (plan.set.Has(Manager::kApt)) presets = {"debian", "ubuntu"};
  if (plan.set.Has(Manager::kNpm)) presets.emplace_back("npm");
  if (plan.set.Has(Manager::kPip)) presets.emplace_back("pypi");
  return presets;
}

}  // namespace cay::build
