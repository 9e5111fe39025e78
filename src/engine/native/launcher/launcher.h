// Launcher: what makes, changes and ends sandboxes on this machine: the privileged part of the
// native engine. Single-threaded, without secrets in its memory, usually a process of its own
// (launcher_server.h); tests use it in theirs.
//
//   Launcher launcher = TRY(Launcher::Open({.paths = paths}));
//   Created created = TRY(launcher.Create(request));
//   TRY(launcher.Destroy(request.id));
//
// It owns the sandboxes whose directories it has locked: those it made, and the persistent ones of
// a launcher that is gone, which it adopts at Open. Descriptors 0 to 3 of its process belong to
// nobody (see Open).
#pragma once

#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/os/paths.h"
#include "engine/engine.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/cgroup/cgroup_lease.h"
#include "engine/native/ids/id_range.h"
#include "engine/native/launcher/janitor.h"
#include "engine/native/launcher/launcher_lock.h"
#include "engine/native/launcher/scratch_maker.h"
#include "engine/native/launcher/share.h"
#include "engine/native/record/sandbox_dir.h"
#include "engine/native/spawn/guest_image.h"
#include "engine/native/spawn/netns.h"
#include "engine/native/spawn/spawn.h"

namespace cay::engine::native {

struct LauncherOptions {
  Paths paths;
  size_t netns_pool = 1;  // network namespaces kept ready
  // No persistent sandboxes are taken over, and nothing is made ahead except for the first sandbox.
  bool one_shot = false;
  // It takes over the persistent sandboxes of its share, and is asked only for sandboxes of its
  // share.
  Share share{};
  // There must be no other launcher that takes over sandboxes of the share: one that is there, and
  // does not end, is killed (launcher_lock.h).
  bool sole = false;
  // The limits of a sandbox on disk that will be asked for: its writable layer is begun at once.
  std::optional<Limits> disk_ahead = std::nullopt;
  // Null: every guest is executed from an image. Otherwise those of root's sandboxes are forked
  // from the launcher, which takes a third of the time: an ordinary user's might write to the file
  // of the program that they are then a part of.
  GuestMain guest = nullptr;
};

class Launcher {
 public:
  static Result<Launcher> Open(LauncherOptions options);

  // Gives back what Destroy left for later. Sandboxes that were not destroyed stay as they are.
  ~Launcher();
  Launcher(Launcher&&) noexcept = default;
  Launcher& operator=(Launcher&&) noexcept = delete;

  Result<Created> Create(const CreateRequest& request);
  Result<void> Destroy(const SandboxId& id);
  Result<void> Stop(const SandboxId& id);
  Result<Created> Start(const SandboxId& id);
  Result<Created> Reset(const SandboxId& id, const std::optional<RootFilesystem>& root = {});
  Result<Created> Visit(const SandboxId& id);
  Result<void> EndVisit(const SandboxId& id);
  Result<void> Pause(const SandboxId& id);
  Result<void> Resume(const SandboxId& id);
  Result<void> Update(const SandboxId& id, const Limits& limits);
  Result<Stats> GetStats(const SandboxId& id);
  Result<Fd> Connect(const SandboxId& id);
  Result<Fd> Watch(const SandboxId& id);
  Result<NetworkSockets> OpenNetwork(const SandboxId& id);
  Result<WrittenLayers> OpenWritten(const SandboxId& id);
  Result<void> HoldStill(const SandboxId& id);
  Result<void> GoOn(const SandboxId& id);
  Result<Exit> GetExit(const SandboxId& id);
  Result<std::vector<SandboxStatus>> List();
  Result<void> Disown(const SandboxId& id);
  Result<void> AdoptOrphan(const SandboxId& id);

  // Destroys every ephemeral sandbox: their owner is gone.
  void DestroyEphemeral();

  // One piece of work made ahead of demand; false when there is none. For moments without requests.
  bool DoIdleWork();

  // Tells the workers what to make for the next sandbox. Quick: for the moment after an answer.
  void OrderAhead();

  // Whether a network was opened since it was asked for last.
  bool TakeHasOpenedNetwork() { return std::exchange(network_opened_, false); }

  bool one_shot() const { return options_.one_shot; }
  // Whether so much work was left for idle moments that it must be done without waiting for one.
  bool IsBehind() const { return doomed_.size() + spent_.size() > kMaxBehind; }

  // Whether more is kept ready than is worth keeping when no sandbox is asked for for a while:
  // without sandboxes anything, otherwise what a burst has had made. And the letting go of it.
  bool HoldsAhead() const;
  void LetGoOfAhead();

  // Whether there may be more loop devices than will be needed. Has some of them removed by the
  // janitor.
  bool MayHaveSpareLoops() const { return loops_spent_; }
  void RemoveSpareLoops();

 private:
  // Destroyed sandboxes whose resources are still to be given back.
  static constexpr size_t kMaxBehind = 16;
  static constexpr size_t kNetworksAhead = 1;  // at rest

  struct Sandbox {
    Sandbox(Record sandbox_record, SandboxDir sandbox_dir)
        : record(std::move(sandbox_record)), dir(std::move(sandbox_dir)) {}

    Record record;
    SandboxDir dir;
    State state = State::kRunning;
    std::optional<Fd>
        pidfd;  // of the guest, while there is one; of a stopped one, while it is visited
    std::optional<Fd> scratch_mount;  // keeps a tmpfs while stopped, and the cost of unmounting off
                                      // Destroy's path
    std::optional<dev_t> loop_device;   // its image was mounted from; null: not known
    std::optional<Fd> mount_namespace;  // of the guest; null: adopted
    std::optional<Fd> scratch_of_user;  // what an ordinary user's child has mounted; null: adopted
    std::optional<Cgroup> cgroup;
    bool adopted = false;  // the guest is no child of ours
    bool still = false;    // it is held still
    bool unseen = false;   // adopted, and whether its guest lives is not known
    int busy_tries = 0;    // so often its groups could not be removed
    Exit exit;
  };

  Launcher(LauncherOptions options, CgroupTree cgroups, std::optional<IdRangeAllocator> ids,
           std::optional<NetnsPool> netns, GuestEntry guest, CgroupLease lease,
           ScratchMaker scratch_maker);

  // launcher.cc: beginnings.
  Result<std::vector<NotEnforced>> CheckEnforceable(const CreateRequest& request) const;
  Result<Scratch> ChooseScratch(const CreateRequest& request) const;
  static Result<void> CheckVolumes(const CreateRequest& request);
  Result<void> Prepare(Sandbox& sandbox, StageLaps& stage_us, Stopwatch& watch);
  Result<void> MakeScratch(Sandbox& sandbox);
  Result<void> MountScratch(Sandbox& sandbox);
  Result<std::string> InsidePrograms();
  Result<void> BeginToAttachLayers();
  // `network`: null, or where its sockets are put.
  Result<void> SpawnGuest(Sandbox& sandbox, StageLaps& stage_us,
                          std::optional<NetworkSockets>* network = nullptr);
  Result<NetworkSockets> OpenNetworkOf(const Fd& pidfd);
  using Undo = Result<void> (Launcher::*)(const SandboxId& id);
  Result<Created> WithGuest(Created created, const SandboxId& id, Undo undo);
  Result<void> MakeGroup(Sandbox& sandbox);
  static void Commit(Sandbox& sandbox, Record next);
  static Result<void> PreparePaused(const Sandbox& sandbox, bool paused);
  static Result<void> NotePaused(Sandbox& sandbox, bool paused);
  Result<Sandbox*> Find(const SandboxId& id);
  Result<Sandbox*> FindIn(const SandboxId& id, std::initializer_list<State> states);

  // launcher_restart.cc: beginnings over what is there.
  static Result<void> CheckWhole(const Sandbox& sandbox);
  Result<void> ClearAway(Sandbox& sandbox);
  Result<Created> CheckBeforeGuest(const Sandbox& sandbox) const;
  Result<void> BeginAgain(Sandbox& sandbox, Record next, StageLaps& stage_us);
  Result<void> EndSpentVisit(Sandbox& sandbox);
  static void LetGoOfFiles(Sandbox& sandbox);
  Result<std::optional<UnnamedScratch>> MakeFreshScratch(const Sandbox& sandbox,
                                                         const CreateRequest& request);
  Result<void> ReplaceScratch(Sandbox& sandbox, std::optional<UnnamedScratch> fresh);

  // launcher_end.cc: ends, and what is seen from outside.
  enum class Ending { kForGood, kToStartAgain };
  static bool AwaitDeath(Sandbox& sandbox, Ending ending);
  Result<void> EndGuest(Sandbox& sandbox, Ending ending);
  Result<void> EndAdopted(Sandbox& sandbox);
  void NoteExit(Sandbox& sandbox);
  struct Scratched {
    Fd mount;
    int64_t id_offset;  // WrittenLayers::id_offset
  };
  static Result<Scratched> ScratchToRead(Sandbox& sandbox);
  void Discard(Sandbox sandbox, Millis patience = Millis(0));
  void GiveBack(Sandbox sandbox);
  bool CleanUp();
  bool IsDoomed(const SandboxId& id) const;

  // launcher_adopt.cc: what an earlier launcher left.
  Result<void> AdoptAll();
  Result<void> DestroyUnowned(const SandboxId& id);
  Result<SandboxDir> ClaimFromTheDead(const SandboxId& id, Millis& patience) const;
  Result<Sandbox> Adopt(const SandboxId& id, SandboxDir dir);
  void TakeOver(const SandboxId& id, Sandbox adopted);

  // launcher_ahead.cc: what is made ahead, and what is left for after.
  Result<SandboxDir> MakeDir(const SandboxId& id);
  struct ReadyNetwork {
    Fd netns;
    NetworkSockets sockets;
  };
  std::optional<ReadyNetwork> TakeReadyNetwork();
  void LetGoLater(std::vector<Fd> spent);
  void LetGoOfAllAhead();

  LauncherOptions options_;
  CgroupTree cgroups_;
  std::unique_ptr<CgroupLease> lease_;   // null: moved away
  std::optional<LauncherLock> sole_;     // where options_.sole
  std::optional<IdRangeAllocator> ids_;  // root only
  std::optional<NetnsPool> netns_;       // root only
  GuestEntry guest_;
  Janitor janitor_;
  ScratchMaker scratch_maker_;
  std::vector<Fd> spent_;  // to be closed in a moment without requests
  std::optional<Limits>
      disk_ahead_;  // those that the next sandbox on disk is expected to have; null:
                    // none was made since the last rest
  std::string staging_dir_;
  std::optional<Fd> suid_dumpable_;  // /proc/sys/fs/suid_dumpable, where there is one
  bool attach_layers_ = false;
  std::string inside_programs_;          // "": not made yet (inside_programs.h)
  bool loops_spent_ = false;             // since the last look at what there is of loop devices
  size_t spare_loops_ = SIZE_MAX;        // at that look
  bool has_made_ = false;                // a sandbox, since it was opened
  std::optional<SandboxDir> dir_ahead_;  // for the next sandbox
  bool dir_wanted_ = false;              // the last one was used
  // Of networks that are open; null until one is asked for, and when there are no sandboxes.
  std::optional<NetnsPool> networks_;
  bool network_opened_ = false;
  std::map<SandboxId, Sandbox> sandboxes_;
  std::deque<Sandbox> doomed_;  // ended; resources to be given back
  std::deque<Sandbox> busy_;    // likewise; the kernel was not done with their groups yet
};

SandboxStatus Describe(const Record& record, State state);

}  // namespace cay::engine::native
