#include "api/rest/sandboxes/sandbox_json.h"

#include <algorithm>

#include "base/os/log.h"
#include "json/json_canonical.h"
#include "json/json_fields.h"

namespace cay::api::rest {
namespace {

using sandbox::SandboxChange;
using sandbox::SandboxSpec;
using sandbox::SandboxView;

constexpr size_t kMaxMounts = 64;
constexpr size_t kMaxNameText = 4096;

Result<const JsonValue::Array*> ArrayOf(JsonFields& fields, std::string_view name) {
  const JsonValue* value = fields.Find(name);
  if (value == nullptr) return nullptr;
  if (value->AsArray() == nullptr) return Failure(fields.Wrong(name, "an array", *value));
  if (value->AsArray()->size() > kMaxMounts) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         fields.PathOf(name) + " has more than the maximum of " +
                             std::to_string(kMaxMounts) + " entries"));
  }
  return value->AsArray();
}

Result<std::vector<engine::Mount>> ReadMounts(JsonFields& fields) {
  std::vector<engine::Mount> mounts;
  const auto* array = TRY(ArrayOf(fields, "mounts"));
  if (array == nullptr) return mounts;
  for (const JsonValue& item : *array) {
    auto one = TRY(JsonFields::Of(item, "mounts[" + std::to_string(mounts.size()) + "]"));
    engine::Mount mount;
    mount.source = TRY(one.RequiredString("source", kMaxNameText));
    mount.target = TRY(one.RequiredString("target", kMaxNameText));
    mount.read_only = TRY(one.Bool("read_only")).value_or(true);
    TRY(one.Finish());
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::vector<engine::Tmpfs>> ReadTmpfs(JsonFields& fields) {
  std::vector<engine::Tmpfs> all;
  const auto* array = TRY(ArrayOf(fields, "tmpfs"));
  if (array == nullptr) return all;
  for (const JsonValue& item : *array) {
    auto one = TRY(JsonFields::Of(item, "tmpfs[" + std::to_string(all.size()) + "]"));
    engine::Tmpfs tmpfs;
    tmpfs.target = TRY(one.RequiredString("target", kMaxNameText));
    tmpfs.size = TRY(one.Size("size")).value_or(tmpfs.size);
    TRY(one.Finish());
    all.push_back(std::move(tmpfs));
  }
  return all;
}

Result<std::string> ReadTemplateName(JsonFields& fields) {
  const auto name = TRY(fields.String("template", kMaxNameText));
  const auto environment = TRY(fields.String("environment", kMaxNameText));
  if (name && environment && *name != *environment) {
    return Failure(
        Error::Impossible("\"template\" and \"environment\" are two names of one thing, and "
                          "differ"));
  }
  return name.value_or(environment.value_or(""));
}

Result<void> CheckNetwork(JsonFields& fields) {
  const auto network = TRY(fields.String("network", kMaxNameText));
  if (!network || *network == "none") return {};
  return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                       "\"network\" can only be \"none\": sandboxes reach nothing outside")
                     .WithRemedy("leave it out; reach ports inside through the server"));
}

Result<std::optional<uint32_t>> ReadPids(JsonFields& fields) {
  const auto pids = TRY(fields.Number("pids_limit", UINT32_MAX));
  if (!pids) return std::nullopt;
  return static_cast<uint32_t>(*pids);
}

Result<std::optional<sandbox::OnTimeout>> ReadOnTimeout(JsonFields& fields) {
  const auto name = TRY(fields.String("on_timeout", kMaxNameText));
  if (!name) return std::nullopt;
  const auto action = sandbox::OnTimeoutFromName(*name);
  if (!action) {
    return Failure(Error::Invalid("\"on_timeout\" must be \"destroy\", \"stop\" or \"pause\""));
  }
  return *action;
}

Result<void> ReadLimits(JsonFields& fields, SandboxSpec& spec) {
  spec.memory = TRY(fields.Size("memory_limit"));
  spec.cpus = TRY(fields.Cpus("cpu_limit"));
  spec.pids = TRY(ReadPids(fields));
  spec.disk = TRY(fields.Size("disk_limit"));
  spec.open_files = TRY(fields.Number("open_files_limit"));
  spec.file_size = TRY(fields.Size("file_size_limit"));
  spec.cpu_time = TRY(fields.Duration("cpu_time_limit"));
  spec.timeout = TRY(fields.Duration("timeout"));
  spec.idle_timeout = TRY(fields.Duration("idle_timeout"));
  spec.on_timeout = TRY(ReadOnTimeout(fields));
  return {};
}

}  // namespace

Result<SandboxSpec> ReadSandboxSpec(const JsonValue& body) {
  auto fields = TRY(JsonFields::Of(body));
  SandboxSpec spec;
  spec.template_name = TRY(ReadTemplateName(fields));
  spec.name = TRY(fields.String("name", kMaxNameText)).value_or("");
  spec.project = TRY(fields.String("project_name", kMaxNameText)).value_or("");
  TRY(ReadLimits(fields, spec));
  spec.env = TRY(fields.Strings("env")).value_or(sandbox::StringMap());
  spec.metadata = TRY(fields.Strings("metadata")).value_or(sandbox::StringMap());
  TRY(CheckNetwork(fields));
  spec.mounts = TRY(ReadMounts(fields));
  spec.tmpfs = TRY(ReadTmpfs(fields));
  spec.user = TRY(fields.String("user", kMaxNameText)).value_or("");
  spec.workdir = TRY(fields.String("workdir", kMaxNameText)).value_or("");
  spec.hostname = TRY(fields.String("hostname", kMaxNameText)).value_or("");
  spec.noexec = TRY(fields.Bool("noexec")).value_or(false);
  spec.read_only = TRY(fields.Bool("read_only")).value_or(false);
  spec.best_effort = TRY(fields.Bool("best_effort")).value_or(false);
  TRY(fields.Finish());
  return spec;
}

Result<SandboxChange> ReadSandboxChange(const JsonValue& body) {
  auto fields = TRY(JsonFields::Of(body));
  SandboxChange change;
  change.memory = TRY(fields.Size("memory_limit"));
  change.cpus = TRY(fields.Cpus("cpu_limit"));
  change.pids = TRY(ReadPids(fields));
  change.timeout = TRY(fields.Duration("timeout"));
  change.idle_timeout = TRY(fields.Duration("idle_timeout"));
  change.on_timeout = TRY(ReadOnTimeout(fields));
  change.name = TRY(fields.String("name", kMaxNameText));
  change.metadata = TRY(fields.Strings("metadata"));
  TRY(fields.Finish());
  return change;
}

void WriteSeconds(JsonWriter& json, Millis duration) {
  if (duration.count() % 1000 == 0) {
    json.Value(duration.count() / 1000);
  } else {
    json.Value(static_cast<double>(duration.count()) / 1000);
  }
}

void WriteTime(JsonWriter& json, std::string_view name, std::optional<int64_t> unix_ms) {
  json.Key(name);
  if (unix_ms.value_or(0) == 0) {
    json.Null();
  } else {
    json.Value(FormatTimestamp(*unix_ms));
  }
}

void WriteStrings(JsonWriter& json, const sandbox::StringMap& strings) {
  json.BeginObject();
  for (const auto& [name, value] : strings) json.Member(name, value);
  json.EndObject();
}

void WriteLimits(JsonWriter& json, const engine::Limits& limits, std::optional<Millis> cpu_time) {
  json.BeginObject();
  json.Member("memory", limits.memory).Member("cpus", limits.cpus / 1000.0);
  json.Member("pids", limits.pids).Member("disk", limits.disk);
  json.Member("open_files", limits.open_files).Member("file_size", limits.file_size);
  if (cpu_time) WriteSeconds(json.Key("cpu_time"), *cpu_time);
  json.EndObject();
}

namespace {

// What it may use, and what of that the machine does not hold it to.
void WriteBounds(JsonWriter& json, const SandboxView& view) {
  json.Member("memory_limit", FormatBytes(view.limits.memory));
  json.Member("cpu_limit", FormatCpus(view.limits.cpus));
  json.Member("pids_limit", view.limits.pids);
  json.Member("disk_limit", FormatBytes(view.limits.disk));
  WriteLimits(json.Key("limits"), view.limits, view.spec.cpu_time.value_or(Millis(0)));
  json.Key("not_enforced").BeginArray();
  for (const engine::NotEnforced& one : view.not_enforced) {
    json.BeginObject().Member("limit", engine::LimitName(one.limit)).Member("why", one.why);
    json.EndObject();
  }
  json.EndArray();
}

void WriteTimes(JsonWriter& json, const SandboxView& view) {
  WriteTime(json, "created_at", view.created_unix_ms);
  WriteTime(json, "started_at", view.started_unix_ms);
  WriteTime(json, "last_activity_at", view.last_activity_unix_ms);
  WriteTime(json, "expires_at", view.expires_unix_ms);
  WriteTime(json, "idle_expires_at", view.idle_expires_unix_ms);
  WriteSeconds(json.Key("timeout"), view.spec.timeout.value_or(Millis(0)));
  WriteSeconds(json.Key("idle_timeout"), view.spec.idle_timeout.value_or(Millis(0)));
  json.Member("on_timeout",
              sandbox::OnTimeoutName(view.spec.on_timeout.value_or(sandbox::OnTimeout::kDestroy)));
}

}  // namespace

void WriteSandbox(JsonWriter& json, const SandboxView& view) {
  const SandboxSpec& spec = view.spec;
  json.BeginObject();
  json.Member("id", view.id.text()).Member("name", spec.name);
  json.Member("project_name", spec.project);
  json.Member("state", sandbox::SandboxStateName(view.state));
  json.Member("status", sandbox::SandboxStateName(view.state));
  json.Member("reason", view.reason);
  json.Member("template", spec.template_name).Member("environment", spec.template_name);
  json.Member("owner", view.owner);
  WriteBounds(json, view);
  WriteStrings(json.Key("env"), spec.env);
  WriteStrings(json.Key("metadata"), spec.metadata);
  json.Member("network", "none").Member("workdir", spec.workdir).Member("user", spec.user);
  json.Member("noexec", spec.noexec).Member("read_only", spec.read_only);
  WriteTimes(json, view);
  json.Member("executions", view.executions).Member("running_processes", view.running);
  json.Member("from_pool", view.from_pool).Member("create_us", view.create_us);
  json.Key("stages_us").BeginObject();
  for (const engine::StageTime& stage : view.stage_us) json.Member(stage.name, stage.us);
  json.EndObject().EndObject();
}

JsonWriter SandboxJson(const SandboxView& view) {
  JsonWriter json;
  WriteSandbox(json, view);
  return json;
}

sandbox::Idempotency IdempotencyOf(const http::Request& request, const JsonValue& body) {
  const auto key = request.headers.Find("Idempotency-Key");
  if (!key || key->empty()) return {};
  return {.key = std::string(*key), .asked = CanonicalJson(body)};
}

Result<std::string> WritePage(JsonWriter& json, sandbox::Manager& manager,
                              const sandbox::Caller& caller, sandbox::ListFilter filter,
                              void (*write)(JsonWriter&, const sandbox::SandboxView&)) {
  constexpr size_t kAtOnce = 50;
  size_t left = filter.limit;
  for (;;) {
    filter.limit = std::min(left, kAtOnce);
    const auto page = TRY(manager.List(caller, filter));
    for (const auto& view : page.sandboxes) write(json, view);
    left -= page.sandboxes.size();
    if (page.next.empty() || left == 0) return page.next;
    filter.cursor = page.next;
  }
}

}  // namespace cay::api::rest
