// FetchStep: what an ADD names by a URL is fetched by programs of this machine, in a sandbox of its
// own: of the `host` template, with the limits of a step, and with the very network that a RUN of
// the build has (decision 0051). So whatever a RUN does not reach is not reached here, and what a
// server sends is read by nobody outside of that sandbox before it is a layer's files.
//
//   FetchStep fetch(tools, step, "https://example.org/x");
//   const FetchEnd end = TRY(fetch.Run(on_line));
//   if (!end.end.succeeded()) return Failure(fetch.ErrorOf(end));
//   … OpenLayerRoot(end.layer.root()), and in it kFetchedDirectory …
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "build/run/step.h"
#include "build/run/step_runner.h"
#include "build/stop.h"
#include "template/store/template_store.h"

namespace cay::build {

// A single ADD may take so long, or as long as a step where that is shorter.
inline constexpr Millis kMaxFetchTime{3'600'000};
// Where a fetching command is started; absolute without the slash, as layers name it.
inline constexpr std::string_view kFetchedDirectory = "fetched";

// What fetching stands on. All outlive it.
struct FetchTools {
  engine::Engine& engine;
  templates::TemplateStore& store;
  StepNetwork* network = nullptr;  // null: nothing can be fetched
  const StepLimits& limits;        // of steps
  const std::string& authorities;  // BuildRequest::authorities
  std::string downloader{};        // BuildMachine::downloader
  const StopTimer& stop;
  // What is told of it; may be empty. Called by the thread that fetches.
  std::function<void(const std::string& text)> note{};
};

struct FetchEnd {
  StepEnd end{};
  templates::NewLayer layer;          // what it wrote; of use where it succeeded
  std::vector<std::string> errors{};  // the last lines of standard error
};

// Of a line, without its end: cut into pieces of at most kMaxFetchLine.
using FetchLine = std::function<void(std::string_view line)>;
inline constexpr size_t kMaxFetchLine = 16 * kKiB;

// `step`: with its command, variables and secrets; the rest is given here. kNotSupported where the
// build has no network. `out` gets lines of standard output. Blocking.
Result<FetchEnd> RunFetch(const FetchTools& tools, RunStep step, const FetchLine& out);

// Why one that did not succeed did not, as far as its end says it. `shown`: what was fetched.
Error FetchError(const FetchTools& tools, const FetchEnd& end, const std::string& shown);

// Something was not reached: what may be wrong with the network, for whoever began the build.
Error&& WithNetworkRemedy(Error&& error);

// Gathers lines of pieces. Ends are "\n" and "\r".
class FetchLines {
 public:
  explicit FetchLines(const FetchLine& take) : take_(take) {}
  void Add(std::string_view bytes);
  void Finish();

 private:
  const FetchLine& take_;
  std::string line_{};
};

}  // namespace cay::build
