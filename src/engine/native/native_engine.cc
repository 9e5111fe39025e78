#include "engine/native/native_engine.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "engine/native/inventory.h"
#include "engine/native/launcher_protocol.h"
#include "engine/native/request.h"
#include "protocol/cbor.h"

namespace cay::engine::native {
namespace {

using protocol::CborReader;
using protocol::CborWriter;

Error LauncherGone() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine, "the launcher is gone")
      .WithRemedy("its sandboxes have ended; clean up with: cay gc");
}

CborWriter Request(Operation operation, const SandboxId& id) {
  CborWriter writer;
  writer.Unsigned(static_cast<uint64_t>(operation)).Bytes(id.text());
  return writer;
}

// In the child of vfork: only what is safe there. An empty environment, and no descriptor but 0
// to 2.
[[noreturn]] void ExecLauncher(const char* path, int control) {
  std::array<char*, 3> argv = {const_cast<char*>("cay"), const_cast<char*>("launcher"), nullptr};
  std::array<char*, 1> envp = {nullptr};
  if (::dup2(control, STDIN_FILENO) < 0) ::_exit(125);
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(path, argv.data(), envp.data());
  ::_exit(125);
}

}  // namespace

Result<std::unique_ptr<NativeEngine>> NativeEngine::Start(const NativeEngineOptions& options) {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  const char* path = options.launcher_path.c_str();
  const int control = pair.second.get();
  const pid_t pid = ::vfork();
  if (pid < 0) return Failure(Error::FromErrno("starting the launcher"));
  if (pid == 0) ExecLauncher(path, control);
  std::unique_ptr<NativeEngine> engine(new NativeEngine(options.paths, pid, std::move(pair.first)));
  CborWriter hello;
  hello.Bytes(options.paths.state_dir).Bytes(options.paths.run_dir).Unsigned(options.netns_pool);
  TRY(SendPacket(engine->control_, PacketType::kRequest, hello.text()));
  return engine;
}

NativeEngine::~NativeEngine() {
  ::shutdown(control_.get(), SHUT_RDWR);
  while (::waitpid(launcher_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<Packet> NativeEngine::Receive() {
  auto packet = TRY(ReceivePacket(control_));
  if (!packet) return Failure(LauncherGone());
  if (packet->type == PacketType::kFailed) return Failure(DecodeError(packet->body));
  CborReader reader(packet->body);
  TRY(reader.Bool());
  packet->body.erase(0, 1);
  return std::move(*packet);
}

Result<Packet> NativeEngine::Call(std::string_view request) {
  const std::lock_guard lock(mutex_);
  const auto sent = SendPacket(control_, PacketType::kRequest, request);
  // The launcher greets when it is open, or says why it cannot be; the first request need not wait
  // for that.
  if (!greeted_) {
    TRY(Receive());
    greeted_ = true;
  }
  if (!sent) return Failure(sent.error().sys_errno() == EPIPE ? LauncherGone() : sent.error());
  return Receive();
}

Result<Created> NativeEngine::Create(const CreateRequest& request) {
  CborWriter writer;
  writer.Unsigned(static_cast<uint64_t>(Operation::kCreate));
  EncodeRequest(writer, request);
  const Packet reply = TRY(Call(writer.text()));
  CborReader reader(reply.body);
  return DecodeCreated(reader);
}

Result<void> NativeEngine::Destroy(const SandboxId& id) {
  TRY(Call(Request(Operation::kDestroy, id).text()));
  return {};
}

Result<void> NativeEngine::Stop(const SandboxId& id) {
  TRY(Call(Request(Operation::kStop, id).text()));
  return {};
}

Result<Created> NativeEngine::Start(const SandboxId& id) {
  const Packet reply = TRY(Call(Request(Operation::kStart, id).text()));
  CborReader reader(reply.body);
  return DecodeCreated(reader);
}

Result<void> NativeEngine::Pause(const SandboxId& id) {
  TRY(Call(Request(Operation::kPause, id).text()));
  return {};
}

Result<void> NativeEngine::Resume(const SandboxId& id) {
  TRY(Call(Request(Operation::kResume, id).text()));
  return {};
}

Result<void> NativeEngine::Update(const SandboxId& id, const Limits& limits) {
  CborWriter writer = Request(Operation::kUpdate, id);
  EncodeLimits(writer, limits);
  TRY(Call(writer.text()));
  return {};
}

Result<Stats> NativeEngine::GetStats(const SandboxId& id) {
  const Packet reply = TRY(Call(Request(Operation::kStats, id).text()));
  CborReader reader(reply.body);
  return DecodeStats(reader);
}

Result<Exit> NativeEngine::GetExit(const SandboxId& id) {
  const Packet reply = TRY(Call(Request(Operation::kExit, id).text()));
  CborReader reader(reply.body);
  return DecodeExit(reader);
}

Result<Fd> NativeEngine::CallForFd(Operation operation, const SandboxId& id) {
  Packet reply = TRY(Call(Request(operation, id).text()));
  if (reply.fds.size() != 1)
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "no descriptor came"));
  return std::move(reply.fds.front());
}

Result<Fd> NativeEngine::Connect(const SandboxId& id) { return CallForFd(Operation::kConnect, id); }
Result<Fd> NativeEngine::Watch(const SandboxId& id) { return CallForFd(Operation::kWatch, id); }

Result<std::vector<SandboxStatus>> NativeEngine::List() {
  std::vector<SandboxStatus> list;
  for (InventoryEntry& entry : TRY(TakeInventory(paths_))) list.push_back(std::move(entry.status));
  return list;
}

}  // namespace cay::engine::native
