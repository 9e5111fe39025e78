#include "engine/native/launcher/launcher_server.h"

#include <poll.h>
#include <signal.h>

#include <string>
#include <vector>

#include "base/os/log.h"
#include "base/os/process_title.h"
#include "engine/native/ipc/packet.h"
#include "engine/native/launcher/launcher.h"
#include "engine/native/launcher/launcher_protocol.h"
#include "engine/native/network/network_packet.h"
#include "engine/native/record/request.h"
#include "protocol/cbor.h"

namespace cay::engine::native {
namespace {

struct Reply {
  std::string body;
  std::vector<Fd> fds;
};

protocol::CborWriter Success() {
  protocol::CborWriter writer;
  writer.Bool(true);
  return writer;
}

Result<Reply> Plain(Result<void> result) {
  TRY(std::move(result));
  return Reply{Success().text(), {}};
}

Result<Reply> WithDescriptor(Result<Fd> result) {
  Reply reply{Success().text(), {}};
  reply.fds.push_back(TRY(std::move(result)));
  return reply;
}

Result<Reply> WithCreated(Result<Created> created) {
  if (!created) return Failure(created.error());
  protocol::CborWriter writer = Success();
  EncodeCreated(writer, *created);
  if (created->network) EncodeNetwork(writer, *created->network);
  Reply reply{std::move(writer).Take(), {}};
  if (created->guest) reply.fds.push_back(*std::move(created->guest));
  if (!created->network) return reply;
  for (Fd& fd : TakeDescriptors(*std::move(created->network))) reply.fds.push_back(std::move(fd));
  return reply;
}

Result<Reply> WithNetwork(Result<NetworkSockets> opened) {
  NetworkSockets sockets = TRY(std::move(opened));
  protocol::CborWriter writer = Success();
  EncodeNetwork(writer, sockets);
  return Reply{std::move(writer).Take(), TakeDescriptors(std::move(sockets))};
}

Result<Reply> WithWritten(const SandboxId& id, Result<WrittenLayers> opened) {
  WrittenLayers written = TRY(std::move(opened));
  protocol::CborWriter writer = Success();
  CreateRequest request(id, std::move(written.root));
  request.hostname = std::move(written.hostname);
  writer.Signed(written.id_offset).Bytes(EncodeRequest(request));
  return Reply{std::move(writer).Take(), std::move(written.uppers)};
}

// Of a request that carries nothing else that counts; empty: none was sent.
Result<std::optional<RootFilesystem>> RootOf(protocol::CborReader& reader, const SandboxId& id) {
  const std::string bytes(TRY(reader.Bytes(kMaxRequestBytes)));
  if (bytes.empty()) return std::nullopt;
  return TRY(DecodeRequest(bytes, id)).root;
}

Result<Reply> Answer(Launcher& launcher, std::string_view body) {
  protocol::CborReader reader(body);
  const auto operation = static_cast<Operation>(TRY(reader.Unsigned(kLastOperation)));
  const SandboxId id = TRY(SandboxId::Parse(TRY(reader.Bytes(SandboxId::kLength))));
  protocol::CborWriter writer = Success();
  switch (operation) {
    case Operation::kCreate:
    case Operation::kCreateWithNetwork: {
      CreateRequest request = TRY(DecodeRequest(TRY(reader.Bytes(kMaxRequestBytes)), id));
      request.network = operation == Operation::kCreateWithNetwork;
      return WithCreated(launcher.Create(request));
    }
    case Operation::kDestroy:
      return Plain(launcher.Destroy(id));
    case Operation::kStop:
      return Plain(launcher.Stop(id));
    case Operation::kStart:
      return WithCreated(launcher.Start(id));
    case Operation::kReset:
      return WithCreated(launcher.Reset(id, TRY(RootOf(reader, id))));
    case Operation::kVisit:
      return WithCreated(launcher.Visit(id));
    case Operation::kEndVisit:
      return Plain(launcher.EndVisit(id));
    case Operation::kPause:
      return Plain(launcher.Pause(id));
    case Operation::kResume:
      return Plain(launcher.Resume(id));
    case Operation::kUpdate:
      return Plain(launcher.Update(id, TRY(DecodeLimits(TRY(reader.Bytes(kMaxRequestBytes))))));
    case Operation::kConnect:
      return WithDescriptor(launcher.Connect(id));
    case Operation::kWatch:
      return WithDescriptor(launcher.Watch(id));
    case Operation::kNetwork:
      return WithNetwork(launcher.OpenNetwork(id));
    case Operation::kWritten:
      return WithWritten(id, launcher.OpenWritten(id));
    case Operation::kHoldStill:
      return Plain(launcher.HoldStill(id));
    case Operation::kGoOn:
      return Plain(launcher.GoOn(id));
    case Operation::kDisown:
      return Plain(launcher.Disown(id));
    case Operation::kAdopt:
      return Plain(launcher.AdoptOrphan(id));
    case Operation::kStats:
      EncodeStats(writer, TRY(launcher.GetStats(id)));
      break;
    case Operation::kExit:
      EncodeExit(writer, TRY(launcher.GetExit(id)));
      break;
  }
  return Reply{std::move(writer).Take(), {}};
}

Result<void> Send(const Fd& control, const Result<Reply>& reply) {
  if (reply) {
    std::vector<const Fd*> fds;
    for (const Fd& fd : reply->fds) fds.push_back(&fd);
    return SendPacket(control, PacketType::kReply, reply->body, fds);
  }
  return SendPacket(control, PacketType::kFailed, EncodeError(reply.error()));
}

// So long after its last request a launcher gives back what it made ahead, and a part of what a
// burst left.
constexpr int kAheadMs = 500;

// Without a request for so long, a launcher has a moment for what can wait: whoever has just had an
// answer often asks for the next thing at once.
constexpr int kPauseMs = 3;

// After a network was opened its caller has to tell the relay, and waits for it: so long the
// workers, whom a kernel without preemption takes off no processor, are not told what to make.
constexpr int kRelayIsToldMs = 1;

bool HasRequest(const Fd& control, int patience_ms = 0) {
  pollfd poller{.fd = control.get(), .events = POLLIN, .revents = 0};
  return ::poll(&poller, 1, patience_ms) != 0;
}

Result<Launcher> OpenFor(const Packet& hello, GuestMain guest) {
  protocol::CborReader reader(hello.body);
  LauncherOptions options;
  options.paths.state_dir = std::string(TRY(reader.Bytes(4096)));
  options.paths.run_dir = std::string(TRY(reader.Bytes(4096)));
  options.netns_pool = TRY(reader.Unsigned(1024));
  options.one_shot = TRY(reader.Bool());
  options.sole = TRY(reader.Bool());
  options.share.of = TRY(reader.Unsigned(kMaxLaunchers));
  options.share.number = TRY(reader.Unsigned(kMaxLaunchers));
  if (options.share.number >= options.share.of)
    return Failure(Error::Invalid("there is no such share of the sandboxes"));
  // Its lines are in its client's log.
  SetLogLevel(static_cast<LogLevel>(TRY(reader.Unsigned(static_cast<uint64_t>(LogLevel::kDebug)))));
  SetLogFormat(
      static_cast<LogFormat>(TRY(reader.Unsigned(static_cast<uint64_t>(LogFormat::kJson)))));
  if (TRY(reader.Bool()))
    options.disk_ahead = TRY(DecodeLimits(TRY(reader.Bytes(kMaxRequestBytes))));
  options.guest = guest;
  return Launcher::Open(std::move(options));
}

// Until the next request, or there is nothing to give back.
void Rest(const Fd& control, Launcher& launcher) {
  while (launcher.HoldsAhead() || launcher.MayHaveSpareLoops()) {
    if (HasRequest(control, kAheadMs)) return;
    if (launcher.HoldsAhead()) launcher.LetGoOfAhead();
    if (launcher.MayHaveSpareLoops()) launcher.RemoveSpareLoops();
  }
}

Result<void> Serve(const Fd& control, Launcher& launcher) {
  while (true) {
    if (launcher.TakeHasOpenedNetwork()) (void)HasRequest(control, kRelayIsToldMs);
    launcher.OrderAhead();
    if (!HasRequest(control, launcher.one_shot() ? 0 : kPauseMs)) {
      while (launcher.DoIdleWork() && !HasRequest(control)) {
      }
    } else if (launcher.IsBehind()) {
      launcher.DoIdleWork();
    }
    Rest(control, launcher);
    const auto packet = ReceivePacket(control);
    // It hung up, perhaps without having read the last answer.
    if (packet ? !*packet : packet.error().sys_errno() == ECONNRESET) return {};
    if (!packet) return Failure(packet.error());
    TRY(Send(control, Answer(launcher, (*packet)->body)));
  }
}

}  // namespace

int ServeLauncher(Fd control, GuestMain guest) {
  BecomeNamed("cay-launcher");
  // A ^C at the terminal reaches the whole process group; when to end is the client's to say, by
  // closing its end.
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(ignored, SIG_IGN);
  const auto hello = ReceivePacket(control);
  if (!hello || !*hello) return 1;
  auto launcher = OpenFor(**hello, guest);
  if (!launcher) {
    (void)Send(control, Failure(launcher.error()));
    return 1;
  }
  if (!Send(control, Reply{Success().text(), {}})) return 1;
  const Result<void> served = Serve(control, *launcher);
  if (!served) LogError("the launcher stops: " + served.error().message());
  launcher->DestroyEphemeral();
  return served ? 0 : 1;
}

}  // namespace cay::engine::native
