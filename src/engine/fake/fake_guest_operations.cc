#include <signal.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/clock.h"
#include "base/units.h"
#include "engine/fake/fake_guest.h"
#include "protocol/file_messages.h"

namespace cay::engine::fake {
namespace {

using protocol::Decode;
using protocol::Encode;
using protocol::FrameType;
using protocol::MakeFrame;

Error NotPlayed(std::string_view what) {
  return Error(ErrorCode::kNotSupported, Fault::kCaller,
               "the fake guest does not play " + std::string(what));
}

// A number that a command is given; nothing for what is none.
std::optional<double> NumberOf(const std::vector<std::string>& argv) {
  if (argv.size() != 2) return std::nullopt;
  double number = 0;
  const char* const end = argv[1].data() + argv[1].size();
  const auto parsed = std::from_chars(argv[1].data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

// As a number of things, of which there is at least one.
uint64_t CountOf(const std::vector<std::string>& argv) {
  return static_cast<uint64_t>(std::clamp(NumberOf(argv).value_or(1), 1.0, 1e6));
}

std::string CommandOf(const std::vector<std::string>& argv) {
  const std::string& path = argv.front();
  return path.substr(path.rfind('/') + 1);
}

bool IsPlayed(const std::string& command) {
  static constexpr std::string_view kCommands[] = {"true",  "false",    "exit",  "echo", "cat",
                                                   "sleep", "stubborn", "breed", "leave"};
  return std::ranges::find(kCommands, command) != std::end(kCommands);
}

protocol::FileInfo InfoOf(std::string path, size_t size) {
  return {.path = std::move(path),
          .mode = 0644,
          .uid = 1000,
          .gid = 1000,
          .size = size,
          .link_target = {}};
}

}  // namespace

Result<FakeGuest::Process*> FakeGuest::Find(uint64_t id) {
  const auto found = std::ranges::find(processes_, id, &Process::id);
  if (found != processes_.end()) return &*found;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no such process"));
}

protocol::ProcessList FakeGuest::Listing() const {
  protocol::ProcessList list;
  for (const Process& process : processes_) {
    if (process.passing) continue;
    list.processes.push_back({.process = process.id,
                              .pid = static_cast<int32_t>(process.id + 1),
                              .argv = process.argv,
                              .stdin_open = process.stdin_open,
                              .started_unix_ms = process.started_unix_ms,
                              .end_seq = process.end_seq,
                              .exited = process.exited});
  }
  return list;
}

void FakeGuest::Print(Process& process, FrameType stream, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, protocol::kMaxDataBytes);
    process.output.push_back({stream, process.end_seq, std::string(part)});
    process.end_seq += part.size();
    bytes.remove_prefix(part.size());
  }
}

void FakeGuest::Play(Process& process) {
  const std::string command = process.argv.front();
  if (command == "true") Exit(process, 0, 0);
  if (command == "false") Exit(process, 1, 0);
  if (command == "exit") Exit(process, static_cast<int>(NumberOf(process.argv).value_or(2)), 0);
  if (command == "echo") {
    std::string line;
    for (size_t i = 1; i < process.argv.size(); ++i)
      line.append(i == 1 ? "" : " ").append(process.argv[i]);
    Print(process, FrameType::kStdout, line + "\n");
    Exit(process, 0, 0);
  }
  if (command == "cat" && !process.stdin_open) Exit(process, 0, 0);
  if (command == "breed") process.escapes = CountOf(process.argv) - 1;
  if (command == "leave") {
    process.leftovers = CountOf(process.argv);
    Exit(process, 0, 0);
  }
  if (command == "sleep") {
    const auto seconds = NumberOf(process.argv);
    if (!seconds || *seconds < 0 || *seconds > 1e6) return Exit(process, 1, 0);
    process.ends = Clock::now() + Millis(static_cast<Millis::rep>(*seconds * 1000));
  }
}

Result<void> FakeGuest::OnStart(Connection& connection, const protocol::StartRequest& request) {
  if (request.argv.empty()) return Failure(Error::Invalid("there is no command"));
  const std::string command = CommandOf(request.argv);
  if (!IsPlayed(command)) {
    return Failure(Error(ErrorCode::kCommandNotFound, Fault::kCaller,
                         "the fake guest does not know the command " + command.substr(0, 64)));
  }
  const auto runs = [](const Process& process) { return !process.exited; };
  if (std::ranges::count_if(processes_, runs) >= std::ptrdiff_t{protocol::kMaxRunning}) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kCaller, "too many processes"));
  }
  Process& process = processes_.emplace_back(Process{.id = processes_.size() + 1,
                                                     .argv = request.argv,
                                                     .stdin_open = request.stdin_open,
                                                     .passing = request.passing,
                                                     .started_unix_ms = UnixMs()});
  process.argv.front() = command;
  connection.role = Role::kFollows;
  connection.process = &process;
  connection.out += MakeFrame(
      FrameType::kStarted, Encode(protocol::Started{.process = process.id,
                                                    .pid = static_cast<int32_t>(process.id + 1)}));
  Play(process);
  return {};
}

// What comes after a request.
Result<void> FakeGuest::OnFrame(Connection& connection, const protocol::Frame& frame) {
  if (connection.ends) return {};
  switch (connection.role) {
    case Role::kNone:
      return OnRequest(connection, frame);
    case Role::kFollows:
      if (frame.type == FrameType::kSignal) {
        Signal(*connection.process,
               static_cast<int>(TRY(Decode<protocol::SignalRequest>(frame.payload)).signal));
        return {};
      }
      if (frame.type == FrameType::kResize) return {};
      return OnStdin(connection, frame);
    case Role::kFeeds:
      return OnStdin(connection, frame);
    case Role::kWrites:
      if (frame.type == FrameType::kData) {
        if (connection.content.size() + frame.payload.size() > kMaxFakeFileBytes) {
          return Failure(
              Error(ErrorCode::kResourceExhausted, Fault::kCaller, "the file is too large"));
        }
        connection.content += frame.payload;
        return {};
      }
      connection.out += MakeFrame(FrameType::kFileInfo,
                                  Encode(InfoOf(connection.path, connection.content.size())));
      files_->Write(connection.path, std::move(connection.content));
      connection.ends = true;
      return {};
    case Role::kWaits:
      break;
  }
  return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, "nothing is expected here"));
}

Result<void> FakeGuest::OnStdin(Connection& connection, const protocol::Frame& frame) {
  Process& process = *connection.process;
  const bool plays = process.argv.front() == "cat" && process.stdin_open && !process.exited;
  if (frame.type == FrameType::kStdinData && !frame.payload.empty()) {
    connection.fed += frame.payload.size();
    if (plays) Print(process, FrameType::kStdout, frame.payload);
    connection.out +=
        MakeFrame(FrameType::kStdinAck, Encode(protocol::StdinAck{.taken = connection.fed}));
    return {};
  }
  if (frame.type == FrameType::kStdinEnd && plays) Exit(process, 0, 0);
  if (connection.role == Role::kFeeds) {
    connection.out += MakeFrame(FrameType::kDone, "");
    connection.ends = true;
  }
  return {};
}

Result<void> FakeGuest::OnRequest(Connection& connection, const protocol::Frame& frame) {
  switch (frame.type) {
    case FrameType::kPing: {
      const auto runs = [](const Process& process) { return !process.exited; };
      const auto running = static_cast<uint64_t>(std::ranges::count_if(processes_, runs));
      connection.out += MakeFrame(FrameType::kInfo, Encode(protocol::Info{.guest_version = "fake",
                                                                          .running = running,
                                                                          .kept = processes_.size(),
                                                                          .disk_free_bytes = kGiB,
                                                                          .inodes_free = 65'536}));
      connection.ends = true;
      return {};
    }
    case FrameType::kStart:
      return OnStart(connection, TRY(Decode<protocol::StartRequest>(frame.payload)));
    case FrameType::kAttach:
    case FrameType::kWait:
    case FrameType::kOpenStdin:
    case FrameType::kListProcesses:
    case FrameType::kSignal:
    case FrameType::kKillLeftovers:
      return OnProcessRequest(connection, frame);
    default:
      return OnFileRequest(connection, frame);
  }
}

Result<void> FakeGuest::OnProcessRequest(Connection& connection, const protocol::Frame& frame) {
  if (frame.type == FrameType::kListProcesses) {
    connection.out += MakeFrame(FrameType::kProcessList, Encode(Listing()));
    connection.ends = true;
  } else if (frame.type == FrameType::kSignal) {
    const auto request = TRY(Decode<protocol::SignalRequest>(frame.payload));
    Signal(*TRY(Find(request.process)), static_cast<int>(request.signal));
    connection.out += MakeFrame(FrameType::kDone, "");
    connection.ends = true;
  } else if (frame.type == FrameType::kKillLeftovers) {
    Process* const process =
        TRY(Find(TRY(Decode<protocol::ProcessRequest>(frame.payload)).process));
    connection.out += MakeFrame(FrameType::kLeftoversKilled, Encode(Kill(*process)));
    connection.ends = true;
  } else if (frame.type == FrameType::kAttach) {
    const auto request = TRY(Decode<protocol::AttachRequest>(frame.payload));
    Process* const process = TRY(Find(request.process));
    if (request.from_seq > process->end_seq) return Failure(Error::Invalid("it wrote less"));
    connection.process = process;
    connection.role = Role::kFollows;
    connection.next_seq = request.from_seq;
    connection.out +=
        MakeFrame(FrameType::kStarted,
                  Encode(protocol::Started{.process = process->id,
                                           .pid = static_cast<int32_t>(process->id + 1)}));
  } else {
    connection.process = TRY(Find(TRY(Decode<protocol::ProcessRequest>(frame.payload)).process));
    connection.role = frame.type == FrameType::kWait ? Role::kWaits : Role::kFeeds;
  }
  return {};
}

Result<void> FakeGuest::OnFileRequest(Connection& connection, const protocol::Frame& frame) {
  const auto missing = [](const std::string& path) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, path + ": no such file"));
  };
  if (frame.type == FrameType::kWriteFile) {
    connection.path = TRY(Decode<protocol::WriteFileRequest>(frame.payload)).path;
    connection.role = Role::kWrites;
    return {};
  }
  if (frame.type == FrameType::kReadFile) {
    const auto request = TRY(Decode<protocol::ReadFileRequest>(frame.payload));
    const auto content = files_->Read(request.path);
    if (!content) return missing(request.path);
    connection.out +=
        MakeFrame(FrameType::kFileInfo, Encode(InfoOf(request.path, content->size())));
    std::string_view left = *content;
    left = left.substr(std::min<uint64_t>(request.offset, left.size()));
    left = left.substr(0, std::min<uint64_t>(request.length, left.size()));
    for (; !left.empty(); left.remove_prefix(std::min(left.size(), protocol::kMaxDataBytes)))
      connection.out += MakeFrame(FrameType::kData, left.substr(0, protocol::kMaxDataBytes));
    connection.out += MakeFrame(FrameType::kDataEnd, "");
  } else if (frame.type == FrameType::kStat) {
    const auto request = TRY(Decode<protocol::StatRequest>(frame.payload));
    const auto content = files_->Read(request.path);
    if (!content) return missing(request.path);
    connection.out +=
        MakeFrame(FrameType::kFileInfo, Encode(InfoOf(request.path, content->size())));
  } else if (frame.type == FrameType::kRemove) {
    const auto request = TRY(Decode<protocol::RemoveRequest>(frame.payload));
    if (!files_->Remove(request.path) && !request.missing_is_fine) return missing(request.path);
    connection.out += MakeFrame(FrameType::kDone, "");
  } else {
    return Failure(NotPlayed("requests of that kind"));
  }
  connection.ends = true;
  return {};
}

}  // namespace cay::engine::fake
