// Fields of sandboxes, and of what happens to them, in requests and in answers, each field once
// (base/field.h). Made of these lists: the documents of the store (records/sandbox_json.cc), the
// API's readers and writers (api/rest/sandboxes/sandbox_json.cc) and its schemas
// (api/openapi/sandbox_schemas.cc). docs/extending.md says what else a new field needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/field.h"
#include "guest_link/process_verdict.h"
#include "network/link/secret.h"
#include "protocol/messages.h"
#include "sandbox/types.h"

namespace cay::sandbox::fields {

using field::About;

inline constexpr std::string_view kNamePattern = "^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$";
inline constexpr std::string_view kIdPattern = "^[a-z0-9]{20}$";
inline constexpr field::Strings kMetadata{.max_name = 128, .max = 64};
inline constexpr field::Word kAtTimeout{.schema = "OnTimeout"};
inline constexpr field::Word kState{.schema = "SandboxState"};

// An engine::Mount.
struct Mount {
  static void Of(auto& mount, auto& visit) {
    constexpr std::string_view kPath = "^/[^\\u0000]*$";
    visit(About{.name = "source", .needed = true}, field::Text{.pattern = kPath, .min_length = 1},
          mount.source);
    visit(About{.name = "target", .needed = true}, field::Text{.pattern = kPath, .min_length = 2},
          mount.target);
    visit(About{"read_only"}, field::Flag{.otherwise = true}, mount.read_only);
  }
};

// An engine::Tmpfs.
struct Tmpfs {
  static void Of(auto& tmpfs, auto& visit) {
    visit(About{.name = "target", .needed = true},
          field::Text{.pattern = "^/[^\\u0000]*$", .min_length = 2}, tmpfs.target);
    visit(About{"size"}, field::Size{}, tmpfs.size);
  }
};

// A VolumeUse.
struct UsedVolume {
  static constexpr std::string_view kNamePattern = "^[a-z0-9][a-z0-9._-]{0,63}$";
  static constexpr size_t kMost = 16;  // of one sandbox
  static void Of(auto& volume, auto& visit) {
    visit(About{.name = "name", .kept = "name", .needed = true},
          field::Text{.pattern = kNamePattern}, volume.name);
    visit(About{.name = "path", .kept = "path", .text = "inside", .needed = true},
          field::Text{.pattern = "^/[^\\u0000]*$", .min_length = 2}, volume.path);
    visit(About{"read_only", "read_only", "then other sandboxes can read it at the same time"},
          field::Flag{}, volume.read_only);
  }
};

// A network::NetworkLimits. `idle_seconds` is a time in requests, and read by the reader of those.
struct NetworkLimits {
  static constexpr std::string_view kSchema = "NetworkLimits";
  static void Of(auto& limits, auto& visit) {
    visit(About{"connections", "connections", "at the same time"},
          field::Count{.min = 1, .max = network::NetworkLimits::kMaxConnections},
          limits.connections);
    visit(About{"connections_per_second", "connections_per_second",
                "new ones; twice as many at once"},
          field::Count{.min = 1, .max = UINT32_MAX}, limits.connections_per_second);
    visit(About{"bytes_per_second", "bytes_per_second",
                "both directions together; 0: as much as there is"},
          field::Size{}, limits.bytes_per_second);
    visit(About{"bytes", "bytes",
                "both directions together, since the network was opened; 0: any number"},
          field::Size{}, limits.bytes);
    visit(About{"idle", "idle_seconds",
                "a connection on which nothing is sent for so long ends; whole seconds"},
          field::Duration{}, limits.idle_seconds);
  }
};

// A GrantedSecret: not of clients.
struct Granted {
  static void Of(auto& granted, auto& visit) {
    visit(About{"name"}, field::Text{}, granted.name);
    visit(About{"variable"}, field::Text{}, granted.variable);
    visit(About{"placeholder"}, field::Text{}, granted.placeholder);
  }
};

// A NetworkSpec.
struct Network {
  static constexpr std::string_view kSchema = "NetworkSpec";
  static void Of(auto& spec, auto& visit) {
    constexpr size_t kMost = network::Spec::kMaxRules;
    visit(About{"mode", "mode",
                "none; allow: what allow and presets name; open: the public internet, and what "
                "they name. Left out: allow where they name something, otherwise none"},
          field::Word{.words = kModes}, spec.policy.mode);
    visit(About{"allow", "allow", "rules, as in \"example.com:443\""},
          field::Texts{.max_length = network::Rule::kMaxBytes, .max = kMost}, spec.policy.allow);
    visit(About{"deny", "deny", "rules, which come before all that allow"},
          field::Texts{.max_length = network::Rule::kMaxBytes, .max = kMost}, spec.policy.deny);
    visit(About{"presets", "presets", "names of lists of rules, as in \"pypi\""},
          field::Texts{.max_length = network::Rule::kMaxBytes, .max = kMost}, spec.policy.presets);
    visit(About{"dns", "dns",
                "names: a name has an address that stands for it, and nobody is asked before "
                "there is a connection; real: its own servers are asked, for MX, SRV and TXT, too"},
          field::Word{.words = kDnsModes}, spec.policy.dns);
    visit(About{"join", "join",
                "networks of sandboxes of one owner, which reach each other's listening ports by "
                "name"},
          field::Texts{.max_length = kMaxNetworkName, .max = NetworkSpec::kMaxJoin}, spec.join);
    visit(About{"aliases", "aliases", "other names of it there"},
          field::Texts{.max_length = kMaxNetworkName, .max = NetworkSpec::kMaxAliases},
          spec.aliases);
    visit(About{"publish", "publish",
                "ports of the machine that lead to ports of it: [ADDRESS:]HOST_PORT:PORT, on "
                "127.0.0.1 unless another address is said; 0 as the HOST_PORT: one is chosen"},
          field::Texts{.max_length = network::PublishRule::kMaxBytes,
                       .max = NetworkSpec::kMaxPublish},
          spec.publish);
    visit(
        About{"secrets", "secrets",
              "names of its owner's secrets: its programs have placeholders of them in variables, "
              "and where they send those to a secret's hosts, the value arrives"},
        field::Texts{.pattern = kSecretPattern,
                     .max_length = network::Secret::kMaxName,
                     .max = network::Secret::kMostOfASandbox},
        spec.secrets);
    visit(About{"limits", "limits"}, field::Object<NetworkLimits>{}, spec.limits);
    visit(About{{}, "granted"}, field::Objects<Granted>{}, spec.granted);
  }
  static constexpr std::string_view kSecretPattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$";
  static constexpr size_t kMaxNetworkName = 64;
  static constexpr std::array<std::string_view, 3> kModes = {"none", "allow", "open"};
  static constexpr std::array<std::string_view, 2> kDnsModes = {"names", "real"};
};

// A SandboxChange: what can be asked for at a create and changed later. The members have the same
// names in both.
struct Change {
  static constexpr std::string_view kSchema = "SandboxChange";
  static void Of(auto& one, auto& visit) {
    visit(About{"name", "name"}, field::Text{.pattern = kNamePattern}, one.name);
    visit(About{"description", "description", "free text of at most 4096 bytes, for people"},
          field::Text{}, one.description);
    visit(About{"memory_limit", "memory"}, field::Size{}, one.memory);
    visit(About{"cpu_limit", "cpus"}, field::Cpus{}, one.cpus);
    visit(About{"pids_limit", "pids"}, field::Count{.min = 4, .max = 4'194'304}, one.pids);
    visit(About{"timeout", "timeout_ms"}, field::Duration{}, one.timeout);
    visit(About{"idle_timeout", "idle_timeout_ms"}, field::Duration{}, one.idle_timeout);
    visit(About{"on_timeout", "on_timeout"}, kAtTimeout, one.on_timeout);
    visit(About{"metadata", "metadata"}, kMetadata, one.metadata);
    visit(About{"network", "network"}, field::Own{.schema = "NetworkAsked"}, one.network);
  }
};

// A SandboxSpec.
struct Spec {
  static constexpr std::string_view kSchema = "SandboxSpec";
  static void Of(auto& spec, auto& visit) {
    visit(About{"template", "template"},
          field::Text{.pattern = "^([a-z0-9][a-z0-9._-]{0,63})?$", .alias = "environment"},
          spec.template_name);
    visit(About{"project_name", "project"}, field::Text{.pattern = kNamePattern}, spec.project);
    Change::Of(spec, visit);
    visit(About{"disk_limit", "disk"}, field::Size{}, spec.disk);
    visit(About{"open_files_limit", "open_files"}, field::Count{}, spec.open_files);
    visit(About{"file_size_limit", "file_size"}, field::Size{}, spec.file_size);
    visit(
        About{
            "cpu_time_limit", "cpu_time_ms",
            "processor time of each process, in whole seconds, unless its starter says otherwise; "
            "0: no limit"},
        field::Duration{}, spec.cpu_time);
    visit(About{"env", "env"}, field::kEnvironment, spec.env);
    visit(About{"environment_config", "packages",
                "packages that its template is to have beside its own, and variables"},
          field::Own{.schema = "EnvironmentConfig"}, spec.packages);
    visit(About{"mounts", "mounts"}, field::Objects<Mount>{.max = 32, .max_read = 64}, spec.mounts);
    visit(About{"tmpfs", "tmpfs"}, field::Objects<Tmpfs>{.max = 64, .max_read = 64}, spec.tmpfs);
    visit(About{"volumes", "volumes",
                "of its owner: it has them until it is destroyed, whether it runs or not"},
          field::Objects<UsedVolume>{.max = UsedVolume::kMost, .max_read = UsedVolume::kMost},
          spec.volumes);
    visit(About{"user", "user", "a name, a uid, or uid:gid"},
          field::Text{.max_bytes = protocol::kMaxUserBytes,
                      .pattern = field::kWithoutNul,
                      .max_length = protocol::kMaxUserBytes},
          spec.user);
    visit(About{"workdir", "workdir"}, field::Text{.pattern = "^(/[^\\u0000]*)?$"}, spec.workdir);
    visit(About{"hostname", "hostname"}, field::Text{.pattern = "^[A-Za-z0-9.-]{0,64}$"},
          spec.hostname);
    visit(About{"entrypoint", "entrypoint",
                "a process that starts with it: true: as its image says, ENTRYPOINT and CMD; a "
                "list: this instead of the image's ENTRYPOINT, and without its CMD"},
          field::Own{.schema = "AskedEntrypoint"}, spec.entrypoint);
    visit(About{"cmd", "cmd",
                "what comes after the entrypoint, instead of the image's CMD; alone it is as with "
                "entrypoint true"},
          field::Texts{.pattern = field::kWithoutNul, .max = 1024}, spec.cmd);
    visit(About{"noexec", "noexec", "nothing writable is executable"}, field::Flag{}, spec.noexec);
    visit(About{"read_only", "read_only",
                "the root filesystem is read-only, except /tmp, /var/tmp, /run, /home, /root and "
                "/workspace; mounts are as they were asked for"},
          field::Flag{}, spec.read_only);
    visit(About{"privileges", "privileges",
                "none; root: processes of id 0 may change owners, modes and ids inside, and signal "
                "everybody there, where the administrator allows it (allow_root)"},
          field::Word{.words = kPrivilegesNames}, spec.privileges);
    visit(About{"best_effort", "best_effort",
                "limits that cannot be enforced here are reported instead of refused"},
          field::Flag{}, spec.best_effort);
    visit(About{{}, "face"}, field::Text{}, spec.face);
  }
};

// Limits as numbers. `cpu_time`: of each process; nothing of a pool.
struct LimitsInForce {
  const engine::Limits& limits;
  std::optional<Millis> cpu_time = std::nullopt;
};
struct Limits {
  static constexpr std::string_view kSchema = "Limits";
  static void Of(const LimitsInForce& force, auto& visit) {
    const engine::Limits& limits = force.limits;
    visit(About{"memory"}, field::Number{}, limits.memory);
    visit(About{"cpus"}, field::Fraction{}, limits.cpus / 1000.0);
    visit(About{"pids"}, field::Number{}, limits.pids);
    visit(About{"disk"}, field::Number{}, limits.disk);
    visit(About{"open_files"}, field::Number{}, limits.open_files);
    visit(About{"file_size"}, field::Number{}, limits.file_size);
    visit(
        About{.name = "cpu_time",
              .text = "seconds of processor time of each process; 0: no limit. Not told of a pool: "
                      "its sandboxes get it when they are taken",
              .sometimes = true},
        field::Seconds{}, force.cpu_time);
  }
};

// A sandbox::Startup.
struct Startup {
  static constexpr std::string_view kSchema = "Startup";
  static constexpr std::string_view kText =
      "the process that its creator had started with it, as it is since the last start; its output "
      "and its result are those of the process of that id";
  static void Of(const sandbox::Startup& one, auto& visit) {
    visit(About{"command"}, field::Texts{}, one.plan.command);
    visit(About{.name = "process_id", .text = "null where it has not been started"},
          field::Number{}, one.process == 0 ? std::nullopt : std::optional(one.process));
    visit(About{"state"}, field::Word{.words = kStartupStateNames}, StartupStateName(one.state));
    visit(About{.name = "reason", .text = "of one that failed to start, or was lost"},
          field::Text{}, one.reason);
    visit(About{"exit_code"}, field::Number{}, one.exit_code);
    visit(About{"signal"}, field::Text{},
          one.signal ? std::optional(SignalText(*one.signal)) : std::nullopt);
    visit(About{.name = "stop_signal", .text = "what a stop sends it before it kills"},
          field::Text{}, SignalText(one.plan.stop_signal));
    visit(About{"started_at"}, field::Time{}, one.started_unix_ms);
    visit(About{"ended_at"}, field::Time{}, one.ended_unix_ms);
  }
};

// A sandbox::CheckReport.
struct ImageHealth {
  static constexpr std::string_view kSchema = "ImageHealth";
  static constexpr std::string_view kText =
      "what the test that the image has (HEALTHCHECK) found since the last start; how near the "
      "sandbox is to its limits is told elsewhere (SandboxHealth)";
  static void Of(const CheckReport& report, auto& visit) {
    visit(About{"status"}, field::Word{.words = kCheckStatusNames}, CheckStatusName(report.status));
    visit(About{"failing_streak"}, field::Number{}, report.failing_streak);
    visit(About{.name = "log", .text = "the last results, the oldest first; empty in a list"},
          field::Objects<Result>{.max = kMaxCheckLog}, report.log);
  }

 private:
  struct Result {
    static void Of(const CheckResult& result, auto& visit) {
      visit(About{"started_at"}, field::Time{}, result.started_unix_ms);
      visit(About{"ended_at"}, field::Time{}, result.ended_unix_ms);
      visit(About{.name = "exit_code", .text = "-1: it took too long, or could not be run"},
            field::Number{}, result.exit_code);
      visit(About{.name = "output", .text = "the first 4096 bytes of both streams"}, field::Text{},
            result.output);
      visit(About{"output_truncated"}, field::Flag{}, result.output_truncated);
    }
  };
};

struct NotEnforced {
  static void Of(const engine::NotEnforced& missing, auto& visit) {
    visit(About{"limit"}, field::Text{}, engine::LimitName(missing.limit));
    visit(About{"why"}, field::Text{}, missing.why);
  }
};

// A SandboxView. In the order in which clients get them.
struct View {
  static constexpr std::string_view kSchema = "Sandbox";
  static void Of(const SandboxView& view, auto& visit) {
    const SandboxSpec& spec = view.spec;
    visit(About{"id"}, field::Text{.pattern = kIdPattern}, view.id.text());
    visit(About{"name"}, field::Text{}, spec.name);
    visit(About{"project_name"}, field::Text{}, spec.project);
    visit(About{"description"}, field::Text{}, spec.description);
    visit(About{"state"}, kState, SandboxStateName(view.state));
    visit(About{"status"}, kState, SandboxStateName(view.state));
    visit(About{"reason"}, field::Text{}, view.reason);
    visit(About{"template"}, field::Text{}, spec.template_name);
    visit(About{"environment"}, field::Text{}, spec.template_name);
    visit(About{.name = "packages", .text = "that its creator asked for, each with its manager"},
          field::Texts{}, spec.packages.asked.packages);
    visit(About{.name = "packages_template", .text = "what it was made from, to have them"},
          field::Text{}, spec.packages.template_name);
    visit(About{"owner"}, field::Text{}, view.owner);
    visit(About{"memory_limit"}, field::Text{}, FormatBytes(view.limits.memory));
    visit(About{"cpu_limit"}, field::Text{}, FormatCpus(view.limits.cpus));
    visit(About{"pids_limit"}, field::Number{}, view.limits.pids);
    visit(About{"disk_limit"}, field::Text{}, FormatBytes(view.limits.disk));
    visit(About{"limits"}, field::Object<Limits>{},
          LimitsInForce{view.limits, spec.cpu_time.value_or(Millis(0))});
    visit(About{"not_enforced"}, field::Objects<NotEnforced>{}, view.not_enforced);
    visit(About{"env"}, field::Strings{}, spec.env);
    visit(About{"metadata"}, field::Strings{}, spec.metadata);
    visit(About{"network"}, field::Word{.words = Network::kModes},
          network::ModeName(spec.network.policy.mode));
    visit(About{"volumes"}, field::Objects<UsedVolume>{}, spec.volumes);
    visit(About{"workdir"}, field::Text{}, spec.workdir);
    visit(About{"user"}, field::Text{}, spec.user);
    visit(About{"noexec"}, field::Flag{}, spec.noexec);
    visit(About{"read_only"}, field::Flag{}, spec.read_only);
    visit(About{"privileges"}, field::Word{.words = kPrivilegesNames},
          PrivilegesName(spec.privileges));
    visit(About{"created_at"}, field::Time{}, view.created_unix_ms);
    visit(About{"started_at"}, field::Time{}, view.started_unix_ms);
    visit(About{"last_activity_at"}, field::Time{}, view.last_activity_unix_ms);
    visit(About{"expires_at"}, field::Time{}, view.expires_unix_ms);
    visit(About{"idle_expires_at"}, field::Time{}, view.idle_expires_unix_ms);
    visit(About{"timeout"}, field::Seconds{}, spec.timeout.value_or(Millis(0)));
    visit(About{"idle_timeout"}, field::Seconds{}, spec.idle_timeout.value_or(Millis(0)));
    visit(About{"on_timeout"}, kAtTimeout,
          OnTimeoutName(spec.on_timeout.value_or(OnTimeout::kDestroy)));
    visit(About{"startup"}, field::Object<Startup>{}, view.startup);
    visit(About{"health"}, field::Object<ImageHealth>{}, view.health);
    visit(About{"executions"}, field::Number{}, view.executions);
    visit(About{"running_processes"}, field::Number{}, view.running);
    visit(About{"from_pool"}, field::Flag{}, view.from_pool);
    visit(About{"create_us"}, field::Number{}, view.create_us);
    visit(About{"stages_us"}, field::Figures{}, view.stage_us);
  }
};

// A sandbox::Event.
struct Event {
  static constexpr std::string_view kSchema = "Event";
  static void Of(const sandbox::Event& event, auto& visit) {
    const std::string_view data = event.data;
    visit(About{"id"}, field::Number{}, event.id);
    visit(About{"time"}, field::Time{.always = true}, event.unix_ms);
    visit(About{"type"}, field::Text{}, event.type);
    visit(About{"sandbox_id"}, field::Text{}, event.sandbox);
    visit(About{"owner"}, field::Text{}, event.owner);
    visit(About{"reason"}, field::Text{}, event.reason);
    visit(About{.name = "data", .sometimes = true}, field::Own{},
          data.empty() ? std::nullopt : std::optional(data));
  }
};

// A sandbox::Orphan.
struct Orphan {
  static constexpr std::string_view kSchema = "Orphan";
  static constexpr std::string_view kText =
      "a sandbox that the database does not know: it runs on, nobody can use it, and nothing ends "
      "it";
  static void Of(const sandbox::Orphan& orphan, auto& visit) {
    visit(About{"id"}, field::Text{}, orphan.id.text());
    visit(About{"orphaned_at"}, field::Time{.always = true}, orphan.since_unix_ms);
    visit(About{"created_at"}, field::Time{.always = true}, orphan.created_unix_ms);
    visit(About{.name = "owner", .text = "the owner in its record; empty: not known"},
          field::Text{}, orphan.owner);
    visit(About{"name"}, field::Text{}, orphan.name);
    visit(About{"template"}, field::Text{}, orphan.template_name);
    visit(About{"state"}, field::Word{.words = kStates}, engine::StateName(orphan.state));
    visit(About{.name = "damage", .text = "why it cannot be adopted; empty: it can"}, field::Text{},
          orphan.damage);
  }

 private:
  static constexpr std::array<std::string_view, 4> kStates = {"running", "paused", "stopped",
                                                              "failed"};
};

struct OrphanList {
  static constexpr std::string_view kSchema = "OrphanList";
  static void Of(const std::vector<sandbox::Orphan>& all, auto& visit) {
    visit(About{"orphans"}, field::Objects<Orphan>{}, all);
  }
};

}  // namespace cay::sandbox::fields
