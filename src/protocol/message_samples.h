// One sample of every message, with every field set that protocol version 1 has: what guests of
// that version understand and say. Their frames are kept as bytes for each release
// (frozen_messages_test.cc). Fields of later versions keep their defaults: a sample is what every
// guest knows.
#pragma once

#include <string>
#include <vector>

#include "protocol/file_messages.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/process_messages.h"

namespace cay::protocol::samples {

inline Exited MakeExited() {
  return {.exit_code = -3,
          .signal = 9,
          .core_dumped = true,
          .cpu_us = 70'000,
          .max_rss_bytes = 1 << 20,
          .end_seq = 300,
          .output_cut = true,
          .leftover_count = 2,
          .leftovers = {12, -13}};
}

inline FileInfo MakeFileInfo() {
  return {.path = "a/b",
          .kind = FileKind::kSymlink,
          .mode = 0640,
          .uid = 1000,
          .gid = 7,
          .size = 70'000,
          .modified_unix_ns = -5,
          .link_target = "../c"};
}

inline StartRequest MakeStart() {
  return {.argv = {"sh", "-c", "exit"},
          .env = {"A=b"},
          .cwd = "/tmp",
          .user = "root",
          .stdin_open = true,
          .terminal = TerminalSize{.rows = 50, .columns = 132},
          .rlimits = {{.kind = RlimitKind::kMemlock, .value = 64}},
          .ring_bytes = 65'536,
          .overflow = Overflow::kDrop,
          .account_env = {},
          .shell = false,
          .make_directory = false,
          .passing = false};
}

// With the fields that came with version 2.
inline StartRequest MakeStartWithDefaults() {
  StartRequest start = MakeStart();
  start.account_env = {"HOME", "SHELL"};
  start.shell = true;
  start.make_directory = true;
  return start;
}

// With the field that came with version 3.
inline StartRequest MakePassingStart() {
  StartRequest start = MakeStartWithDefaults();
  start.passing = true;
  return start;
}

inline ProcessInfo MakeProcessInfo() {
  return {.process = 4,
          .pid = 17,
          .argv = {"sleep", "9"},
          .terminal = true,
          .stdin_open = true,
          .started_unix_ms = 1'700'000'000'000,
          .first_seq = 1,
          .end_seq = 300,
          .exited = MakeExited()};
}

// Calls visit(name, frame type, message) for each.
template <class Visit>
void ForEachMessage(const Visit& visit) {
  visit("Start", FrameType::kStart, MakeStart());
  visit("StartWithDefaults", FrameType::kStart, MakeStartWithDefaults());
  visit("StartPassing", FrameType::kStart, MakePassingStart());
  visit("Attach", FrameType::kAttach, AttachRequest{.process = 4, .from_seq = 300});
  visit("Signal", FrameType::kSignal,
        SignalRequest{.process = 4, .signal = 15, .target = SignalTarget::kLeader});
  visit("Resize", FrameType::kResize,
        ResizeRequest{.process = 4, .size = {.rows = 1, .columns = 2}});
  visit("OpenStdin", FrameType::kOpenStdin, ProcessRequest{.process = 4});
  visit("KillLeftovers", FrameType::kKillLeftovers, ProcessRequest{.process = 4});
  visit("Wait", FrameType::kWait, ProcessRequest{.process = 4});
  visit("ReadFile", FrameType::kReadFile,
        ReadFileRequest{.user = "root", .path = "/a", .offset = 5, .length = 300});
  visit("WriteFile", FrameType::kWriteFile,
        WriteFileRequest{.user = "root", .path = "/a", .mode = 0600, .make_parents = true});
  visit("List", FrameType::kList,
        ListRequest{.user = "root", .path = "/a", .depth = 3, .max_entries = 9});
  visit("Stat", FrameType::kStat, StatRequest{.user = "root", .path = "/a", .follow = false});
  visit("MakeDirectory", FrameType::kMakeDirectory,
        MakeDirectoryRequest{.user = "root", .path = "/a", .mode = 0700, .parents = true});
  visit("Move", FrameType::kMove,
        MoveRequest{.user = "root", .from = "/a", .to = "/b", .replace = true});
  visit("Remove", FrameType::kRemove,
        RemoveRequest{.user = "root", .path = "/a", .recursive = true, .missing_is_fine = true});
  visit("ChangeMode", FrameType::kChangeMode,
        ChangeModeRequest{.user = "root", .path = "/a", .mode = 0600});
  visit("Watch", FrameType::kWatch, WatchRequest{.user = "root", .path = "/a", .recursive = true});
  visit("ArchiveOut", FrameType::kArchiveOut,
        ArchiveOutRequest{.user = "root",
                          .path = "/a",
                          .format = ArchiveFormat::kTarZstd,
                          .contents = true,
                          .max_bytes = 300,
                          .max_entries = 9});
  visit("ArchiveIn", FrameType::kArchiveIn,
        ArchiveInRequest{.user = "root",
                         .path = "/a",
                         .format = ArchiveFormat::kTarGzip,
                         .make_parents = false,
                         .max_bytes = 300,
                         .max_entries = 9});
  visit("ConnectPort", FrameType::kConnectPort, ConnectPortRequest{.port = 8080});
  visit("Info", FrameType::kInfo,
        Info{.protocol_version = 1,
             .guest_version = "0.1.0",
             .running = 2,
             .kept = 3,
             .single_user = true,
             .disk_free_bytes = 70'000,
             .inodes_free = 300});
  visit("Started", FrameType::kStarted, Started{.process = 4, .pid = 17});
  visit("StartedByShell", FrameType::kStarted,
        Started{.process = 4, .pid = 17, .shell = "/bin/bash"});
  visit("Gap", FrameType::kGap, Gap{.from = 1, .to = 300});
  visit("StdinAck", FrameType::kStdinAck, StdinAck{.taken = 300, .closed = true});
  visit("Exited", FrameType::kExited, MakeExited());
  visit("ProcessList", FrameType::kProcessList, ProcessList{.processes = {MakeProcessInfo()}});
  visit("LeftoversKilled", FrameType::kLeftoversKilled,
        LeftoversKilled{.killed = 2, .remaining = 1});
  visit("FileInfo", FrameType::kFileInfo, MakeFileInfo());
  visit("Entries", FrameType::kEntries, Entries{.entries = {MakeFileInfo()}});
  visit("WatchEvents", FrameType::kWatchEvents,
        WatchEvents{.events = {{.kind = WatchKind::kRenamed, .path = "a", .directory = true}}});
  visit("ArchiveDone", FrameType::kArchiveDone,
        ArchiveDone{.entries = 2, .bytes = 300, .skipped = 1});
  visit("Error", FrameType::kError,
        ErrorMessage{.code = "not_found",
                     .callers_fault = true,
                     .message = "gone",
                     .remedy = "look",
                     .sys_errno = 2});
}

}  // namespace cay::protocol::samples
