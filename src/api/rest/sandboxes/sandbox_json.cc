#include "api/rest/sandboxes/sandbox_json.h"

#include <algorithm>
#include <limits>

#include "base/os/log.h"
#include "json/json_canonical.h"
#include "json/json_fields.h"
#include "sandbox/fields.h"

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

Result<std::vector<engine::Mount>> ReadMounts(JsonFields& fields, std::string_view name) {
  std::vector<engine::Mount> mounts;
  const auto* array = TRY(ArrayOf(fields, name));
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

Result<std::vector<engine::Tmpfs>> ReadTmpfs(JsonFields& fields, std::string_view name) {
  std::vector<engine::Tmpfs> all;
  const auto* array = TRY(ArrayOf(fields, name));
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

Result<std::optional<std::string>> ReadText(JsonFields& fields, std::string_view name,
                                            const sandbox::fields::Text& kind) {
  auto text = TRY(fields.String(name, kind.max_bytes));
  if (kind.alias.empty()) return text;
  auto other = TRY(fields.String(kind.alias, kind.max_bytes));
  if (text && other && *text != *other) {
    return Failure(Error::Impossible("\"" + std::string(name) + "\" and \"" +
                                     std::string(kind.alias) +
                                     "\" mean the same, and have different values"));
  }
  return text ? text : other;
}

Result<void> CheckNetwork(JsonFields& fields) {
  const auto network = TRY(fields.String("network", kMaxNameText));
  if (!network || *network == "none") return {};
  return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                       "\"network\" can only be \"none\": sandboxes reach nothing outside")
                     .WithRemedy("leave it out; ports inside are reached through the server"));
}

Result<std::optional<sandbox::OnTimeout>> ReadOnTimeout(JsonFields& fields, std::string_view name) {
  const auto word = TRY(fields.String(name, kMaxNameText));
  if (!word) return std::nullopt;
  const auto action = sandbox::OnTimeoutFromName(*word);
  if (!action) {
    return Failure(
        Error::Invalid("\"" + std::string(name) + "\" must be \"destroy\", \"stop\" or \"pause\""));
  }
  return *action;
}

// Takes each field of the list out of what a client sent; the first that is wrong is the error.
class FieldReader {
 public:
  using About = sandbox::fields::About;

  explicit FieldReader(JsonFields& fields) : fields_(fields) {}

  template <class Kind, class Member>
  void operator()(const About& about, Kind kind, Member& member) {
    if (done_ && !about.name.empty()) done_ = Read(about.name, kind, member);
  }
  Result<void> Finish() {
    TRY(std::move(done_));
    return fields_.Finish();
  }

 private:
  using Name = std::string_view;

  template <class Member>
  Result<void> Read(Name name, sandbox::fields::Text kind, Member& member) {
    if (auto text = TRY(ReadText(fields_, name, kind))) member = *std::move(text);
    return {};
  }
  Result<void> Read(Name name, sandbox::fields::Size, std::optional<Bytes>& member) {
    member = TRY(fields_.Size(name));
    return {};
  }
  Result<void> Read(Name name, sandbox::fields::Cpus, std::optional<MilliCpus>& member) {
    member = TRY(fields_.Cpus(name));
    return {};
  }
  Result<void> Read(Name name, sandbox::fields::Duration, std::optional<Millis>& member) {
    member = TRY(fields_.Duration(name));
    return {};
  }
  // Bounds that are not the type's are the rules' (sandbox/rules).
  template <class T>
  Result<void> Read(Name name, sandbox::fields::Count, std::optional<T>& member) {
    const auto number = TRY(fields_.Number(name, std::numeric_limits<T>::max()));
    if (number) member = static_cast<T>(*number);
    return {};
  }
  Result<void> Read(Name name, sandbox::fields::Flag, bool& member) {
    member = TRY(fields_.Bool(name)).value_or(false);
    return {};
  }
  Result<void> Read(Name name, sandbox::fields::AtTimeout,
                    std::optional<sandbox::OnTimeout>& member) {
    member = TRY(ReadOnTimeout(fields_, name));
    return {};
  }
  template <class Kind, class Member>
  Result<void> Read(Name name, Kind, Member& member) {
    if (auto strings = TRY(fields_.Strings(name))) member = *std::move(strings);
    return {};
  }
  Result<void> Read(Name name, sandbox::fields::Mounts, std::vector<engine::Mount>& member) {
    member = TRY(ReadMounts(fields_, name));
    return {};
  }
  Result<void> Read(Name name, sandbox::fields::TmpfsList, std::vector<engine::Tmpfs>& member) {
    member = TRY(ReadTmpfs(fields_, name));
    return {};
  }

  JsonFields& fields_;
  Result<void> done_;
};

}  // namespace

Result<SandboxSpec> ReadSandboxSpec(const JsonValue& body) {
  auto fields = TRY(JsonFields::Of(body));
  SandboxSpec spec;
  FieldReader reader(fields);
  sandbox::fields::OfSpec(spec, reader);
  TRY(CheckNetwork(fields));
  TRY(reader.Finish());
  return spec;
}

Result<SandboxChange> ReadSandboxChange(const JsonValue& body) {
  auto fields = TRY(JsonFields::Of(body));
  SandboxChange change;
  FieldReader reader(fields);
  sandbox::fields::OfChange(change, reader);
  TRY(reader.Finish());
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

// Writes each field of the list.
class FieldWriter {
 public:
  using About = sandbox::fields::About;

  explicit FieldWriter(JsonWriter& json) : json_(json) {}

  void operator()(const About& about, sandbox::fields::Id, const SandboxId& id) {
    json_.Member(about.name, id.text());
  }
  void operator()(const About& about, sandbox::fields::StateName, sandbox::SandboxState state) {
    json_.Member(about.name, sandbox::SandboxStateName(state));
  }
  void operator()(const About& about, sandbox::fields::Text, const std::string& text) {
    json_.Member(about.name, text);
  }
  void operator()(const About& about, sandbox::fields::SizeText, Bytes bytes) {
    json_.Member(about.name, FormatBytes(bytes));
  }
  void operator()(const About& about, sandbox::fields::CpusText, MilliCpus cpus) {
    json_.Member(about.name, FormatCpus(cpus));
  }
  void operator()(const About& about, sandbox::fields::Number, uint64_t number) {
    json_.Member(about.name, number);
  }
  void operator()(const About& about, sandbox::fields::Flag, bool flag) {
    json_.Member(about.name, flag);
  }
  void operator()(const About& about, sandbox::fields::Seconds, std::optional<Millis> duration) {
    WriteSeconds(json_.Key(about.name), duration.value_or(Millis(0)));
  }
  void operator()(const About& about, sandbox::fields::Time, std::optional<int64_t> unix_ms) {
    WriteTime(json_, about.name, unix_ms);
  }
  void operator()(const About& about, sandbox::fields::AtTimeout,
                  std::optional<sandbox::OnTimeout> action) {
    json_.Member(about.name, sandbox::OnTimeoutName(action.value_or(sandbox::OnTimeout::kDestroy)));
  }
  template <class Kind>
  void operator()(const About& about, Kind, const sandbox::StringMap& strings) {
    WriteStrings(json_.Key(about.name), strings);
  }
  void operator()(const About& about, sandbox::fields::LimitsInForce,
                  const sandbox::fields::InForce& force) {
    WriteLimits(json_.Key(about.name), force.limits, force.cpu_time);
  }
  void operator()(const About& about, sandbox::fields::MissingLimits,
                  const std::vector<engine::NotEnforced>& missing) {
    json_.Key(about.name).BeginArray();
    for (const engine::NotEnforced& one : missing) {
      json_.BeginObject().Member("limit", engine::LimitName(one.limit)).Member("why", one.why);
      json_.EndObject();
    }
    json_.EndArray();
  }
  void operator()(const About& about, sandbox::fields::Stages, const engine::StageTimes& stages) {
    json_.Key(about.name).BeginObject();
    for (const engine::StageTime& stage : stages) json_.Member(stage.name, stage.us);
    json_.EndObject();
  }

 private:
  JsonWriter& json_;
};

}  // namespace

void WriteSandbox(JsonWriter& json, const SandboxView& view) {
  json.BeginObject();
  FieldWriter writer(json);
  sandbox::fields::OfView(view, writer);
  json.EndObject();
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
