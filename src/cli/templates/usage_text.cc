#include "cli/templates/usage_text.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "template/oci/image_config.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

Bytes BytesOf(const json::object& object, std::string_view name) {
  return NumberOf<uint64_t>(object, name).value_or(0);
}

std::string Words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void AddLine(std::string& text, std::string_view what, const std::string& value) {
  if (value.empty()) return;
  std::string line(what);
  line.resize(12, ' ');
  text += line + OneLine(value) + "\n";
}

void AddImage(std::string& text, const json::object& details,
              const templates::oci::ImageConfig& config) {
  const templates::oci::ProcessConfig& process = config.process;
  AddLine(text, "image", TextOf(details, "reference"));
  AddLine(text, "digest", TextOf(details, "digest"));
  AddLine(text, "platform", config.platform.Text());
  AddLine(text, "created", config.created);
  AddLine(text, "user", process.user.empty() ? "root" : process.user);
  AddLine(text, "workdir", process.working_dir.empty() ? "/" : process.working_dir);
  AddLine(text, "entrypoint", Words(process.entrypoint));
  AddLine(text, "command", Words(process.cmd));
  for (const std::string& volume : process.volumes) AddLine(text, "volume", volume);
  for (const auto& port : process.exposed_ports) AddLine(text, "exposes", port.Text());
  AddLine(text, "stop signal", process.stop_signal);
  if (process.healthcheck) AddLine(text, "healthcheck", Words(process.healthcheck->test));
  for (const std::string& variable : process.env) AddLine(text, "env", variable);
  for (const auto& [name, value] : process.labels) AddLine(text, "label", name + "=" + value);
}

void AddAge(std::string& text, std::string_view what, const json::object& details,
            std::string_view member, int64_t now_ms) {
  const auto time = ParseTime(TextOf(details, member));
  if (time) AddLine(text, what, FormatAge(now_ms - *time) + " ago");
}

std::string FormatLayers(const json::array& layers, bool is_image) {
  std::vector<std::vector<std::string>> rows = {{"LAYER", "DISK", "TEMPLATES", "CONTENT"}};
  for (const json::value& each : layers) {
    if (!each.is_object()) continue;
    const json::object& layer = each.get_object();
    const std::string chain_id = OneLine(TextOf(layer, "chain_id"));
    std::string content = chain_id;
    if (FlagOf(layer, "of_cay")) {
      content = "of Cay: what every sandbox needs";
    } else if (chain_id.empty()) {
      content = is_image ? "made here" : "the root filesystem";
    }
    rows.push_back({Cell(layer, "id"), BytesCell(layer, "disk_bytes"), Cell(layer, "templates"),
                    std::move(content)});
  }
  return FormatTable(rows);
}

}  // namespace

json::object DetailsForPeople(const json::object& details) {
  json::object shown;
  for (const auto& [name, value] : details) {
    if (name == "chain") {
      shown["layers"] = value;
    } else if (name == "reference" && TextOf(details, "reference").empty()) {
      shown[name] = nullptr;
    } else if (name != "layers") {
      shown[name] = value;
    }
  }
  return shown;
}

std::string FormatDetails(const json::object& details, int64_t now_ms) {
  std::string text;
  AddLine(text, "name", TextOf(details, "name"));
  AddLine(text, "owner", TextOf(details, "owner"));
  AddLine(text, "source", TextOf(details, "source"));
  const json::value* const image = details.if_contains("image");
  const bool is_image = image != nullptr && image->is_object();
  const auto config = is_image ? templates::oci::DecodeImageConfig(json::serialize(*image))
                               : Failure(Error::Invalid("it is no image"));
  if (config) {
    AddImage(text, details, *config);
  } else {
    AddLine(text, "user", TextOf(details, "user"));
  }
  AddLine(text, "size",
          HumanBytes(BytesOf(details, "size")) + " in " +
              std::to_string(BytesOf(details, "entries")) + " entries");
  AddLine(text, "parent", TextOf(details, "parent"));
  AddAge(text, "imported", details, "imported_at", now_ms);
  AddAge(text, "last used", details, "last_used_at", now_ms);
  const json::array& users = ArrayOf(details, "used_by");
  if (!users.empty()) AddLine(text, "used by", std::to_string(users.size()) + " sandboxes");
  AddLine(text, "notes", TextOf(details, "notes"));
  const json::array& layers = ArrayOf(details, "layers");
  return layers.empty() ? text : text + "\n" + FormatLayers(layers, is_image);
}

std::string FormatUsage(const json::object& usage, int64_t now_ms) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "OWN", "SHARED", "LAYERS", "USED", "IN USE"}};
  for (const json::value& each : ArrayOf(usage, "templates")) {
    if (!each.is_object()) continue;
    const json::object& one = each.get_object();
    rows.push_back({Cell(one, "name"), BytesCell(one, "own_bytes"), BytesCell(one, "shared_bytes"),
                    Cell(one, "layers"), AgeCell(one, "last_used_at", now_ms),
                    FlagOf(one, "in_use") ? "yes" : "-"});
  }
  std::string text = FormatTable(rows);
  // The sums are an administrator's to know.
  if (!usage.contains("total_bytes")) return text;
  text += "\nlayers: " + BytesCell(usage, "layers_bytes");
  if (BytesOf(usage, "unneeded_bytes") > 0)
    text += ", of which no template needs " + BytesCell(usage, "unneeded_bytes");
  text += "; fetched and not unpacked: " + BytesCell(usage, "fetched_bytes") +
          "; together: " + BytesCell(usage, "total_bytes") + "\n";
  return text;
}

std::string FormatPruned(const json::object& report, const std::string& unused_for) {
  const bool dry_run = FlagOf(report, "dry_run");
  std::string text;
  for (const json::value& name : ArrayOf(report, "removed")) {
    if (!name.is_string()) continue;
    text += (dry_run ? "would remove " : "removed ") + OneLine(name.get_string()) + "\n";
  }
  if (text.empty()) return "no template is unused for " + unused_for + "\n";
  return text + (dry_run ? "would free " : "freed ") + BytesCell(report, "freed_bytes") + "\n";
}

}  // namespace cay::cli
