// Build: a Dockerfile and its context become a template.
//
//   BuildRequest request{.names = {"app"}, .dockerfile = text};
//   request.context = std::make_shared<Fd>(…);
//   const BuildEnd end = TRY(Build({.store = store, .engine = *engine, .find_base = find}, request,
//                                  watch, stop));
//   if (end.failure) …                     // a RUN failed: what it was, and the end of its output
//
// The language is that of template/dockerfile/. Stages that the target needs are built, those that
// do not need each other at the same time. Each RUN is done in a sandbox of its own (run/), COPY
// and ADD by copying (copy/). What steps made is kept, and found again by all that it depends on
// (cache/): by this owner's builds alone. However a build ends, what was finished of it is kept.
//
// Not supported, and said so where it is asked for: RUN --mount=type=ssh, --network=host,
// --security=insecure; setuid bits and devices in layers (decisions 0046 and 0047).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/string_map.h"
#include "build/build_event.h"
#include "build/run/step_runner.h"
#include "build/stop.h"
#include "template/dockerfile/patterns/ignore.h"
#include "template/oci/platform.h"
#include "template/store/built_layers.h"
#include "template/store/template_store.h"

namespace cay::build {

inline constexpr size_t kMaxStepsAtATime = 16;
inline constexpr const char* kThisProgram = "/proc/self/exe";
inline constexpr Bytes kMaxSecret = 512 * kKiB;  // of each

// The template that a FROM, a --from names: it is here already, or brought here. `platform`: what
// was asked for; nothing: this machine's. Calls come one at a time.
using FindBase = std::function<Result<templates::KeptTemplate>(
    const std::string& image, const std::optional<templates::oci::Platform>& platform)>;

struct BuildMachine {
  templates::TemplateStore& store;
  engine::Engine& engine;
  StepNetwork* network = nullptr;  // null: no step has a network
  FindBase find_base{};
  // A file of the program that, started as `PROGRAM build-download` (fetch/download_process.h),
  // fetches what ADD names by a URL: kThisProgram for `cay`. Empty: ADD takes no URLs.
  std::string downloader{};
};

struct BuildRequest {
  std::vector<std::string> names{};  // of the template (template_name.h), each replaced if it is
                                     // there; none: what is built is named by what it is made of
  std::string dockerfile{};          // its text
  std::string file_name = "Dockerfile";  // for messages
  std::shared_ptr<const Fd> context{};   // a directory
  templates::dockerfile::IgnorePatterns ignore{};
  std::string target{};  // a stage; empty: the last
  StringMap build_args{};
  StringMap labels{};   // beside those of LABEL
  StringMap secrets{};  // contents by their ids
  // What steps with a network trust (PEM), at most kMaxSecret; empty: what their layers say. A step
  // that was done before is not done again for another.
  std::string authorities{};
  std::string owner{};  // whose cache is used; empty: whoever uses this machine
  std::optional<templates::oci::Platform> platform{};
  bool no_cache = false;
  StepLimits limits{};
  Bytes max_bytes = 0;   // of content that all steps write together; 0: any
  size_t at_a_time = 2;  // stages: 1 to kMaxStepsAtATime
  // What builds leave for later ones.
  templates::BuiltBounds keep{.max_bytes = 20 * kGiB, .max_age = Millis(30LL * 24 * 3'600'000)};
};

// A RUN that did not succeed.
struct StepFailure {
  StepLabel step{};
  StepEnd end{};
  std::string output_end{};  // of both streams, at most kMaxOutputEnd
};
inline constexpr Bytes kMaxOutputEnd = 16 * kKiB;

struct BuildEnd {
  std::vector<templates::TemplateInfo> made{};  // of each name; none where it failed
  std::optional<StepFailure> failure{};
  uint64_t steps = 0;   // that make layers
  uint64_t cached = 0;  // of these
};

// kInvalidArgument for what is wrong with the Dockerfile, naming the line; those of its parts;
// kUnavailable with ECANCELED when it was stopped. Blocking; `watch` may be empty.
Result<BuildEnd> Build(const BuildMachine& machine, const BuildRequest& request,
                       const BuildWatch& watch, const StopTimer& stop);

}  // namespace cay::build
