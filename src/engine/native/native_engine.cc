#include "engine/native/native_engine.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/ipc/guest_socket.h"
#include "engine/native/launcher/inventory.h"
#include "engine/native/launcher/launcher_protocol.h"
#include "engine/native/network/network_packet.h"
#include "engine/native/record/request.h"
#include "engine/native/record/sandbox_dir.h"
#include "engine/native/spawn/stages.h"
#include "protocol/cbor.h"

namespace cay::engine::native {
namespace {

using protocol::CborReader;
using protocol::CborWriter;

CborWriter Request(Operation operation, const SandboxId& id) {
  CborWriter writer;
  writer.Unsigned(static_cast<uint64_t>(operation)).Bytes(id.text());
  return writer;
}

}  // namespace

// The use of a link, one call at a time.
class NativeEngine::Turn {
 public:
  static Result<Turn> Take(Lane& lane, Millis patience) {
    std::unique_lock lock(lane.mutex);
    if (!lane.idle.wait_for(lock, patience, [&] { return !lane.busy; })) {
      return Failure(
          Error(ErrorCode::kUnavailable, Fault::kMachine,
                "the launcher was busy with other requests for " + FormatDuration(patience))
              .WithRemedy("is the machine overloaded, or its disk? Try again later"));
    }
    lane.busy = true;
    return Turn(lane);
  }
  Turn(Turn&& other) noexcept : lane_(std::exchange(other.lane_, nullptr)) {}
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (lane_ == nullptr) return;
    {
      const std::lock_guard lock(lane_->mutex);
      lane_->busy = false;
    }
    lane_->idle.notify_one();
  }

 private:
  explicit Turn(Lane& lane) : lane_(&lane) {}
  Lane* lane_;
};

NativeEngine::NativeEngine(const NativeEngineOptions& options)
    : options_(options), patience_(options.patience.count()) {
  const size_t count =
      options.one_shot ? 1 : std::clamp<size_t>(options.launchers, 1, kMaxLaunchers);
  for (size_t number = 0; number < count; ++number)
    lanes_.push_back(std::make_unique<Lane>(Share{.number = number, .of = count}));
}

Result<std::unique_ptr<NativeEngine>> NativeEngine::Start(const NativeEngineOptions& options) {
  std::unique_ptr<NativeEngine> engine(new NativeEngine(options));
  for (const auto& lane : engine->lanes_) TRY(engine->StartLauncher(*lane));
  return engine;
}

// All end at the same time.
NativeEngine::~NativeEngine() {
  for (const auto& lane : lanes_)
    if (lane->link) lane->link->HangUp();
}

Result<void> NativeEngine::StartLauncher(Lane& lane) {
  lane.link = TRY(LauncherLink::Start(options_, lane.share, patience_));
  lane.launcher_pid = lane.link->launcher();
  return {};
}

NativeEngine::Asked NativeEngine::AskOnce(Lane& lane, std::string_view request) {
  if (!lane.link) {
    LogWarning("the launcher is gone: starting another");
    if (auto started = StartLauncher(lane); !started) return {.reply = Failure(started.error())};
  }
  auto reply = lane.link->Ask(request);
  Asked asked{
      .reply = std::move(reply), .broken = lane.link->broken(), .unsent = lane.link->unsent()};
  if (asked.broken && !options_.one_shot) lane.link.reset();  // waits for its locks to be free
  return asked;
}

Result<Packet> NativeEngine::Call(const SandboxId& id, std::string_view request, Repeat repeat,
                                  Course* course) {
  Lane& lane = LaneOf(id);
  const Turn turn = TRY(Turn::Take(lane, Millis(2 * patience_.load())));
  if (course != nullptr) course->asked = true;
  Asked asked = AskOnce(lane, request);
  // Once more, and not again: a launcher that dies of it would die for ever.
  const bool again = asked.unsent || (asked.broken && repeat == Repeat::kAlways);
  if (!again || options_.one_shot) return std::move(asked.reply);
  if (course != nullptr) course->repeated = !asked.unsent;
  asked = AskOnce(lane, request);
  return std::move(asked.reply);
}

namespace {

Result<Fd> OnlyFd(Packet& reply) {
  if (reply.fds.size() == 1) return std::move(reply.fds.front());
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "no descriptor came"));
}

Result<Created> CreatedFrom(Packet reply) {
  CborReader reader(reply.body);
  Created created = TRY(DecodeCreated(reader));
  created.guest = TRY(OnlyFd(reply));
  return created;
}

Result<Created> CreatedWithNetworkFrom(Packet reply) {
  CborReader reader(reply.body);
  Created created = TRY(DecodeCreated(reader));
  if (reply.fds.empty())
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "a reply without its descriptor"));
  created.guest = std::move(reply.fds.front());
  reply.fds.erase(reply.fds.begin());
  created.network = TRY(DecodeNetwork(reader, std::move(reply.fds)));
  return created;
}

}  // namespace

Description NativeEngine::Describe() const {
  utsname machine{};
  std::string runs_on = "Linux";
  if (::uname(&machine) == 0)
    runs_on.append(" ").append(machine.release).append(" ").append(machine.machine);
  runs_on += ::geteuid() == 0 ? ", as root" : ", as an ordinary user";
  return {.name = "native",
          .version = CAY_VERSION,
          .runs_on = std::move(runs_on),
          .stages = {kStageNames.begin(), kStageNames.end()}};
}

Capabilities NativeEngine::capabilities() const {
  const bool is_root = ::geteuid() == 0;
  return {.stop = is_root,  // an ordinary user's files are in memory, and end with the sandbox
          .pause = true,
          .reset = true,
          .visit = true,
          .update_limits = true,
          .disk_limit = true,
          .host_mounts = true,
          .host_layers = true,
          .files_on_state_disk = is_root,
          .network_policy = true,
          .snapshot = true,
          .root = is_root,  // an ordinary user's sandbox has one id, and it is not 0
          .volumes = is_root};
}

Result<Diagnosis> NativeEngine::Diagnose() {
  if (options_.diagnosis) return *options_.diagnosis;
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the engine did not find out at its start what this machine enforces")
                     .WithRemedy("cay doctor"));
}

Result<GarbageReport> NativeEngine::CollectGarbage(const GarbageOptions& options) {
  return native::CollectGarbage(options_.paths, options);
}

Result<Created> NativeEngine::Create(const CreateRequest& request) {
  TRY(CheckIsOfHostLayers(request.root));
  CborWriter writer =
      Request(request.network ? Operation::kCreateWithNetwork : Operation::kCreate, request.id);
  writer.Bytes(EncodeRequest(request));
  Course course;
  auto reply = Call(request.id, writer.text(), Repeat::kIfUnsent, &course);
  if (!reply) {
    // The launcher may have died in the middle of it, and the next one found a half-made sandbox.
    const bool maybe_half_made = course.asked && reply.error().code() == ErrorCode::kUnavailable &&
                                 request.lifetime == Lifetime::kPersistent && !options_.one_shot;
    if (maybe_half_made) (void)Destroy(request.id);
    return Failure(reply.error());
  }
  return request.network ? CreatedWithNetworkFrom(*std::move(reply))
                         : CreatedFrom(*std::move(reply));
}

Result<void> NativeEngine::Destroy(const SandboxId& id) {
  Course course;
  const auto reply = Call(id, Request(Operation::kDestroy, id).text(), Repeat::kAlways, &course);
  // The launcher may have died between the destroying and the answer.
  if (reply || (course.repeated && reply.error().code() == ErrorCode::kNotFound)) return {};
  return Failure(reply.error());
}

Result<void> NativeEngine::Stop(const SandboxId& id) {
  TRY(Call(id, Request(Operation::kStop, id).text()));
  return {};
}

Result<Created> NativeEngine::Start(const SandboxId& id) {
  return CreatedFrom(TRY(Call(id, Request(Operation::kStart, id).text())));
}

Result<Created> NativeEngine::Reset(const SandboxId& id,
                                    const std::optional<RootFilesystem>& root) {
  CborWriter writer = Request(Operation::kReset, id);
  if (root) TRY(CheckIsOfHostLayers(*root));
  writer.Bytes(root ? EncodeRequest(CreateRequest(id, *root)) : std::string());
  return CreatedFrom(TRY(Call(id, writer.text())));
}

Result<Created> NativeEngine::Visit(const SandboxId& id) {
  return CreatedFrom(TRY(Call(id, Request(Operation::kVisit, id).text(), Repeat::kAlways)));
}

Result<void> NativeEngine::EndVisit(const SandboxId& id) {
  TRY(Call(id, Request(Operation::kEndVisit, id).text(), Repeat::kAlways));
  return {};
}

Result<void> NativeEngine::Pause(const SandboxId& id) {
  TRY(Call(id, Request(Operation::kPause, id).text()));
  return {};
}

Result<void> NativeEngine::Resume(const SandboxId& id) {
  TRY(Call(id, Request(Operation::kResume, id).text()));
  return {};
}

Result<void> NativeEngine::Update(const SandboxId& id, const Limits& limits) {
  CborWriter writer = Request(Operation::kUpdate, id);
  writer.Bytes(EncodeLimits(limits));
  TRY(Call(id, writer.text(), Repeat::kAlways));
  return {};
}

// From what everybody can see, where that is all: a launcher that makes sandboxes need not be
// waited for. What is in memory only it can measure; and what is missing it knows why.
Result<Stats> NativeEngine::GetStats(const SandboxId& id) {
  if (const auto disk = SandboxDir::ImageUse(options_.paths.sandboxes_dir(), id)) {
    const auto groups = Groups(/*again=*/false);
    auto stats = groups ? (*groups)->ReadStats(id) : Failure(groups.error());
    if (stats) {
      stats->disk = disk;
      return stats;
    }
  }
  const Packet reply = TRY(Call(id, Request(Operation::kStats, id).text(), Repeat::kAlways));
  CborReader reader(reply.body);
  return DecodeStats(reader);
}

Result<std::shared_ptr<const CgroupTree>> NativeEngine::Groups(bool again) {
  const std::lock_guard lock(groups_mutex_);
  if (again || !groups_) {
    groups_ = std::make_shared<const CgroupTree>(TRY(CgroupTree::Discover(
        {.purpose = CgroupPurpose::kLook, .name = CgroupParentName(options_.paths.state_dir)})));
  }
  return groups_;
}

// The last launcher to end may have taken the parents of all groups with it.
Result<std::optional<uint64_t>> NativeEngine::OomKills(const SandboxId& id) {
  auto kills = TRY(Groups(/*again=*/false))->OomKills(id);
  if (kills || kills.error().code() != ErrorCode::kNotFound) return kills;
  return TRY(Groups(/*again=*/true))->OomKills(id);
}

Result<Exit> NativeEngine::GetExit(const SandboxId& id) {
  const Packet reply = TRY(Call(id, Request(Operation::kExit, id).text(), Repeat::kAlways));
  CborReader reader(reply.body);
  return DecodeExit(reader);
}

Result<Fd> NativeEngine::CallForFd(Operation operation, const SandboxId& id) {
  Packet reply = TRY(Call(id, Request(operation, id).text(), Repeat::kAlways));
  return OnlyFd(reply);
}

// Straight to the socket. Where that fails the launcher knows why, and may have to be waited for.
Result<Fd> NativeEngine::Connect(const SandboxId& id, Millis patience) {
  const std::string path = options_.paths.sandboxes_dir() + "/" + id.text();
  const auto dir = sys::OpenAt(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (dir) {
    auto connected = ConnectToGuest(*dir, patience);
    // Too busy, or out of descriptors: the launcher could not do more.
    const bool known = connected || connected.error().code() == ErrorCode::kResourceExhausted;
    if (known || patience == Millis(0)) return connected;
  } else if (dir.error().code() == ErrorCode::kResourceExhausted) {
    return Failure(dir.error());
  } else if (patience == Millis(0)) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the sandbox does not exist"));
  }
  return CallForFd(Operation::kConnect, id);
}

Result<Fd> NativeEngine::Watch(const SandboxId& id) { return CallForFd(Operation::kWatch, id); }

// What a launcher that died had opened died with it.
Result<NetworkSockets> NativeEngine::OpenNetwork(const SandboxId& id) {
  Packet reply = TRY(Call(id, Request(Operation::kNetwork, id).text(), Repeat::kAlways));
  CborReader reader(reply.body);
  return DecodeNetwork(reader, std::move(reply.fds));
}

Result<WrittenLayers> NativeEngine::OpenWritten(const SandboxId& id) {
  Packet reply = TRY(Call(id, Request(Operation::kWritten, id).text(), Repeat::kAlways));
  CborReader reader(reply.body);
  WrittenLayers written;
  written.id_offset = TRY(reader.Signed());
  CreateRequest request = TRY(DecodeRequest(TRY(reader.Bytes(kMaxRequestBytes)), id));
  written.root = std::move(request.root);
  written.hostname = std::move(request.hostname);
  written.uppers = std::move(reply.fds);
  if (written.uppers.empty())
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "no descriptor came"));
  return written;
}

Result<void> NativeEngine::HoldStill(const SandboxId& id) {
  TRY(Call(id, Request(Operation::kHoldStill, id).text()));
  return {};
}

// A launcher that died let go of what it held.
Result<void> NativeEngine::GoOn(const SandboxId& id) {
  TRY(Call(id, Request(Operation::kGoOn, id).text(), Repeat::kAlways));
  return {};
}

Result<std::vector<SandboxStatus>> NativeEngine::List() { return ListStatuses(options_.paths); }

// In the directory itself: every create waits for it, and the launcher need not.
Result<void> NativeEngine::Promise(const SandboxId& id, std::string_view promise) {
  return SandboxDir::WritePromise(options_.paths.sandboxes_dir(), id, promise);
}

Result<std::string> NativeEngine::ReadPromise(const SandboxId& id) {
  auto promise = SandboxDir::ReadPromise(options_.paths.sandboxes_dir(), id);
  if (promise || promise.error().sys_errno() != ENOENT) return promise;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "there is no record of the owner of sandbox " + id.text() + " is"));
}

Result<void> NativeEngine::Disown(const SandboxId& id) {
  Course course;
  const auto reply = Call(id, Request(Operation::kDisown, id).text(), Repeat::kAlways, &course);
  // The launcher may have died between the mark and the answer, and the next one did not take it
  // over.
  if (reply || (course.repeated && reply.error().code() == ErrorCode::kNotFound)) return {};
  return Failure(reply.error());
}

Result<void> NativeEngine::Adopt(const SandboxId& id) {
  TRY(Call(id, Request(Operation::kAdopt, id).text(), Repeat::kAlways));
  return {};
}

}  // namespace cay::engine::native
