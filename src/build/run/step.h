// What a RUN is, when everything it names has been looked up: values that StepRunner
// (step_runner.h) takes and gives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/engine.h"
#include "guest_link/process_stream.h"
#include "template/layers/written_layer.h"

namespace cay::build {

// Files that a step sees and its layer does not have. Targets are absolute, and without symlinks.
struct StepMount {
  enum class Kind : uint8_t { kLayers, kTmpfs };
  Kind kind = Kind::kLayers;
  std::string target{};
  std::vector<std::string> layers{};  // of kLayers: root directories, the topmost first
  bool read_only = false;             // of kLayers
  Bytes size = 0;                     // of kTmpfs
  std::string keep_into{};  // of kLayers: where what the step writes there is copied, an empty
                            // directory; empty: it goes with the step
};

// A file of the step alone, which lies in memory. In the layer nothing of it is left.
struct StepSecret {
  std::string target{};  // absolute, and without symlinks; empty: it is a variable only
  std::string content{};
  uint32_t mode = 0400;
  uint32_t uid = 0;
  uint32_t gid = 0;
};

struct StepFile {
  std::string path{};  // absolute, and without symlinks but those of this layer
  std::string content{};
  std::shared_ptr<const Fd> source{};  // has the content, where it is not null
  mode_t mode = 0755;
};
inline constexpr Bytes kMaxStepFile = 8 * kGiB;

struct RunStep {
  std::vector<std::string> argv{};
  std::vector<std::string> env{};  // "NAME=value"; the user's HOME is added where it has none
  std::string cwd = "/";           // made if it is not there
  std::string user = "root";
  std::vector<StepFile> files{};  // of this step alone: the layer does not have them
  std::vector<StepMount> mounts{};
  std::vector<StepSecret> secrets{};
  bool network = false;
};

// How it ended, when it was started.
struct StepEnd {
  int exit_code = 0;  // when `signal` is 0
  int signal = 0;
  bool timed_out = false;
  bool oom_killed = false;
  bool disk_full = false;
  templates::WrittenReport written{};            // of its layer, when it succeeded
  std::vector<templates::WrittenReport> kept{};  // of each mount with keep_into, in order

  bool succeeded() const { return exit_code == 0 && signal == 0 && !timed_out; }
};

// How the networks of steps are served. Thread-safe.
class StepNetwork {
 public:
  virtual ~StepNetwork() = default;
  virtual Result<void> Open(const SandboxId& sandbox, engine::NetworkSockets sockets) = 0;
  virtual void Close(const SandboxId& sandbox) = 0;
};

// What a step writes; calls come from the thread that runs it.
using StepOutput = std::function<void(OutputStream stream, std::string_view bytes)>;

}  // namespace cay::build
