// LauncherLink: a launcher process of ours and the line to it.
//
//   auto link = TRY(LauncherLink::Start(options));
//   auto answer = link->Ask(request);       // Packet
//   if (link->broken()) link.reset();       // it is gone, or does not keep to the protocol
//
// Not thread-safe.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/os/paths.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/engine.h"
#include "engine/native/ipc/packet.h"
#include "engine/native/launcher/share.h"
#include "engine/native/spawn/guest_image.h"

namespace cay::engine::native {

struct NativeEngineOptions {
  Paths paths;
  // Executed as `PATH launcher`, with its end of the control socket as standard input.
  std::string launcher_path = "/proc/self/exe";
  size_t netns_pool = 1;  // of each launcher, at most 1024
  // Processes that make sandboxes, 1 to kMaxLaunchers: each has its share of them (share.h).
  size_t launchers = 1;
  // For one ephemeral sandbox and not for long: takes over no persistent ones, and starts no other
  // launcher when this one dies.
  bool one_shot = false;
  // The caller knows that no other engine has the state directory: see LauncherOptions.
  bool sole = false;
  // How long the launcher may take for one request. One that takes longer is taken to hang: it is
  // killed, and another is started.
  Millis patience{60'000};
  // The limits of the sandbox on disk that will be asked for first: see LauncherOptions.
  std::optional<Limits> disk_ahead = std::nullopt;
  // What Probe and Evaluate (probe/) found, for NativeEngine::Diagnose. They fork, and must not be
  // called where there are threads: whoever starts the engine calls them before.
  std::optional<Diagnosis> diagnosis = std::nullopt;
  // Not null: the launcher is forked from this process, which must have one thread, and runs this
  // for its guests (launcher.h). It starts with this process's memory, except arguments and
  // environment: nothing secret may be in it.
  GuestMain fork_with_guest = nullptr;
};

class LauncherLink {
 public:
  // In milliseconds; another thread that has it may lower it during a wait.
  using Patience = std::atomic<Millis::rep>;

  // Does not wait for the launcher to be ready: the first Ask does. `patience` outlives the link.
  static Result<std::unique_ptr<LauncherLink>> Start(const NativeEngineOptions& options,
                                                     Share share, const Patience& patience);

  // Hangs up, upon which the launcher ends its ephemeral sandboxes and itself.
  void HangUp();
  // Hangs up, if that was not done before. Then waits for the launcher to end, and kills it when
  // that takes longer than `patience`; a forked launcher is not waited for: it needs some
  // milliseconds more to give back what destroyed sandboxes had.
  ~LauncherLink();
  LauncherLink(const LauncherLink&) = delete;
  LauncherLink& operator=(const LauncherLink&) = delete;

  // The body of a reply without its leading `true`, or the error in it. kUnavailable when the
  // launcher died, or did not answer in time and was killed.
  Result<Packet> Ask(std::string_view request);

  // After an Ask that failed: the line is of no use any more.
  bool broken() const { return broken_; }
  // … and the launcher never got the request.
  bool unsent() const { return unsent_; }

  pid_t launcher() const { return launcher_; }

 private:
  LauncherLink(pid_t launcher, Fd control, bool awaited, const Patience& patience)
      : launcher_(launcher), control_(std::move(control)), awaited_(awaited), patience_(patience) {}
  Result<Packet> Receive(Millis at_least = Millis(0));
  Result<void> AwaitAnswer(Millis at_least);
  Error Hung();

  pid_t launcher_;
  Fd control_;
  const bool awaited_;
  const Patience& patience_;
  bool greeted_ = false;
  std::optional<std::chrono::steady_clock::time_point> hung_up_;
  bool broken_ = false;
  bool unsent_ = false;
};

}  // namespace cay::engine::native
