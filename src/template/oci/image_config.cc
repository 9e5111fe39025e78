#include "template/oci/image_config.h"

#include <algorithm>
#include <map>

#include "archive/safe_path.h"
#include "base/text.h"
#include "json/json_writer.h"
#include "template/oci/document.h"

namespace cay::templates::oci {
namespace {

using std::chrono::nanoseconds;

// What is an object of empty objects in the document (Go's map[string]struct{}), and a list here.
struct Names {};

// Which members each object has, once for the reader and the writer: `visit` is called with the
// name in the document and the member.
struct HealthcheckFields {
  static void Of(auto& health, auto& visit) {
    visit("Test", health.test);
    visit("Interval", health.interval);
    visit("Timeout", health.timeout);
    visit("StartPeriod", health.start_period);
    visit("StartInterval", health.start_interval);
    visit("Retries", health.retries);
  }
};

struct ProcessFields {
  static void Of(auto& process, auto& visit) {
    visit("User", process.user);
    visit("ExposedPorts", process.exposed_ports);
    visit("Env", process.env);
    visit("Entrypoint", process.entrypoint);
    visit("Cmd", process.cmd);
    visit("Volumes", process.volumes, Names{});
    visit("WorkingDir", process.working_dir);
    visit("Labels", process.labels);
    visit("StopSignal", process.stop_signal);
    visit("Healthcheck", process.healthcheck);
    visit("Shell", process.shell);
    visit("OnBuild", process.on_build);
  }
};

struct HistoryFields {
  static void Of(auto& entry, auto& visit) {
    visit.Timestamp("created", entry.created);
    visit("created_by", entry.created_by);
    visit("author", entry.author);
    visit("comment", entry.comment);
    visit("empty_layer", entry.empty_layer);
  }
};

struct ConfigFields {
  static void Of(auto& config, auto& visit) {
    visit.Timestamp("created", config.created);
    visit("author", config.author);
    visit("architecture", config.platform.architecture);
    visit("os", config.platform.os);
    visit("variant", config.platform.variant);
    visit("os.version", config.platform.os_version);
    visit("os.features", config.platform.os_features);
    visit("history", config.history);
  }
};

// Reads members into a struct; what was wrong first is kept.
class Reader {
 public:
  explicit Reader(DocumentFields& fields) : fields_(fields) {}

  void operator()(std::string_view name, auto& member) {
    if (done_) done_ = Read(name, member);
  }
  void operator()(std::string_view name, std::vector<std::string>& member, Names) {
    if (done_) done_ = Put(fields_.NameSet(name, kMaxConfigList, kMaxConfigText), member);
  }
  void Timestamp(std::string_view name, std::string& member) {
    if (done_) done_ = Put(fields_.Timestamp(name), member);
  }

  Result<void> Finish() {
    TRY(std::move(done_));
    return fields_.Finish();
  }

 private:
  template <class T>
  static Result<void> Put(Result<T> found, T& member) {
    if (!found) return Failure(std::move(found).error());
    member = *std::move(found);
    return {};
  }

  Result<void> Read(std::string_view name, std::string& member) {
    return Put(fields_.Text(name, kMaxConfigText), member);
  }
  Result<void> Read(std::string_view name, std::vector<std::string>& member) {
    return Put(fields_.Texts(name, kMaxConfigList, kMaxConfigText), member);
  }
  Result<void> Read(std::string_view name, StringMap& member) {
    return Put(fields_.TextMap(name, kMaxConfigList, kMaxImageConfig), member);
  }
  Result<void> Read(std::string_view name, bool& member) { return Put(fields_.Flag(name), member); }
  Result<void> Read(std::string_view name, uint32_t& member) {
    member = static_cast<uint32_t>(TRY(fields_.Number(name, INT32_MAX)).value_or(0));
    return {};
  }
  Result<void> Read(std::string_view name, nanoseconds& member) {
    member = nanoseconds(static_cast<int64_t>(TRY(fields_.Number(name, INT64_MAX)).value_or(0)));
    return {};
  }
  Result<void> Read(std::string_view name, std::vector<ExposedPort>& member);
  Result<void> Read(std::string_view name, std::optional<Healthcheck>& member);
  Result<void> Read(std::string_view name, std::vector<HistoryEntry>& member);

  DocumentFields& fields_;
  Result<void> done_;
};

template <class List, class T>
Result<T> ReadObject(const JsonValue& value, std::string where) {
  DocumentFields fields = TRY(DocumentFields::Of(value, std::move(where)));
  T object;
  Reader reader(fields);
  List::Of(object, reader);
  TRY(reader.Finish());
  return object;
}

Result<void> Reader::Read(std::string_view name, std::vector<ExposedPort>& member) {
  const auto names = TRY(fields_.NameSet(name, kMaxConfigList, kMaxConfigText));
  for (const std::string& text : names) {
    auto port = ExposedPort::Parse(text);
    if (!port) return Failure(fields_.Wrong(name, port.error()));
    member.push_back(*std::move(port));
  }
  // "80" and "80/tcp" are one.
  std::ranges::sort(member);
  const auto repeated = std::ranges::unique(member);
  member.erase(repeated.begin(), repeated.end());
  return {};
}

Result<void> Reader::Read(std::string_view name, std::optional<Healthcheck>& member) {
  const JsonValue* value = fields_.Find(name);
  if (value == nullptr) return {};
  member = TRY((ReadObject<HealthcheckFields, Healthcheck>(*value, fields_.Inside(name))));
  return {};
}

Result<void> Reader::Read(std::string_view name, std::vector<HistoryEntry>& member) {
  const auto* array = TRY(fields_.Array(name, kMaxConfigHistory));
  if (array == nullptr) return {};
  for (const JsonValue& value : *array) {
    member.push_back(
        TRY((ReadObject<HistoryFields, HistoryEntry>(value, fields_.Inside(name, member.size())))));
  }
  return {};
}

// Writes members; what is empty is left out.
class Writer {
 public:
  explicit Writer(JsonWriter& json) : json_(json) {}

  void operator()(std::string_view name, const std::string& text) {
    if (!text.empty()) json_.Member(name, text);
  }
  void Timestamp(std::string_view name, const std::string& text) { (*this)(name, text); }
  void operator()(std::string_view name, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    json_.Key(name).BeginArray();
    for (const std::string& text : texts) json_.Value(text);
    json_.EndArray();
  }
  void operator()(std::string_view name, const std::vector<std::string>& names, Names) {
    if (names.empty()) return;
    json_.Key(name).BeginObject();
    for (const std::string& one : names) json_.Key(one).BeginObject().EndObject();
    json_.EndObject();
  }
  void operator()(std::string_view name, const std::vector<ExposedPort>& ports) {
    std::vector<std::string> names;
    for (const ExposedPort& port : ports) names.push_back(port.Text());
    (*this)(name, names, Names{});
  }
  void operator()(std::string_view name, const StringMap& map) {
    if (map.empty()) return;
    json_.Key(name).BeginObject();
    for (const auto& [key, value] : map) json_.Member(key, value);
    json_.EndObject();
  }
  void operator()(std::string_view name, bool flag) {
    if (flag) json_.Member(name, true);
  }
  void operator()(std::string_view name, uint32_t number) {
    if (number != 0) json_.Member(name, number);
  }
  void operator()(std::string_view name, nanoseconds duration) {
    if (duration.count() != 0) json_.Member(name, int64_t{duration.count()});
  }
  void operator()(std::string_view name, const std::optional<Healthcheck>& health) {
    if (health) Object<HealthcheckFields>(json_.Key(name), *health);
  }
  void operator()(std::string_view name, const std::vector<HistoryEntry>& history) {
    if (history.empty()) return;
    json_.Key(name).BeginArray();
    for (const HistoryEntry& entry : history) Object<HistoryFields>(json_, entry);
    json_.EndArray();
  }

  template <class List>
  static void Object(JsonWriter& json, const auto& of) {
    json.BeginObject();
    Writer writer(json);
    List::Of(of, writer);
    json.EndObject();
  }

 private:
  JsonWriter& json_;
};

Result<void> CheckProcess(const ProcessConfig& process) {
  for (size_t i = 0; i < process.env.size(); ++i) {
    if (process.env[i].empty() || process.env[i].starts_with('=')) {
      return Failure(
          Error::Invalid("\"config.Env[" + std::to_string(i) + "]\" is a variable without a name"));
    }
  }
  return {};
}

Result<std::vector<Digest>> ReadRootfs(const JsonValue* value) {
  if (value == nullptr) return Failure(Error::Invalid("\"rootfs\" is missing"));
  DocumentFields fields = TRY(DocumentFields::Of(*value, "rootfs"));
  const std::string type = TRY(fields.Text("type", 64));
  if (type != "layers") {
    return Failure(
        fields.Wrong("type", "must be \"layers\", not \"" + archive::Printable(type) + "\""));
  }
  auto diff_ids = TRY(fields.Digests("diff_ids", kMaxLayers));
  TRY(fields.Finish());
  return diff_ids;
}

Result<void> CheckPlatform(const DocumentFields& fields, const Platform& platform) {
  for (const auto& [name, word, needed] : {std::tuple("os", &platform.os, true),
                                           std::tuple("architecture", &platform.architecture, true),
                                           std::tuple("variant", &platform.variant, false),
                                           std::tuple("os.version", &platform.os_version, false)}) {
    if (needed && word->empty()) return Failure(fields.Missing(name));
    if (word->size() > Platform::kMaxWord) {
      return Failure(OverLimit(fields.PathOf(name) + " is over the maximum of " +
                               std::to_string(Platform::kMaxWord) + " bytes"));
    }
    if (std::ranges::any_of(*word, [](char c) { return c < ' ' || c == '\x7f'; })) {
      return Failure(fields.Wrong(name, "has a byte that is no printable ASCII"));
    }
  }
  if (platform.os_features.size() > Platform::kMaxFeatures) {
    return Failure(OverLimit(fields.PathOf("os.features") + " has more than " +
                             std::to_string(Platform::kMaxFeatures) + " entries"));
  }
  const auto too_long = [](const std::string& one) { return one.size() > Platform::kMaxWord; };
  if (std::ranges::any_of(platform.os_features, too_long)) {
    return Failure(OverLimit(fields.PathOf("os.features") + " has a text of more than " +
                             std::to_string(Platform::kMaxWord) + " bytes"));
  }
  return {};
}

}  // namespace

Result<ExposedPort> ExposedPort::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  ExposedPort port;
  if (slash != std::string_view::npos) port.protocol = Lower(text.substr(slash + 1));
  const std::string_view numbers = text.substr(0, slash);
  const size_t dash = numbers.find('-');
  const auto first = ParseUnsigned(numbers.substr(0, dash), 65'535);
  const auto last =
      dash == std::string_view::npos ? first : ParseUnsigned(numbers.substr(dash + 1), 65'535);
  const bool known = port.protocol == "tcp" || port.protocol == "udp" || port.protocol == "sctp";
  if (!known || !first || !last || *first == 0 || *last < *first) {
    return Failure(Error::Invalid("no port: \"" + archive::Printable(text) + "\""));
  }
  port.first = static_cast<uint16_t>(*first);
  port.last = static_cast<uint16_t>(*last);
  return port;
}

std::string ExposedPort::Text() const {
  std::string text = std::to_string(first);
  if (last != first) text += "-" + std::to_string(last);
  return text + "/" + protocol;
}

Result<ImageConfig> DecodeImageConfig(std::string_view json) {
  const JsonValue root = TRY(ParseDocument(json, kMaxImageConfig));
  DocumentFields fields = TRY(DocumentFields::Of(root, ""));
  ImageConfig config;
  if (const JsonValue* process = fields.Find("config")) {
    config.process = TRY((ReadObject<ProcessFields, ProcessConfig>(*process, "config")));
    TRY(CheckProcess(config.process));
  }
  config.diff_ids = TRY(ReadRootfs(fields.Find("rootfs")));
  Reader reader(fields);
  ConfigFields::Of(config, reader);
  TRY(reader.Finish());
  TRY(CheckPlatform(fields, config.platform));
  const auto made =
      static_cast<size_t>(std::ranges::count(config.history, false, &HistoryEntry::empty_layer));
  if (made > config.diff_ids.size()) {
    return Failure(Error::Invalid("\"history\" has " + std::to_string(made) +
                                  " entries that made a layer, and \"rootfs.diff_ids\" only " +
                                  std::to_string(config.diff_ids.size()) + " layers"));
  }
  return config;
}

Result<std::string> EncodeImageConfig(const ImageConfig& config) {
  JsonWriter json;
  json.BeginObject();
  Writer writer(json);
  ConfigFields::Of(config, writer);
  Writer::Object<ProcessFields>(json.Key("config"), config.process);
  json.Key("rootfs").BeginObject().Member("type", "layers").Key("diff_ids").BeginArray();
  for (const Digest& digest : config.diff_ids) json.Value(digest.text());
  json.EndArray().EndObject().EndObject();
  std::string text = std::move(json).Take();
  if (TRY(DecodeImageConfig(text)) != config) {
    return Failure(Error::Invalid(
        "the configuration has a text that is no UTF-8, or exposed ports that are not sorted"));
  }
  return text;
}

Result<void> CheckLayers(const ImageConfig& config, const Manifest& manifest) {
  if (config.diff_ids.size() == manifest.layers.size()) return {};
  return Failure(Error::Invalid(
      "the image's configuration has " + std::to_string(config.diff_ids.size()) +
      " layers (\"rootfs.diff_ids\"), its manifest " + std::to_string(manifest.layers.size())));
}

std::vector<std::string> EnvironmentOf(const std::vector<std::string>& env) {
  std::map<std::string_view, size_t> places;
  std::vector<const std::string*> kept;  // null: taken away
  for (const std::string& entry : env) {
    const size_t equals = entry.find('=');
    const auto name = std::string_view(entry).substr(0, equals);
    const auto place = places.find(name);
    if (equals == std::string::npos) {
      if (place == places.end()) continue;
      kept[place->second] = nullptr;
      places.erase(place);
    } else if (place == places.end()) {
      places.emplace(name, kept.size());
      kept.push_back(&entry);
    } else {
      kept[place->second] = &entry;
    }
  }
  std::vector<std::string> environment;
  for (const std::string* entry : kept) {
    if (entry != nullptr) environment.push_back(*entry);
  }
  return environment;
}

}  // namespace cay::templates::oci
