#include "template/metadata/metadata.h"

#include <unistd.h>

#include <boost/json.hpp>

#include <algorithm>

#include "json/json_members.h"
#include "template/layers/layer_id.h"
#include "template/metadata/import_notes.h"

namespace cay::templates {
namespace {

namespace json = boost::json;

// The first has one layer, and is what older programs read; the second may have more, and an image;
// the third has several overlays.
constexpr int64_t kOneLayer = 1;
constexpr int64_t kManyLayers = 2;
constexpr int64_t kManyOverlays = 3;
constexpr size_t kMaxLayers = 256;
constexpr size_t kMaxOverlays = 16;

Error Damaged(const std::string& name, std::string_view what) {
  return Error(ErrorCode::kIo, Fault::kMachine,
               "the metadata of template " + name + " is damaged: " + std::string(what))
      .WithRemedy("remove it, and import it again: " + Remedy(Action::kRemoveTemplate, name));
}

Result<std::string> StringOf(const std::string& name, const json::object& object, const char* key) {
  std::optional<std::string> text = FindText(object, key);
  if (!text) return Failure(Damaged(name, key));
  return *std::move(text);
}

Result<uint64_t> NumberOf(const std::string& name, const json::object& object, const char* key) {
  const std::optional<int64_t> number = cay::NumberOf(object, key);
  if (!number || *number < 0) return Failure(Damaged(name, key));
  return static_cast<uint64_t>(*number);
}

}  // namespace

std::optional<size_t> OwnLayerOf(const Metadata& metadata) {
  if (!metadata.image) return std::nullopt;
  const size_t of_image = metadata.image->config.diff_ids.size();
  if (metadata.layers.size() <= of_image) return std::nullopt;
  return metadata.layers.size() - 1 - of_image;
}

Result<std::vector<size_t>> LayersOfImage(const Metadata& metadata) {
  const std::optional<size_t> own = OwnLayerOf(metadata);
  if (metadata.image && !own) {
    return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                         "the metadata of template " + metadata.info.name +
                             " is damaged: it has other layers than its image"));
  }
  std::vector<size_t> lowest_first;
  for (size_t left = metadata.layers.size(); left > 0; --left) {
    if (own != left - 1) lowest_first.push_back(left - 1);
  }
  return lowest_first;
}

void FillInfo(Metadata& metadata) {
  metadata.info.layers = metadata.layers.size();
  metadata.info.user = metadata.user.name;
  if (!metadata.image) return;
  metadata.info.digest = metadata.image->digest;
  const oci::ProcessConfig& process = metadata.image->config.process;
  metadata.info.entrypoint = process.entrypoint;
  metadata.info.cmd = process.cmd;
  metadata.info.volumes = process.volumes;
  metadata.info.exposed_ports.clear();
  for (const oci::ExposedPort& port : process.exposed_ports)
    metadata.info.exposed_ports.push_back(port.Text());
  // In an ordinary user's sandbox there is one user.
  const std::string& user = process.user;
  if (::geteuid() == 0) metadata.info.user = user.empty() ? "root" : user;
}

Result<std::string> SerializeMetadata(const Metadata& metadata) {
  const bool is_plain = metadata.layers.size() == 1 && !metadata.image && metadata.overlays.empty();
  const int64_t version = is_plain                    ? kOneLayer
                          : metadata.overlays.empty() ? kManyLayers
                                                      : kManyOverlays;
  json::object object = {
      {"version", version},
      {"layer", metadata.layers.front()},
      {"imported_unix_ms", metadata.info.imported_unix_ms},
      {"size", static_cast<int64_t>(metadata.info.size)},
      {"entries", static_cast<int64_t>(metadata.info.entries)},
      {"source", metadata.info.source},
      {"user", metadata.user.name},
      {"home", metadata.user.home},
      {"shell", metadata.user.shell},
      {"hostname", metadata.hostname},
      {"notes", NotesToJson(metadata.info.notes)},
  };
  if (!is_plain) {
    object["layers"] = json::array(metadata.layers.begin(), metadata.layers.end());
  }
  if (!metadata.info.parent.empty()) object["parent"] = metadata.info.parent;
  if (!metadata.info.parent.empty() || metadata.info.written > 0)
    object["written"] = static_cast<int64_t>(metadata.info.written);
  if (!metadata.info.sandbox.empty()) object["sandbox"] = metadata.info.sandbox;
  if (metadata.info.came != Came::kByHand) object["came"] = CameName(metadata.info.came);
  if (!metadata.variables.empty())
    object["variables"] = json::array(metadata.variables.begin(), metadata.variables.end());
  if (!metadata.derived_key.empty()) {
    object["derived"] = json::object{
        {"key", metadata.derived_key},
        {"packages", json::array(metadata.info.packages.begin(), metadata.info.packages.end())}};
  }
  for (const engine::Overlay& overlay : metadata.overlays) {
    json::value& list = object["overlays"];
    if (!list.is_array()) list.emplace_array();
    list.get_array().push_back(
        json::object{{"target", overlay.target},
                     {"layers", json::array(overlay.layers.begin(), overlay.layers.end())}});
  }
  if (metadata.image) {
    // As a text: the bounds and the strictness are those of the image's own document.
    const std::string config = TRY(oci::EncodeImageConfig(metadata.image->config));
    object["image"] = json::object{{"reference", metadata.image->reference},
                                   {"digest", metadata.image->digest},
                                   {"config", config}};
  }
  std::string text = json::serialize(object) + "\n";
  if (text.size() <= kMaxMetadataBytes) return text;
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       "the image's configuration is too long to be kept"));
}

namespace {

Result<std::vector<std::string>> LayersOf(const std::string& name, const json::object& object,
                                          int64_t version) {
  std::vector<std::string> layers;
  if (version == kOneLayer) {
    layers.push_back(TRY(StringOf(name, object, "layer")));
  } else {
    const json::value* list = object.if_contains("layers");
    if (list == nullptr || !list->is_array()) return Failure(Damaged(name, "layers"));
    for (const json::value& layer : list->get_array()) {
      if (!layer.is_string() || layers.size() == kMaxLayers)
        return Failure(Damaged(name, "layers"));
      layers.emplace_back(layer.get_string());
    }
  }
  if (layers.empty() || !std::ranges::all_of(layers, IsLayerId))
    return Failure(Damaged(name, "layers"));
  return layers;
}

Result<std::vector<engine::Overlay>> OverlaysOf(const std::string& name, const json::object& object,
                                                int64_t version) {
  std::vector<engine::Overlay> overlays;
  if (version != kManyOverlays) return overlays;
  const json::value* list = object.if_contains("overlays");
  if (list == nullptr || !list->is_array() || list->get_array().empty() ||
      list->get_array().size() > kMaxOverlays) {
    return Failure(Damaged(name, "overlays"));
  }
  for (const json::value& item : list->get_array()) {
    if (!item.is_object()) return Failure(Damaged(name, "overlays"));
    engine::Overlay overlay;
    overlay.target = TRY(StringOf(name, item.get_object(), "target"));
    const json::value* layers = item.get_object().if_contains("layers");
    if (layers == nullptr || !layers->is_array() || layers->get_array().empty() ||
        layers->get_array().size() > kMaxLayers) {
      return Failure(Damaged(name, "overlays"));
    }
    for (const json::value& layer : layers->get_array()) {
      if (!layer.is_string()) return Failure(Damaged(name, "overlays"));
      overlay.layers.emplace_back(layer.get_string());
    }
    overlays.push_back(std::move(overlay));
  }
  return overlays;
}

Result<std::optional<ImageOrigin>> ImageOf(const std::string& name, const json::object& object) {
  const json::value* value = object.if_contains("image");
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) return Failure(Damaged(name, "image"));
  const json::object& image = value->get_object();
  ImageOrigin origin;
  origin.reference = TRY(StringOf(name, image, "reference"));
  origin.digest = TRY(StringOf(name, image, "digest"));
  auto config = oci::DecodeImageConfig(TRY(StringOf(name, image, "config")));
  if (!config) return Failure(Damaged(name, config.error().message()));
  origin.config = *std::move(config);
  return origin;
}

// What is not there is none: a program before wrote none.
void TakeTexts(const json::array& list, std::vector<std::string>& into) {
  for (const json::value& one : list)
    if (one.is_string()) into.emplace_back(one.get_string());
}

}  // namespace

Result<Metadata> ParseMetadata(const std::string& name, std::string_view text) {
  const std::optional<json::object> parsed = ParseObject(text);
  if (!parsed) return Failure(Damaged(name, "not a JSON object"));
  const json::object& object = *parsed;
  const auto version = static_cast<int64_t>(TRY(NumberOf(name, object, "version")));
  if (version < kOneLayer || version > kManyOverlays)
    return Failure(Damaged(name, "an unknown version"));
  Metadata metadata;
  metadata.info.name = name;
  metadata.layers = TRY(LayersOf(name, object, version));
  metadata.overlays = TRY(OverlaysOf(name, object, version));
  metadata.image = TRY(ImageOf(name, object));
  metadata.info.parent = FindText(object, "parent").value_or("");
  if (object.contains("written")) metadata.info.written = TRY(NumberOf(name, object, "written"));
  metadata.info.sandbox = FindText(object, "sandbox").value_or("");
  metadata.info.came = CameOf(FindText(object, "came").value_or(""));
  TakeTexts(ArrayOf(object, "variables"), metadata.variables);
  const json::object& derived = ObjectOf(object, "derived");
  metadata.derived_key = TextOf(derived, "key");
  TakeTexts(ArrayOf(derived, "packages"), metadata.info.packages);
  metadata.info.imported_unix_ms =
      static_cast<int64_t>(TRY(NumberOf(name, object, "imported_unix_ms")));
  metadata.info.size = TRY(NumberOf(name, object, "size"));
  metadata.info.entries = TRY(NumberOf(name, object, "entries"));
  metadata.info.source = TRY(StringOf(name, object, "source"));
  metadata.user.name = TRY(StringOf(name, object, "user"));
  metadata.user.home = TRY(StringOf(name, object, "home"));
  metadata.user.shell = TRY(StringOf(name, object, "shell"));
  if (object.contains("hostname")) metadata.hostname = TRY(StringOf(name, object, "hostname"));
  auto notes = NotesFromJson(object);
  if (!notes) return Failure(Damaged(name, "notes"));
  metadata.info.notes = *notes;
  FillInfo(metadata);
  return metadata;
}

}  // namespace cay::templates
