// What sandboxes are to their users: what is asked for, what there is, what happened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/privileges.h"
#include "base/string_map.h"
#include "base/units.h"
#include "build/packages/rules/asked_packages.h"
#include "engine/engine.h"
#include "network/link/limits.h"
#include "network/policy/policy.h"
#include "network/policy/publish.h"
#include "sandbox/guest_end.h"
#include "sandbox/startup.h"

namespace cay::sandbox {

// The owner of what is made while the server has no keys.
inline constexpr const char* kOwnerWithoutKey = "local";

// The caller of a request. An owner is a person, a team or a project, and may have many keys.
// Sandboxes belong to the owner, not to the key; those of other owners do not exist for a caller
// who is no administrator.
struct Caller {
  std::string owner;  // [A-Za-z0-9][A-Za-z0-9._@+-]{0,63} (CheckOwnerName); kOwnerWithoutKey
  bool admin = false;
  size_t max_sandboxes = 0;  // of this owner at a time; 0: what the server allows every owner
};

// What a caller calls a sandbox that is not its id: "web" is the caller's own, "team/web" of the
// owner "team". Neither owners nor names have a slash.
struct QualifiedName {
  std::string owner;
  std::string name;
};
QualifiedName Qualify(const Caller& caller, std::string_view which);

// The life of a sandbox (state_machine.h). Its creator never sees kCreating; other callers do.
enum class SandboxState : uint8_t { kCreating, kRunning, kPaused, kStopped, kFailed, kDestroyed };
std::string_view SandboxStateName(SandboxState state);  // "running" …
std::optional<SandboxState> SandboxStateFromName(std::string_view name);

enum class OnTimeout : uint8_t { kDestroy, kStop, kPause };
std::string_view OnTimeoutName(OnTimeout action);
std::optional<OnTimeout> OnTimeoutFromName(std::string_view name);

// A secret as a sandbox has it: a variable of its programs, and the placeholder in it, which is
// made with the sandbox and worth nothing outside of it.
struct GrantedSecret {
  std::string name{};
  std::string variable{};
  std::string placeholder{};
  friend bool operator==(const GrantedSecret&, const GrantedSecret&) = default;
};

// What a sandbox reaches, and how much of it it may use.
struct NetworkSpec {
  network::Spec policy{};
  static constexpr size_t kMaxJoin = 16;
  static constexpr size_t kMaxAliases = 8;
  static constexpr size_t kMaxPublish = 16;

  network::NetworkLimits limits{};
  // Networks of its owner's sandboxes, which reach each other's listening ports by name …
  std::vector<std::string> join{};
  std::vector<std::string> aliases{};  // … or by these
  std::vector<std::string>
      publish{};  // network::PublishRule; made: with the ports that were chosen
  std::vector<std::string> secrets{};    // of its owner, by their names
  std::vector<GrantedSecret> granted{};  // made: one for each of them

  // As a client asked for it, until it is resolved: whether it did at all, and for which of the
  // limits (bit 0: the first of fields::NetworkLimits). What it left out is the template's, or the
  // server's.
  bool said = false;
  uint32_t said_limits = 0;

  // Whether nothing is reached from inside.
  bool none() const { return policy.mode == network::Mode::kNone && join.empty(); }
  friend bool operator==(const NetworkSpec&, const NetworkSpec&) = default;
};

// A volume of the sandbox's owner, by its name, and where it is inside.
struct VolumeUse {
  std::string name{};
  std::string path{};
  bool read_only = false;

  friend bool operator==(const VolumeUse&, const VolumeUse&) = default;
};

// What a sandbox's template is to have beside what it has: as it was asked for, and, where it was
// made, the template of it.
struct PackagesSpec {
  build::AskedPackages asked{};  // made: the packages alone, each with its manager
  std::string template_name{};   // that has them; empty: not made yet
  // Of this create alone: whose packages are that do not say it; and how long it waits for a build.
  // Nothing: what the template has, what the server's configuration has.
  std::optional<build::Manager> usual{};
  std::optional<Millis> patience{};

  bool none() const { return asked.none(); }
};

// What a client asks for. What it leaves out comes from the server's configuration.
struct SandboxSpec {
  std::string template_name{};  // "": the configured default
  std::string
      name{};  // of the caller's choice, unique among its owner's; may be empty. [A-Za-z0-9][A-Za-z0-9._-]{0,127}
  std::string description{};  // free text, for people
  std::string project{};      // then its files are under /workspace/project_files. As `name`
  std::optional<Bytes> memory{};
  std::optional<MilliCpus> cpus{};
  std::optional<uint32_t> pids{};
  std::optional<Bytes> disk{};
  std::optional<uint64_t> open_files{};
  std::optional<Bytes> file_size{};
  std::optional<Millis>
      cpu_time{};  // processor time of each process, unless its starter says otherwise; 0: any
  std::optional<Millis> timeout{};       // life from creation; 0: none, where the maximum allows it
  std::optional<Millis> idle_timeout{};  // without activity; 0: none
  std::optional<OnTimeout> on_timeout{};
  StringMap env{};        // of every process
  StringMap metadata{};   // labels: kept, listed, filtered by; never looked at
  std::string user{};     // of every process; "" is the template's
  std::string workdir{};  // of every process; "" is the template's
  std::string hostname{};
  // What is started with it; and what comes after the entrypoint, instead of the image's. With
  // `cmd` alone it is the image's entrypoint.
  AskedEntrypoint entrypoint{};
  std::vector<std::string> cmd{};
  PackagesSpec packages{};              // that its template is to have beside its own
  NetworkSpec network{};                // none, unless something else is asked for
  std::vector<engine::Mount> mounts{};  // only below the roots that the administrator listed
  std::vector<engine::Tmpfs> tmpfs{};
  std::vector<VolumeUse> volumes{};
  bool noexec = false;
  bool read_only = false;
  Privileges privileges = Privileges::kNone;  // kRoot only where the administrator allows it
  bool best_effort = false;
  std::string
      face{};  // an earlier system's, whose list shows only what was made by it; empty: Cay's own
};

// What can be changed of a living one.
struct SandboxChange {
  std::optional<Bytes> memory{};
  std::optional<MilliCpus> cpus{};
  std::optional<uint32_t> pids{};
  std::optional<Millis> timeout{};  // from now
  std::optional<Millis> idle_timeout{};
  std::optional<OnTimeout> on_timeout{};
  std::optional<std::string> name{};
  std::optional<std::string> description{};
  std::optional<StringMap> metadata{};   // replaces all
  std::optional<NetworkSpec> network{};  // likewise
};

// What there is.
struct SandboxView {
  SandboxId id;
  SandboxState state = SandboxState::kRunning;
  std::string
      reason{};  // of the state: "created", "idle_timeout", "requested", "oom_killed", "lost: …"
  GuestEndKind guest_end = GuestEndKind::kUnknown;  // of a failed one: how its guest ended
  std::string owner{};
  SandboxSpec spec{};  // as asked for, with what was left out filled in
  engine::Limits limits{};
  std::vector<engine::NotEnforced> not_enforced{};
  int64_t created_unix_ms = 0;
  int64_t started_unix_ms = 0;  // of the last start
  int64_t last_activity_unix_ms = 0;
  std::optional<int64_t> expires_unix_ms{};  // when its life ends
  std::optional<int64_t>
      idle_expires_unix_ms{};           // when it will have been idle too long, as it looks now
  uint64_t executions = 0;              // processes ever started
  uint64_t running = 0;                 // processes that run
  std::optional<Startup> startup{};     // nothing: none was asked for
  std::optional<CheckReport> health{};  // what its image's test found; nothing: it is not tested
  bool from_pool = false;
  engine::StageTimes stage_us{};  // of its create; zeros when from the pool, and until it is made
  uint64_t create_us = 0;         // the whole create, as the server saw it
};

// One thing that happened. Types: "sandbox.created", "sandbox.running", "sandbox.paused",
// "sandbox.resumed", "sandbox.stopped", "sandbox.started", "sandbox.failed", "sandbox.destroyed",
// "sandbox.reset", "sandbox.updated", "sandbox.extended", "sandbox.network_denied",
// "execution.started", "execution.flagged", "execution.completed", "execution.error",
// "file.uploaded", "server.started", "server.adopted", "server.lost", "server.orphaned",
// "sandbox.adopted", "sandbox.publish_failed", "sandbox.startup_started", "sandbox.startup_failed",
// "sandbox.health".
struct Event {
  uint64_t id = 0;  // ascending, also over restarts
  int64_t unix_ms = 0;
  std::string type{};
  std::string sandbox{};  // its id; empty for the server's own
  std::string owner{};    // who may see it
  std::string reason{};   // "requested", "idle_timeout", "lifetime", "oom_killed" …
  std::string data{};     // a JSON object's text; may be empty
};

struct ListFilter {
  std::optional<SandboxState> state{};
  std::string project{};
  std::string template_name{};
  StringMap metadata{};               // all of these
  std::string owner{};                // empty: everybody's that the caller may see
  std::optional<std::string> face{};  // SandboxSpec::face
  std::string cursor{};               // Page::next of the page before
  size_t limit = 100;                 // at most 1000
};

struct Page {
  std::vector<SandboxView> sandboxes;  // newest first
  std::string next;                    // empty: the last page
};

// What opening found.
struct ReconcileReport {
  size_t adopted = 0;                                     // promised, and there
  std::vector<std::pair<std::string, std::string>> lost;  // promised, not there: id, why
  size_t removed = 0;                                     // there, promised to nobody: destroyed
  size_t orphaned = 0;  // there, promised, and named by no row: left to themselves (orphans.h)
};

// A sandbox that was promised to somebody, by its own account, and that the store does not know:
// the database was lost, or is an older one. It runs on; nobody can use it, and no deadline ends
// it.
struct Orphan {
  SandboxId id;
  int64_t since_unix_ms = 0;
  int64_t created_unix_ms = 0;
  std::string owner{};  // that in its record; empty: not known
  std::string name{};
  std::string template_name{};
  engine::State state = engine::State::kRunning;
  std::string damage{};  // why it cannot be adopted; empty: it can
};

// The new owner and name of an orphan; what is left out stays as it was, and the owner is the
// caller where nothing says whose it was.
struct Adoption {
  std::optional<std::string> owner{};
  std::optional<std::string> name{};
};

// What a create's Idempotency-Key stands for.
struct Idempotency {
  std::string key{};  // empty: none
  // What the client sent, in a form that is equal for equal requests. Not the spec that was made of
  // it: that grows with each field that a newer program knows, and a key outlives the program.
  std::string asked{};
};

}  // namespace cay::sandbox
