// Fields: what clients send about sandboxes and what they are told, each field once. Made of these
// lists: the documents of the store (records/sandbox_json.cc), the API's readers and writers
// (api/rest/sandboxes/sandbox_json.cc) and its schemas (api/openapi/schemas.cc).
//
//   fields::OfSpec(spec, visitor);     // visitor(About{…}, fields::Size{}, spec.memory); …
//
// A visitor is called for each field with what is said about it, of what kind it is, and the
// member. docs/extending.md says what else a new field needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sandbox/types.h"

namespace cay::sandbox::fields {

struct About {
  std::string_view name{};  // in the API; empty: not there
  // In the store's documents, where names are never changed and never reused; empty: not there.
  std::string_view kept{};
  std::string_view text{};  // for readers of the schema; empty: the name says it
};

// Kinds of what is asked for. An optional member is nothing where the field was left out.
struct Text {
  size_t max_bytes = 4096;     // more is refused
  std::string_view pattern{};  // a regular expression of JSON Schema; empty: any text
  size_t max_length = 0;       // in characters, for the schema; 0: nothing is said
  std::string_view alias{};    // an older name of it
};
struct Size {};      // Bytes: "512m", or a number
struct Cpus {};      // MilliCpus: "0.5", or a number
struct Duration {};  // Millis: "30s", or a number of seconds
struct Count {
  uint64_t min = 0;
  uint64_t max = UINT64_MAX;
};
struct Flag {};
struct AtTimeout {};    // OnTimeout
struct Environment {};  // StringMap
struct Metadata {};     // StringMap
struct Mounts {
  size_t max = 32;
};
struct TmpfsList {
  size_t max = 64;
};

inline constexpr std::string_view kNamePattern = "^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$";
inline constexpr std::string_view kWithoutNul = "^[^\\u0000]*$";

// What can be asked for at a create and changed later. Their members have the same names in both.
void OfBoth(auto& one, auto& visit) {
  visit(About{"name", "name"}, Text{.pattern = kNamePattern}, one.name);
  visit(About{"description", "description", "free text of at most 4096 bytes, for people"}, Text{},
        one.description);
  visit(About{"memory_limit", "memory"}, Size{}, one.memory);
  visit(About{"cpu_limit", "cpus"}, Cpus{}, one.cpus);
  visit(About{"pids_limit", "pids"}, Count{.min = 4, .max = 4'194'304}, one.pids);
  visit(About{"timeout", "timeout_ms"}, Duration{}, one.timeout);
  visit(About{"idle_timeout", "idle_timeout_ms"}, Duration{}, one.idle_timeout);
  visit(About{"on_timeout", "on_timeout"}, AtTimeout{}, one.on_timeout);
  visit(About{"metadata", "metadata"}, Metadata{}, one.metadata);
}

// `change`: a SandboxChange.
void OfChange(auto& change, auto& visit) { OfBoth(change, visit); }

// `spec`: a SandboxSpec.
void OfSpec(auto& spec, auto& visit) {
  visit(About{"template", "template"},
        Text{.pattern = "^([a-z0-9][a-z0-9._-]{0,63})?$", .alias = "environment"},
        spec.template_name);
  visit(About{"project_name", "project"}, Text{.pattern = kNamePattern}, spec.project);
  OfBoth(spec, visit);
  visit(About{"disk_limit", "disk"}, Size{}, spec.disk);
  visit(About{"open_files_limit", "open_files"}, Count{}, spec.open_files);
  visit(About{"file_size_limit", "file_size"}, Size{}, spec.file_size);
  visit(
      About{"cpu_time_limit", "cpu_time_ms",
            "processor time of each process, in whole seconds, unless its starter says otherwise; "
            "0: no limit"},
      Duration{}, spec.cpu_time);
  visit(About{"env", "env"}, Environment{}, spec.env);
  visit(About{"mounts", "mounts"}, Mounts{}, spec.mounts);
  visit(About{"tmpfs", "tmpfs"}, TmpfsList{}, spec.tmpfs);
  visit(About{"user", "user", "a name, a uid, or uid:gid"},
        Text{.pattern = kWithoutNul, .max_length = 64}, spec.user);
  visit(About{"workdir", "workdir"}, Text{.pattern = "^(/[^\\u0000]*)?$"}, spec.workdir);
  visit(About{"hostname", "hostname"}, Text{.pattern = "^[A-Za-z0-9.-]{0,64}$"}, spec.hostname);
  visit(About{"noexec", "noexec", "nothing writable is executable"}, Flag{}, spec.noexec);
  visit(About{"read_only", "read_only",
              "the root filesystem is read-only, except /tmp, /var/tmp, /run, /home, /root and "
              "/workspace; mounts are as they were asked for"},
        Flag{}, spec.read_only);
  visit(About{"best_effort", "best_effort",
              "limits that cannot be enforced here are reported instead of refused"},
        Flag{}, spec.best_effort);
  visit(About{{}, "face"}, Text{}, spec.face);
}

// Kinds of what is told beside those.
struct Id {};
struct StateName {};
struct SizeText {};  // Bytes, as "512m"
struct CpusText {};  // MilliCpus, as "0.5"
struct Number {};
struct Seconds {};  // Millis
struct Time {};     // of the Unix epoch in milliseconds; nothing or 0: null
struct LimitsInForce {};
struct MissingLimits {};
struct Stages {};

struct InForce {
  const engine::Limits& limits;
  Millis cpu_time;  // of each process
};

// `view`: a SandboxView. In the order in which clients get them.
void OfView(const SandboxView& view, auto& visit) {
  const SandboxSpec& spec = view.spec;
  visit(About{"id"}, Id{}, view.id);
  visit(About{"name"}, Text{}, spec.name);
  visit(About{"project_name"}, Text{}, spec.project);
  visit(About{"description"}, Text{}, spec.description);
  visit(About{"state"}, StateName{}, view.state);
  visit(About{"status"}, StateName{}, view.state);
  visit(About{"reason"}, Text{}, view.reason);
  visit(About{"template"}, Text{}, spec.template_name);
  visit(About{"environment"}, Text{}, spec.template_name);
  visit(About{"owner"}, Text{}, view.owner);
  visit(About{"memory_limit"}, SizeText{}, view.limits.memory);
  visit(About{"cpu_limit"}, CpusText{}, view.limits.cpus);
  visit(About{"pids_limit"}, Number{}, view.limits.pids);
  visit(About{"disk_limit"}, SizeText{}, view.limits.disk);
  visit(About{"limits"}, LimitsInForce{}, InForce{view.limits, spec.cpu_time.value_or(Millis(0))});
  visit(About{"not_enforced"}, MissingLimits{}, view.not_enforced);
  visit(About{"env"}, Environment{}, spec.env);
  visit(About{"metadata"}, Metadata{}, spec.metadata);
  visit(About{"network"}, Text{}, std::string("none"));
  visit(About{"workdir"}, Text{}, spec.workdir);
  visit(About{"user"}, Text{}, spec.user);
  visit(About{"noexec"}, Flag{}, spec.noexec);
  visit(About{"read_only"}, Flag{}, spec.read_only);
  visit(About{"created_at"}, Time{}, view.created_unix_ms);
  visit(About{"started_at"}, Time{}, view.started_unix_ms);
  visit(About{"last_activity_at"}, Time{}, view.last_activity_unix_ms);
  visit(About{"expires_at"}, Time{}, view.expires_unix_ms);
  visit(About{"idle_expires_at"}, Time{}, view.idle_expires_unix_ms);
  visit(About{"timeout"}, Seconds{}, spec.timeout);
  visit(About{"idle_timeout"}, Seconds{}, spec.idle_timeout);
  visit(About{"on_timeout"}, AtTimeout{}, spec.on_timeout);
  visit(About{"executions"}, Number{}, view.executions);
  visit(About{"running_processes"}, Number{}, view.running);
  visit(About{"from_pool"}, Flag{}, view.from_pool);
  visit(About{"create_us"}, Number{}, view.create_us);
  visit(About{"stages_us"}, Stages{}, view.stage_us);
}

}  // namespace cay::sandbox::fields
