#include "template/metadata/layer_about.h"

#include <boost/json.hpp>

#include <optional>

#include "json/json_members.h"
#include "template/metadata/import_notes.h"

namespace cay::templates {
namespace {

namespace json = boost::json;

constexpr int64_t kVersion = 1;

}  // namespace

std::string SerializeLayerAbout(const LayerAbout& about) {
  const json::object object = {
      {"version", kVersion},
      {"chain_id", about.chain_id},
      {"bytes", static_cast<int64_t>(about.bytes)},
      {"entries", static_cast<int64_t>(about.entries)},
      {"notes", NotesToJson(about.notes)},
  };
  return json::serialize(object) + "\n";
}

Result<LayerAbout> ParseLayerAbout(std::string_view text) {
  const auto damaged = [] {
    return Failure(Error(ErrorCode::kIo, Fault::kMachine, "what is kept of a layer is damaged"));
  };
  const std::optional<json::object> object = ParseObject(text);
  if (!object || NumberOf(*object, "version") != kVersion) return damaged();
  std::optional<std::string> chain_id = FindText(*object, "chain_id");
  const std::optional<int64_t> bytes = NumberOf(*object, "bytes");
  const std::optional<int64_t> entries = NumberOf(*object, "entries");
  const std::optional<ImportNotes> notes = NotesFromJson(*object);
  if (!chain_id || !bytes || *bytes < 0 || !entries || *entries < 0 || !notes) return damaged();
  return LayerAbout{.chain_id = *std::move(chain_id),
                    .bytes = static_cast<Bytes>(*bytes),
                    .entries = static_cast<uint64_t>(*entries),
                    .notes = *notes};
}

}  // namespace cay::templates
