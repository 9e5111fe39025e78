#include "cli/packages/packages_here.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>

#include "base/os/file.h"
#include "base/text.h"
#include "build/packages/derive.h"
#include "cli/frame/console.h"
#include "cli/local/forked_guest.h"
#include "cli/steps/build_network.h"
#include "cli/steps/build_printer.h"
#include "cli/steps/stop_at_signal.h"
#include "engine/factory/factory.h"
#include "sandbox/secrets/trust.h"

namespace cay::cli {
namespace {

using build::AskedPackages;
using templates::Template;

Result<void> CheckMayDerive() {
  if (::geteuid() == 0) return {};
  return Failure(
      Error(ErrorCode::kNotSupported, Fault::kCaller,
            "packages are installed in templates as root: managers change owners, and a sandbox "
            "that an ordinary user makes has a single user")
          .WithRemedy("run it as root, or on a server"));
}

network::Spec NetworkOf(const build::PackageSteps& plan, const PackageOptions& options) {
  return {.mode = network::Mode::kAllow, .allow = options.allow, .presets = build::PresetsOf(plan)};
}

build::DeriveOptions DeriveOptionsOf(const PackageOptions& options, std::string authorities) {
  build::DeriveOptions derive{.authorities = std::move(authorities), .env = options.env};
  const size_t processors = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 1000);
  derive.limits.limits.cpus = static_cast<MilliCpus>(processors * 1000);
  return derive;
}

Result<void> Build(templates::TemplateStore& store, const build::DerivePlan& plan,
                   const Paths& paths, const PackageOptions& options, const Ways& ways,
                   bool quiet) {
  TRY(CheckMayDerive());
  std::string authorities = TRY(sandbox::ReadTrusted(options.authorities, build::kMaxSecret));
  const auto network = TRY(BuildNetwork::Start(NetworkOf(plan.packages, options), ways));
  engine::EngineOptions engine_options;
  engine_options.paths = paths;
  engine_options.one_shot = true;
  engine_options.fork_with_guest = ForkedGuest();
  const auto engine = TRY(engine::Make(engine::kUsualEngine, engine_options));
  ::signal(SIGPIPE, SIG_IGN);
  StopTimer stop = TRY(StopTimer::Make());
  const auto signals = TRY(StopAtSignal::Begin(stop));
  // Standard output is the command's.
  BuildPrinter printer(quiet ? BuildProgress::kQuiet : BuildProgress::kAuto);
  const build::BuildMachine machine{.store = store, .engine = *engine, .network = network.get()};
  const auto end = build::Derive(
      machine, plan, DeriveOptionsOf(options, std::move(authorities)),
      [&](const build::BuildEvent& event) { printer.Take(event); }, stop);
  printer.Clear();
  if (!end && signals->signal() != 0) {
    Error stopped(ErrorCode::kUnavailable, Fault::kCaller,
                  "installing the packages was stopped; what was finished is kept");
    stopped.set_sys_errno(ECANCELED);
    return Failure(std::move(stopped));
  }
  if (!end) return Failure(end.error());
  if (!end->failure) return {};
  for (const std::string& denied : network->Denied()) Note("network: " + denied);
  return Failure(build::PackageError(*end->failure));
}

}  // namespace

Result<void> AddPackages(AskedPackages& asked, std::string_view value) {
  // "celery[redis,auth],pandas>=2,<3": a comma within brackets, or before a comparison, is a
  // package's own.
  std::string one;
  int brackets = 0;
  const auto add = [&]() -> Result<void> {
    const std::string word(Trim(one));
    one.clear();
    if (word.empty())
      return Failure(Error::Invalid("\"" + std::string(value.substr(0, 80)) +
                                    "\" has a comma that no package is before or after"));
    asked.packages.push_back(word);
    return {};
  };
  for (size_t i = 0; i < value.size(); ++i) {
    brackets += value[i] == '[' || value[i] == '(' ? 1 : 0;
    brackets -= value[i] == ']' || value[i] == ')' ? 1 : 0;
    const std::string_view rest = Trim(value.substr(i + 1));
    const bool goes_on = !rest.empty() && std::string_view("<>=!~").contains(rest.front());
    if (value[i] != ',' || brackets > 0 || goes_on) {
      one += value[i];
      continue;
    }
    TRY(add());
  }
  return add();
}

Result<void> AddPackageFile(AskedPackages& asked, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  std::string* into = &asked.requirements;
  Bytes most = AskedPackages::kMaxRequirements;
  if (name.ends_with("package-lock.json")) {
    into = &asked.package_lock;
    most = AskedPackages::kMaxPackageLock;
  } else if (name.ends_with(".json")) {
    into = &asked.package_json;
    most = AskedPackages::kMaxPackageJson;
  }
  std::string text = TRY(ReadFile(path, most));
  if (into != &asked.requirements && !into->empty())
    return Failure(Error::Invalid(path + ": there was a file of its kind already"));
  *into += into->empty() ? std::move(text) : "\n" + text;
  return {};
}

Result<void> AddPackagesEnv(PackageOptions& options, std::string_view value) {
  const size_t equals = value.find('=');
  if (equals == 0 || equals == std::string_view::npos)
    return Failure(
        Error::Invalid("\"" + std::string(value.substr(0, 80)) + "\" is not NAME=VALUE"));
  options.env.emplace_back(value);
  return {};
}

Result<Template> WithPackages(templates::TemplateStore& store, const Template& base,
                              const Paths& paths, const PackageOptions& options, const Ways& ways,
                              bool quiet) {
  const build::DerivePlan plan = TRY(build::PlanDerive(base, options.asked, {}));
  if (!store.HasDerived(plan.name, plan.key)) TRY(Build(store, plan, paths, options, ways, quiet));
  return store.Find(plan.name);
}

}  // namespace cay::cli
