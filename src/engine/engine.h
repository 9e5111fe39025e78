// Engine: what makes and destroys sandboxes on a machine. The native engine (engine/native/) is
// Cay's own; every other one stands behind this same interface and runs the same guest.
//
//   auto engine = TRY(native::NativeEngine::Start(options));
//   CreateRequest request(TRY(SandboxId::Generate()), TRY(templates.Find("host")).root);
//   Created created = TRY(engine->Create(request));
//   Fd stream = TRY(engine->Connect(request.id));      // speak src/protocol/ on it
//   TRY(engine->Destroy(request.id));
//
// Calls are synchronous and may be made from any thread. Errors are the caller's (a limit that
// cannot be enforced, an id that is not there) or the machine's; what code inside did is never one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/privileges.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/capabilities.h"
#include "engine/diagnosis.h"
#include "engine/garbage.h"

namespace cay::engine {

// What a sandbox may use.
struct Limits {
  Bytes memory =
      512 * kMiB;  // of all processes and in-memory filesystems together; no swap beside it
  MilliCpus cpus = 1000;
  uint32_t pids = 256;         // threads count
  Bytes disk = 1 * kGiB;       // of the writable layer
  uint64_t inodes = 0;         // of the writable layer; 0: one for each 16 KiB of disk
  uint64_t open_files = 4096;  // RLIMIT_NOFILE of each process
  Bytes file_size = 0;         // RLIMIT_FSIZE of each process; 0: as large as the disk
};

// The limit in force.
constexpr Bytes FileSizeLimit(const Limits& limits) {
  return limits.file_size != 0 ? limits.file_size : limits.disk;
}

// The id inside of the user whom a sandbox is for: 0 for root, by name or number ("root", "0",
// "0:5"), and 1000 for everybody else.
uint32_t OwnerFor(std::string_view user);

enum class LimitKind : uint8_t { kMemory, kCpus, kPids, kDisk, kInodes, kOpenFiles, kFileSize };
inline constexpr size_t kLimitKindCount = 7;
std::string_view LimitName(LimitKind kind);  // "memory", "cpus", …

// A set of LimitKind.
class LimitSet {
 public:
  void Add(LimitKind kind) { bits_ |= Bit(kind); }
  bool Contains(LimitKind kind) const { return (bits_ & Bit(kind)) != 0; }
  bool empty() const { return bits_ == 0; }
  uint32_t bits() const { return bits_; }
  static LimitSet FromBits(uint32_t bits);
  static LimitSet All() { return FromBits((1U << kLimitKindCount) - 1); }

 private:
  static uint32_t Bit(LimitKind kind) { return 1U << static_cast<unsigned>(kind); }
  uint32_t bits_ = 0;
};

// Those of an image (128, as Docker has it), and what was written above it, again and again.
inline constexpr size_t kMaxOverlayLayers = 160;

// One overlay of a root filesystem: read-only layers, the topmost first, under the sandbox's own
// writable layer. Layers are host directories that the administrator or Cay made; never shaped by
// sandboxed code.
struct Overlay {
  std::string target;               // "/" or a directory such as "/usr"; absolute, without ".."
  std::vector<std::string> layers;  // absolute host paths
  bool read_only = false;           // of those below "/": nothing can be written there
};

// A root filesystem of directories of this machine; overlays[0].target is "/".
struct HostLayers {
  std::vector<Overlay> overlays{};
  // The directories of "/" that ids other than 0 may write to are the usual ones, and empty
  // (engine/native/rootfs/usual_places.h).
  bool has_usual_places = false;
  // The host name that its /etc/hosts and /etc/hostname have. Empty: Cay wrote neither these nor
  // /etc/resolv.conf, nor gave /workspace its owner.
  std::string hostname{};
};

// One that the engine fetches: "docker.io/library/debian@sha256:…".
struct ImageReference {
  std::string reference;
};

// A file of this machine with a filesystem in it; never written to.
struct DiskImage {
  std::string path;  // absolute host path
};

// Which of them an engine takes is said by its Capabilities; others are kNotSupported.
using RootFilesystem = std::variant<HostLayers, ImageReference, DiskImage>;
// Empty for a root filesystem that is made of something else.
const HostLayers& HostLayersOf(const RootFilesystem& root);

// What a sandbox stands on, and what must not be removed while it is there.
struct LayerReference {
  enum class Kind : uint8_t {
    kHostDirectory,  // an absolute host path
    kImage,          // ImageReference::reference
    kDiskImage,      // an absolute host path
  };
  Kind kind = Kind::kHostDirectory;
  std::string name;

  friend bool operator==(const LayerReference&, const LayerReference&) = default;
};
std::vector<LayerReference> LayersOf(const RootFilesystem& root);

// A host path made visible inside. The caller has checked that the administrator allows it.
struct Mount {
  std::string source;  // absolute host path, a directory or a regular file
  std::string target;  // absolute path inside; made if it is not there
  bool read_only = true;
};

struct Tmpfs {
  std::string target;
  Bytes size = 64 * kMiB;  // counts against the memory limit
};

// A volume (volume/volume_dir.h) made visible inside. One sandbox that writes has it alone; several
// that only read share it. It is the sandbox's from Create to Destroy, whether it runs or not.
struct VolumeMount {
  std::string directory;  // the volume's, an absolute host path
  std::string target;     // absolute path inside; made if it is not there
  bool read_only = false;

  friend bool operator==(const VolumeMount&, const VolumeMount&) = default;
};

// Where the writable layer lives.
enum class Scratch : uint8_t {
  kAuto,    // kDisk where the machine can, otherwise kMemory
  kDisk,    // a filesystem image of exactly the disk limit, on the state directory's disk
  kMemory,  // a tmpfs of the disk limit; what is written counts against the memory limit
};

enum class Lifetime : uint8_t {
  kEphemeral,   // dies with the engine object that made it (`cay run`)
  kPersistent,  // outlives it; the next engine on the same state directory adopts it
};

struct CreateRequest {
  static constexpr uint32_t kUsualOwner = 1000;

  CreateRequest(SandboxId sandbox_id, RootFilesystem root_filesystem)
      : id(std::move(sandbox_id)), root(std::move(root_filesystem)) {}

  SandboxId id;
  RootFilesystem root;
  Limits limits;
  LimitSet required;         // limits that the caller named: refused when they cannot be enforced …
  bool best_effort = false;  // … unless this. Others are reported in Created::not_enforced
  std::string hostname = "cay";
  // The id inside to which /workspace and the mounts belong: that of the user whom the sandbox is
  // for. kUserId or 0.
  uint32_t owner = kUsualOwner;
  std::vector<Mount> mounts;
  std::vector<Tmpfs> tmpfs;
  // kIllegalState, and who has it, where one of them is in use otherwise.
  std::vector<VolumeMount> volumes;
  bool noexec = false;  // nothing writable is executable
  // The root filesystem is read-only, except /tmp, /var/tmp, /run, /home, /root and /workspace.
  // Mounts are as they were asked for.
  bool read_only = false;
  // kRoot only where Capabilities::root says so.
  Privileges privileges = Privileges::kNone;
  Scratch scratch = Scratch::kAuto;
  Lifetime lifetime = Lifetime::kEphemeral;
  // Its network is opened while it is made, which costs less than doing so afterwards. Asked of
  // Create alone, and not kept.
  bool network = false;
  // A directory of the root filesystem can be renamed inside, and what it was called is noted in
  // what was written. Without it that is EXDEV, as in Docker, and what was written is a layer like
  // those of images. Never in a sandbox of a single user.
  bool renames_directories = true;
  std::string
      label;  // free text of at most 4096 bytes, kept in the sandbox's record (a template's name …)
};

// A part of a create, and how long it took. Which parts there are, and in which order, is each
// engine's own (Description::stages).
struct StageTime {
  std::string name;
  uint32_t us = 0;

  friend bool operator==(const StageTime&, const StageTime&) = default;
};
using StageTimes = std::vector<StageTime>;
inline constexpr size_t kMaxStages = 32;

// What an engine says of itself.
struct Description {
  std::string name;     // "native": one word, for people and programs
  std::string version;  // of what makes the sandboxes
  std::string runs_on;  // for people: "Linux 6.12.1 x86_64, as root"
  // The names of a create's parts, [a-z0-9_]+, in order, at most kMaxStages: what each
  // Created::stage_us has, and what there is to count before anything was created.
  std::vector<std::string> stages;
};

// Every stage with no time: before anything was created, and for a create that took none of the
// engine's time.
StageTimes NoStageTimes(const Description& description);

struct NotEnforced {
  LimitKind limit;
  std::string why;  // one sentence
};

// How a connection's destination is found on the host's end.
enum class Steering : uint8_t {
  kLookup,    // it is the accepted socket's own address (BPF sk_lookup)
  kRedirect,  // SO_ORIGINAL_DST, and IP6T_SO_ORIGINAL_DST (nftables)
};

// Through these a sandbox's network is served, by whoever holds them and knows what it may reach.
// Its namespace has `lo` only, where every address is local; TCP of a program inside to any address
// but 127.0.0.0/8, ::1 and its own two, and to port 53 of all, is accepted here. Closed: refused.
// They are non-blocking and close-on-exec; of a family that the machine has not there are none.
// Held, they keep the namespace. Closing `hold` takes 0.01 ms, 10 ms with Steering::kRedirect.
struct NetworkSockets {
  static constexpr const char* kOwnV4 = "10.200.0.2";
  static constexpr const char* kOwnV6 = "fd00:ca1::2";

  Steering steering = Steering::kLookup;
  std::optional<Fd> tcp_v4;  // listening
  std::optional<Fd> tcp_v6;
  std::optional<Fd> dns_udp_v4;  // to port 53 of every address, but not from port 53, an answer's
  std::optional<Fd> dns_udp_v6;  // IP_PKTINFO is on: an answer goes from the address that it says
  std::optional<Fd> hold;        // nothing is done with it: steering ends when it is closed
};

// What was written in a sandbox above the layers of its root filesystem, as overlayfs keeps it:
// with whiteouts, opaque directories and redirects (Documentation/filesystems/overlayfs.rst).
struct WrittenLayers {
  // Of each overlay of the root filesystem, in their order: a directory, open for reading. Held,
  // they keep the sandbox's disk: close them before it is started again.
  std::vector<Fd> uppers;
  // An owner's number there is what it is inside, and this more.
  int64_t id_offset = 0;
  RootFilesystem root{};   // the layers that it was written above
  std::string hostname{};  // the sandbox's, which its files of /etc have
};

struct Created {
  StageTimes stage_us{};  // as the engine describes them
  std::vector<NotEnforced> not_enforced;
  Scratch scratch = Scratch::kDisk;       // never kAuto
  bool single_user = false;               // only uid 1000 exists inside (made by an ordinary user)
  uint32_t guest_protocol = 1;            // protocol::kProtocolVersion of the guest
  std::optional<Fd> guest;                // what Watch gives; Create and Start always bring it
  std::optional<NetworkSockets> network;  // what OpenNetwork gives, where Create was asked for it
};

struct Stats {
  std::optional<Bytes> memory;
  std::optional<Bytes> memory_peak;
  std::optional<uint64_t> oom_kills;
  std::optional<uint64_t> cpu_us;
  std::optional<uint64_t> throttled_us;
  std::optional<uint64_t> pids;
  std::optional<Bytes> disk;  // allocated to the writable layer
  // Of `memory`: pages of files that nothing has used for some time, which the kernel drops before
  // it refuses anything.
  std::optional<Bytes> memory_cache{};
};

enum class State : uint8_t { kRunning, kPaused, kStopped, kFailed };
std::string_view StateName(State state);

// Why the guest, and so every process, is no longer there.
enum class ExitReason : uint8_t {
  kNone,       // it is there
  kStopped,    // Stop was called
  kOomKilled,  // the kernel ran out of the sandbox's memory and chose the guest
  kSignalled,  // killed by something else: see Exit::signal
  kExited,     // the guest ended by itself: a defect, or the sandbox was asked to end
  kUnknown,    // it ended while no engine was watching
};
std::string_view ExitReasonName(ExitReason reason);

struct Exit {
  ExitReason reason = ExitReason::kNone;
  int signal = 0;
  int exit_code = 0;
};

struct SandboxStatus {
  SandboxId id;
  State state = State::kRunning;
  Lifetime lifetime = Lifetime::kEphemeral;
  std::string label{};
  int64_t created_unix_ms = 0;
  Limits limits{};
  uint32_t guest_protocol = 1;                // protocol::kProtocolVersion of its guest
  bool promised = false;                      // see Engine::Promise
  std::optional<int64_t> orphaned_unix_ms{};  // since when: see Engine::Disown
  std::vector<LayerReference> layers{};
  std::vector<VolumeMount> volumes{};
  std::string damage{};  // why only id and lifetime are known; empty: all is known
};

class Engine {
 public:
  // A guest that has not accepted a connection within this time counts as unreachable.
  static constexpr Millis kConnectPatience{10'000};

  virtual ~Engine() = default;

  // The same for as long as the engine lives; asking for it never waits.
  virtual Description Describe() const = 0;
  virtual Capabilities capabilities() const = 0;
  // What it enforces here, as it was found when the engine was started; kUnavailable where that was
  // not looked for.
  virtual Result<Diagnosis> Diagnose() = 0;

  // The sandbox is running, and Connect will succeed, when this returns. On error nothing of it
  // remains.
  virtual Result<Created> Create(const CreateRequest& request) = 0;

  // Ends every process and removes everything. Returns when no process of it can run any more; disk
  // and cgroups are given back soon after. kNotFound when there is no such sandbox.
  virtual Result<void> Destroy(const SandboxId& id) = 0;

  // Stop ends the processes and keeps the writable layer; Start makes a new guest over it.
  virtual Result<void> Stop(const SandboxId& id) = 0;
  virtual Result<Created> Start(const SandboxId& id) = 0;

  // Ends the processes and everything that was written, and makes a new guest over an empty layer.
  // What fails before the processes ended leaves it as it was; after, it is failed, and may be
  // reset again.
  // `root`: what it stands on from then on; nothing: what it stood on.
  virtual Result<Created> Reset(const SandboxId& id, const std::optional<RootFilesystem>& root) = 0;
  Result<Created> Reset(const SandboxId& id) { return Reset(id, std::nullopt); }

  // Makes a guest for the files of a stopped sandbox, which stays stopped for everybody else.
  // EndVisit ends the guest, and so does the next engine when this one ends before. For a sandbox
  // that is visited already, gives the guest that is there; Start makes it the sandbox's own.
  virtual Result<Created> Visit(const SandboxId& id) = 0;
  // kIllegalState when it has been started meanwhile.
  virtual Result<void> EndVisit(const SandboxId& id) = 0;

  // Memory stays; nothing runs.
  virtual Result<void> Pause(const SandboxId& id) = 0;
  virtual Result<void> Resume(const SandboxId& id) = 0;

  // Changes memory, cpus and pids of a running sandbox; kNotSupported for a change of the others.
  virtual Result<void> Update(const SandboxId& id, const Limits& limits) = 0;

  virtual Result<Stats> GetStats(const SandboxId& id) = 0;

  // Stats::oom_kills alone, asked before each command: it never waits.
  virtual Result<std::optional<uint64_t>> OomKills(const SandboxId& id) = 0;

  // A new connection to the guest: a stream socket, blocking, close-on-exec. Waits for at most
  // `patience` while the guest has as many connections waiting as it takes; 0 is for a caller that
  // must not wait, and then every failure is kUnavailable.
  virtual Result<Fd> Connect(const SandboxId& id, Millis patience) = 0;
  Result<Fd> Connect(const SandboxId& id) { return Connect(id, kConnectPatience); }

  // A descriptor that polls readable once the guest is gone (a pidfd).
  virtual Result<Fd> Watch(const SandboxId& id) = 0;

  // Makes the network of a running sandbox, which had none: see NetworkSockets. What was made
  // before, and is not open any more, may be made again. Nothing of it exists in other sandboxes.
  // kNotSupported, with what is missing, where this machine cannot; kIllegalState when one is open.
  virtual Result<NetworkSockets> OpenNetwork(const SandboxId& id) = 0;
  // What was written so far. The sandbox goes on, unless it is held still.
  virtual Result<WrittenLayers> OpenWritten(const SandboxId& id) = 0;
  // Nothing of a running sandbox runs until it goes on, or this engine ends: for the moment in
  // which its files are copied. It counts as running meanwhile, and who connects waits.
  virtual Result<void> HoldStill(const SandboxId& id) = 0;
  // No error where it is not held.
  virtual Result<void> GoOn(const SandboxId& id) = 0;
  virtual Result<Exit> GetExit(const SandboxId& id) = 0;

  virtual Result<std::vector<SandboxStatus>> List() = 0;

  // Says that a persistent sandbox has an owner who counts on it; until then its maker may remove
  // it. `promise` is kept with the sandbox for its maker, who may have lost all else; the next one
  // replaces it.
  virtual Result<void> Promise(const SandboxId& id, std::string_view promise) = 0;
  // kNotFound when there was no promise.
  virtual Result<std::string> ReadPromise(const SandboxId& id) = 0;

  // Leaves a persistent sandbox to itself: it runs on, no engine takes it over, and only Adopt
  // leads back to it. For a sandbox that was promised to somebody when nothing says to whom.
  virtual Result<void> Disown(const SandboxId& id) = 0;
  virtual Result<void> Adopt(const SandboxId& id) = 0;

  // Removes what belongs to no living process. Persistent sandboxes stay, and so does what cannot
  // be read, unless it says that it is garbage. What could not be removed is in the report, and is
  // no error.
  virtual Result<GarbageReport> CollectGarbage(const GarbageOptions& options) = 0;

  // How long a request may take from now on, those under way included: for a program that is about
  // to end.
  virtual void SetPatience(Millis patience) = 0;
};

}  // namespace cay::engine
