#include "sandbox/records/sandbox_json.h"

#include <array>
#include <boost/json.hpp>
#include <type_traits>

#include "json/json_members.h"
#include "sandbox/fields.h"
#include "sandbox/records/startup_json.h"

namespace cay::sandbox {
namespace {

namespace json = boost::json;

json::object MapOf(const StringMap& map) {
  json::object object;
  for (const auto& [key, value] : map) object[key] = value;
  return object;
}

// Writes the fields of a network, all of them.
class NetworkWriter {
 public:
  void operator()(const field::About& about, const field::Word&, network::Mode mode) {
    object_[about.kept] = network::ModeName(mode);
  }
  void operator()(const field::About& about, const field::Word&, network::DnsMode mode) {
    object_[about.kept] = network::DnsModeName(mode);
  }
  void operator()(const field::About& about, const field::Texts&,
                  const std::vector<std::string>& texts) {
    object_[about.kept] = json::array(texts.begin(), texts.end());
  }
  template <class Kind, class T>
    requires std::is_arithmetic_v<T>
  void operator()(const field::About& about, Kind, T number) {
    object_[about.kept] = static_cast<uint64_t>(number);
  }
  void operator()(const field::About& about, field::Objects<fields::Granted>,
                  const std::vector<GrantedSecret>& all) {
    json::array array;
    for (const GrantedSecret& one : all) {
      array.push_back(json::object{
          {"name", one.name}, {"variable", one.variable}, {"placeholder", one.placeholder}});
    }
    object_[about.kept] = std::move(array);
  }
  void operator()(const field::About& about, field::Object<fields::NetworkLimits>,
                  const network::NetworkLimits& limits) {
    NetworkWriter writer;
    fields::NetworkLimits::Of(limits, writer);
    object_[about.kept] = std::move(writer).Take();
  }

  json::object Take() && { return std::move(object_); }

 private:
  json::object object_;
};

// Writes the fields of a spec: what was left out is not there.
class SpecWriter {
 public:
  void operator()(const field::About& about, field::Text, const std::string& text) {
    if (!text.empty()) object_[about.kept] = text;
  }
  template <class Kind, class T>
    requires std::is_arithmetic_v<T>
  void operator()(const field::About& about, Kind, const std::optional<T>& value) {
    if (value) object_[about.kept] = static_cast<uint64_t>(*value);
  }
  void operator()(const field::About& about, field::Duration, const std::optional<Millis>& value) {
    if (value) object_[about.kept] = value->count();
  }
  void operator()(const field::About& about, field::Word, const std::optional<OnTimeout>& value) {
    if (value) object_[about.kept] = OnTimeoutName(*value);
  }
  void operator()(const field::About& about, field::Word, Privileges value) {
    if (value != Privileges::kNone) object_[about.kept] = PrivilegesName(value);
  }
  void operator()(const field::About& about, field::Flag, bool value) {
    object_[about.kept] = value;
  }
  template <class Kind>
  void operator()(const field::About& about, Kind, const StringMap& map) {
    object_[about.kept] = MapOf(map);
  }
  void operator()(const field::About& about, field::Objects<fields::Mount>,
                  const std::vector<engine::Mount>& mounts) {
    json::array array;
    for (const engine::Mount& mount : mounts) {
      array.push_back(json::object{
          {"source", mount.source}, {"target", mount.target}, {"read_only", mount.read_only}});
    }
    object_[about.kept] = std::move(array);
  }
  void operator()(const field::About& about, field::Objects<fields::Tmpfs>,
                  const std::vector<engine::Tmpfs>& all) {
    json::array array;
    for (const engine::Tmpfs& one : all)
      array.push_back(json::object{{"target", one.target}, {"size", one.size}});
    object_[about.kept] = std::move(array);
  }
  void operator()(const field::About& about, const field::Texts&,
                  const std::vector<std::string>& texts) {
    if (!texts.empty()) object_[about.kept] = json::array(texts.begin(), texts.end());
  }
  void operator()(const field::About& about, const field::Own&, const AskedEntrypoint& asked) {
    WriteAsked(asked, about.kept, object_);
  }
  void operator()(const field::About& about, field::Objects<fields::UsedVolume>,
                  const std::vector<VolumeUse>& volumes) {
    if (volumes.empty()) return;
    json::array array;
    for (const VolumeUse& volume : volumes) {
      array.push_back(json::object{
          {"name", volume.name}, {"path", volume.path}, {"read_only", volume.read_only}});
    }
    object_[about.kept] = std::move(array);
  }
  void operator()(const field::About& about, const field::Own&, const PackagesSpec& packages) {
    if (packages.none()) return;
    const std::vector<std::string>& names = packages.asked.packages;
    object_[about.kept] = json::object{{"names", json::array(names.begin(), names.end())},
                                       {"template", packages.template_name}};
  }
  void operator()(const field::About& about, const field::Own&, const NetworkSpec& spec) {
    if (spec == NetworkSpec{}) return;
    NetworkWriter writer;
    fields::Network::Of(spec, writer);
    object_[about.kept] = std::move(writer).Take();
  }

  json::object Take() && { return std::move(object_); }

 private:
  json::object object_;
};

json::object SpecOf(const SandboxSpec& spec) {
  SpecWriter writer;
  fields::Spec::Of(spec, writer);
  return std::move(writer).Take();
}

// Reading: what is absent or of another kind is the default; the whole text must be JSON.

uint64_t NumberOf(const json::object& object, std::string_view key, uint64_t otherwise) {
  return cay::NumberOf<uint64_t>(object, key).value_or(otherwise);
}

StringMap StringsOf(const json::object& object) {
  StringMap map;
  for (const auto& [key, value] : object)
    if (value.is_string()) map.emplace(key, value.get_string());
  return map;
}

class NetworkReader {
 public:
  explicit NetworkReader(const json::object& object) : object_(object) {}

  // A mode of a newer program is none: what is not understood reaches nothing.
  void operator()(const field::About& about, const field::Word&, network::Mode& mode) {
    mode = network::ParseMode(TextOf(object_, about.kept)).value_or(network::Mode::kNone);
  }
  void operator()(const field::About& about, const field::Word&, network::DnsMode& mode) {
    mode = network::ParseDnsMode(TextOf(object_, about.kept)).value_or(network::DnsMode::kNames);
  }
  void operator()(const field::About& about, const field::Texts&, std::vector<std::string>& texts) {
    for (const json::value& value : ArrayOf(object_, about.kept))
      if (value.is_string()) texts.emplace_back(value.get_string());
  }
  template <class Kind, class T>
    requires std::is_arithmetic_v<T>
  void operator()(const field::About& about, Kind, T& number) {
    number = cay::NumberOf<T>(object_, about.kept).value_or(number);
  }
  void operator()(const field::About& about, field::Objects<fields::Granted>,
                  std::vector<GrantedSecret>& all) {
    for (const json::value& value : ArrayOf(object_, about.kept)) {
      if (!value.is_object()) continue;
      const json::object& one = value.get_object();
      all.push_back({TextOf(one, "name"), TextOf(one, "variable"), TextOf(one, "placeholder")});
    }
  }
  void operator()(const field::About& about, field::Object<fields::NetworkLimits>,
                  network::NetworkLimits& limits) {
    const json::object object = ObjectOf(object_, about.kept);
    NetworkReader reader(object);
    fields::NetworkLimits::Of(limits, reader);
  }

 private:
  const json::object& object_;
};

class SpecReader {
 public:
  explicit SpecReader(const json::object& object) : object_(object) {}

  void operator()(const field::About& about, field::Text, std::string& text) {
    text = TextOf(object_, about.kept);
  }
  template <class Kind, class T>
    requires std::is_arithmetic_v<T>
  void operator()(const field::About& about, Kind, std::optional<T>& value) {
    value = cay::NumberOf<T>(object_, about.kept);
  }
  void operator()(const field::About& about, field::Duration, std::optional<Millis>& value) {
    const auto ms = cay::NumberOf<int64_t>(object_, about.kept);
    if (ms && *ms >= 0) value = Millis(*ms);
  }
  void operator()(const field::About& about, field::Word, std::optional<OnTimeout>& value) {
    value = OnTimeoutFromName(TextOf(object_, about.kept));
  }
  void operator()(const field::About& about, field::Word, Privileges& value) {
    value = PrivilegesFromName(TextOf(object_, about.kept)).value_or(Privileges::kNone);
  }
  void operator()(const field::About& about, field::Flag, bool& value) {
    value = FlagOf(object_, about.kept);
  }
  template <class Kind>
  void operator()(const field::About& about, Kind, StringMap& map) {
    map = StringsOf(ObjectOf(object_, about.kept));
  }
  void operator()(const field::About& about, field::Objects<fields::Mount>,
                  std::vector<engine::Mount>& mounts) {
    for (const json::value& value : ArrayOf(object_, about.kept)) {
      if (!value.is_object()) continue;
      const json::object& mount = value.get_object();
      mounts.push_back({TextOf(mount, "source"), TextOf(mount, "target"),
                        FindFlag(mount, "read_only").value_or(true)});
    }
  }
  void operator()(const field::About& about, field::Objects<fields::Tmpfs>,
                  std::vector<engine::Tmpfs>& all) {
    for (const json::value& value : ArrayOf(object_, about.kept)) {
      if (!value.is_object()) continue;
      all.push_back({TextOf(value.get_object(), "target"),
                     NumberOf(value.get_object(), "size", engine::Tmpfs{}.size)});
    }
  }
  void operator()(const field::About& about, const field::Texts&, std::vector<std::string>& texts) {
    for (const json::value& value : ArrayOf(object_, about.kept))
      if (value.is_string()) texts.emplace_back(value.get_string());
  }
  void operator()(const field::About& about, const field::Own&, AskedEntrypoint& asked) {
    asked = ReadAsked(object_, about.kept);
  }
  void operator()(const field::About& about, field::Objects<fields::UsedVolume>,
                  std::vector<VolumeUse>& volumes) {
    for (const json::value& value : ArrayOf(object_, about.kept)) {
      if (!value.is_object()) continue;
      const json::object& volume = value.get_object();
      volumes.push_back(
          {TextOf(volume, "name"), TextOf(volume, "path"), FlagOf(volume, "read_only")});
    }
  }
  void operator()(const field::About& about, const field::Own&, PackagesSpec& packages) {
    const json::object object = ObjectOf(object_, about.kept);
    packages.template_name = TextOf(object, "template");
    for (const json::value& value : ArrayOf(object, "names"))
      if (value.is_string()) packages.asked.packages.emplace_back(value.get_string());
  }
  void operator()(const field::About& about, const field::Own&, NetworkSpec& spec) {
    const json::object object = ObjectOf(object_, about.kept);
    NetworkReader reader(object);
    fields::Network::Of(spec, reader);
  }

 private:
  const json::object& object_;
};

SandboxSpec ReadSpec(const json::object& object) {
  SandboxSpec spec;
  SpecReader reader(object);
  fields::Spec::Of(spec, reader);
  return spec;
}

json::object LimitsOf(const engine::Limits& limits) {
  return {{"memory", limits.memory},      {"cpus", limits.cpus},
          {"pids", limits.pids},          {"disk", limits.disk},
          {"inodes", limits.inodes},      {"open_files", limits.open_files},
          {"file_size", limits.file_size}};
}

engine::Limits ReadLimits(const json::object& object) {
  engine::Limits limits;
  limits.memory = NumberOf(object, "memory", limits.memory);
  limits.cpus = static_cast<MilliCpus>(NumberOf(object, "cpus", limits.cpus));
  limits.pids = static_cast<uint32_t>(NumberOf(object, "pids", limits.pids));
  limits.disk = NumberOf(object, "disk", limits.disk);
  limits.inodes = NumberOf(object, "inodes", limits.inodes);
  limits.open_files = NumberOf(object, "open_files", limits.open_files);
  limits.file_size = NumberOf(object, "file_size", limits.file_size);
  return limits;
}

// Older programs wrote the times under another name, as ten numbers: the native engine's, in order.
constexpr const char* kStages = "stages";
constexpr const char* kNumberedStages = "stage_us";
constexpr std::array kStageNumbers = {"prepare", "cgroup", "scratch", "netns",   "clone",
                                      "id_map",  "attach", "layers",  "confine", "exec"};

json::array StagesOf(const engine::StageTimes& times) {
  json::array stages;
  for (const engine::StageTime& time : times)
    stages.push_back(json::object{{"name", time.name}, {"us", time.us}});
  return stages;
}

engine::StageTimes ReadNumberedStages(const json::array& numbers) {
  engine::StageTimes times;
  for (size_t i = 0; i < kStageNumbers.size(); ++i) {
    const bool has = i < numbers.size() && numbers[i].is_int64();
    times.push_back({kStageNumbers[i], has ? static_cast<uint32_t>(numbers[i].get_int64()) : 0});
  }
  return times;
}

engine::StageTimes ReadStages(const json::object& object) {
  if (!object.contains(kStages)) return ReadNumberedStages(ArrayOf(object, kNumberedStages));
  engine::StageTimes times;
  for (const json::value& value : ArrayOf(object, kStages)) {
    if (!value.is_object() || times.size() == engine::kMaxStages) continue;
    times.push_back({TextOf(value.get_object(), "name"),
                     static_cast<uint32_t>(NumberOf(value.get_object(), "us", 0))});
  }
  return times;
}

json::object DocumentObject(const SandboxRecord& record) {
  const SandboxView& view = record.view;
  json::object object;
  object["spec"] = SpecOf(view.spec);
  object["limits"] = LimitsOf(view.limits);
  json::array not_enforced;
  for (const engine::NotEnforced& one : view.not_enforced) {
    not_enforced.push_back(
        json::object{{"limit", static_cast<uint64_t>(one.limit)}, {"why", one.why}});
  }
  object["not_enforced"] = std::move(not_enforced);
  object["guest_end"] = GuestEndName(view.guest_end);
  object["from_pool"] = view.from_pool;
  object["create_us"] = view.create_us;
  object[kStages] = StagesOf(view.stage_us);
  object["template_env"] = json::array(record.template_env.begin(), record.template_env.end());
  object["user"] = record.user;
  object["workdir"] = record.workdir;
  if (!record.own_variables.empty()) {
    object["own_variables"] = json::array(record.own_variables.begin(), record.own_variables.end());
  }
  if (view.startup) object["startup"] = StartupObject(*view.startup);
  if (!record.trust.empty()) object["trust"] = record.trust;
  return object;
}

Result<json::object> ParseObject(std::string_view text, const std::string& what) {
  std::optional<json::object> object = cay::ParseObject(text);
  if (object) return *std::move(object);
  return Failure(Error(ErrorCode::kIo, Fault::kMachine, what + " is damaged"));
}

void ReadObject(const json::object& object, SandboxRecord& record) {
  SandboxView& view = record.view;
  view.spec = ReadSpec(ObjectOf(object, "spec"));
  view.limits = ReadLimits(ObjectOf(object, "limits"));
  for (const json::value& value : ArrayOf(object, "not_enforced")) {
    if (!value.is_object()) continue;
    const uint64_t limit = NumberOf(value.get_object(), "limit", engine::kLimitKindCount);
    if (limit >= engine::kLimitKindCount) continue;
    view.not_enforced.push_back(
        {static_cast<engine::LimitKind>(limit), TextOf(value.get_object(), "why")});
  }
  view.guest_end = object.contains("guest_end") ? GuestEndFromName(TextOf(object, "guest_end"))
                                                : GuestEndOfReason(view.reason);
  view.from_pool = FlagOf(object, "from_pool");
  view.create_us = NumberOf(object, "create_us", 0);
  view.stage_us = ReadStages(object);
  for (const json::value& value : ArrayOf(object, "template_env"))
    if (value.is_string()) record.template_env.emplace_back(value.get_string());
  record.user = TextOf(object, "user");
  record.workdir = TextOf(object, "workdir");
  for (const json::value& value : ArrayOf(object, "own_variables"))
    if (value.is_string()) record.own_variables.emplace_back(value.get_string());
  if (object.contains("startup")) view.startup = ReadStartup(ObjectOf(object, "startup"));
  // What its tests found is not kept: they begin anew.
  if (view.startup && view.startup->plan.check && view.startup->state != StartupState::kFailed)
    view.health.emplace();
  record.trust = TextOf(object, "trust");
}

}  // namespace

std::string DocumentOf(const SandboxRecord& record) {
  return json::serialize(DocumentObject(record));
}

Result<void> ReadDocument(std::string_view text, SandboxRecord& record) {
  ReadObject(TRY(ParseObject(text, "the row of sandbox " + record.view.id.text())), record);
  return {};
}

std::string PromiseOf(const SandboxRecord& record) {
  return json::serialize(
      json::object{{"owner", record.view.owner}, {"document", DocumentObject(record)}});
}

Result<void> ReadPromise(std::string_view text, SandboxRecord& record) {
  const json::object object =
      TRY(ParseObject(text, "what sandbox " + record.view.id.text() + " was promised for"));
  record.view.owner = TextOf(object, "owner");
  ReadObject(ObjectOf(object, "document"), record);
  return {};
}

std::string LegacySpecText(const SandboxSpec& spec) {
  static constexpr std::string_view kKnown[] = {"template",
                                                "name",
                                                "project",
                                                "memory",
                                                "cpus",
                                                "pids",
                                                "disk",
                                                "open_files",
                                                "file_size",
                                                "timeout_ms",
                                                "idle_timeout_ms",
                                                "on_timeout",
                                                "env",
                                                "metadata",
                                                "user",
                                                "workdir",
                                                "hostname",
                                                "mounts",
                                                "tmpfs",
                                                "noexec",
                                                "best_effort"};
  const json::object all = SpecOf(spec);
  json::object known;
  for (const std::string_view key : kKnown)
    if (const json::value* value = all.if_contains(key)) known[key] = *value;
  return json::serialize(known);
}

}  // namespace cay::sandbox
