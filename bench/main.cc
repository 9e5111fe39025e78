// cay-bench: measures Cay beside its peers, in one run, and says which budgets are met.
//
//   cay-bench --cay build/bench/cay create exec --json bench.json
//   cay-bench --cay build/bench/cay http          (all that begin with http-)
//   cay-bench --cay build/bench/cay http-queue --go-judge http://127.0.0.1:5050
//   cay-bench --cay build/bench/cay network-create --before /usr/local/bin/cay
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "base/units.h"
#include "cases/cases.h"

namespace cay::bench {

std::span<const Case> AllCases() {
  static constexpr std::array<Case, 14> kCases{{{"create", MeasureCreate},
                                                {"exec", MeasureExec},
                                                {"parallel", MeasureParallel},
                                                {"memory", MeasureMemory},
                                                {"stream", MeasureStream},
                                                {"http-latency", MeasureHttpLatency},
                                                {"http-load", MeasureHttpLoad},
                                                {"http-queue", MeasureHttpQueue},
                                                {"http-bytes", MeasureHttpBytes},
                                                {"http-idle", MeasureHttpIdle},
                                                {"snapshot", MeasureSnapshot},
                                                {"network-speed", MeasureNetworkSpeed},
                                                {"network-create", MeasureNetworkCreate},
                                                {"network-memory", MeasureNetworkMemory}}};
  return kCases;
}

namespace {

struct Options {
  std::vector<std::string> names;
  std::string cay;
  std::string json;
  std::string go_judge;
  std::string before;
  std::string probe;  // beside this program
  bool docker = false;
  int rounds = 200;
};

// `http` names all that begin with `http-`.
bool Names(std::string_view group, std::string_view name) {
  return name == group || (name.starts_with(group) && name.substr(group.size()).starts_with('-'));
}

bool Wanted(const Options& options, std::string_view name) {
  return options.names.empty() || std::ranges::any_of(options.names, [&](const std::string& group) {
           return Names(group, name);
         });
}

Result<void> Measure(const Options& options, Report& report) {
  const WorkDirectory work = TRY(WorkDirectory::Make());
  Island island = TRY(Island::Start(work.path() + "/cay", options.cay));
  Context context{.island = island,
                  .work = work,
                  .cay = options.cay,
                  .docker = options.docker,
                  .rounds = options.rounds,
                  .go_judge = options.go_judge,
                  .before = options.before,
                  .probe = options.probe,
                  .report = report};
  for (const Case& each : AllCases()) {
    if (!Wanted(options, each.name)) continue;
    std::fprintf(stderr, "measuring %.*s\n", static_cast<int>(each.name.size()), each.name.data());
    TRY(each.measure(context));
  }
  return {};
}

constexpr const char* kUsage =
    "usage: cay-bench --cay PROGRAM [NAME…] [--docker] [--rounds N] [--json FILE]\n"
    "                 [--go-judge URL] [--before PROGRAM]\n";

Result<Options> Parse(std::span<char* const> arguments) {
  Options options;
  options.probe = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "cay-bench-probe";
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const auto value = [&]() -> Result<std::string> {
      if (++i < arguments.size()) return std::string(arguments[i]);
      return Failure(Error::Invalid(std::string(argument) + " wants a value"));
    };
    if (argument == "--docker") {
      options.docker = true;
    } else if (argument == "--cay") {
      options.cay = TRY(value());
    } else if (argument == "--json") {
      options.json = TRY(value());
    } else if (argument == "--go-judge") {
      options.go_judge = TRY(value());
    } else if (argument == "--before") {
      options.before = TRY(value());
    } else if (argument == "--rounds") {
      options.rounds = static_cast<int>(TRY(ParseUnsigned(TRY(value()), 100'000)));
    } else if (std::ranges::any_of(AllCases(),
                                   [&](const Case& each) { return Names(argument, each.name); })) {
      options.names.emplace_back(argument);
    } else {
      return Failure(Error::Invalid("there is no case or option " + std::string(argument)));
    }
  }
  if (options.cay.empty()) return Failure(Error::Invalid("--cay is missing"));
  return options;
}

int Complain(const Error& error) {
  std::fprintf(stderr, "cay-bench: %s\n", error.ToString().c_str());
  return 1;
}

int Main(std::span<char* const> arguments) {
  const Result<Options> options = Parse(arguments);
  if (!options) {
    std::fputs(kUsage, stderr);
    return Complain(options.error());
  }
  Report report;
  const Result<void> measured = Measure(*options, report);
  report.PrintTable(stdout);
  if (!measured) return Complain(measured.error());
  if (options->json.empty()) return 0;
  if (const Result<void> written = report.WriteJson(options->json); !written) {
    return Complain(written.error());
  }
  return 0;
}

}  // namespace
}  // namespace cay::bench

int main(int argc, char** argv) { return cay::bench::Main({argv, static_cast<size_t>(argc)}); }
