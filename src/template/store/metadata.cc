#include "template/store/metadata.h"

#include <boost/json.hpp>

#include <algorithm>

#include "json/json_members.h"
#include "template/store/layer_store.h"

namespace cay::templates {
namespace {

namespace json = boost::json;

constexpr int64_t kVersion = 1;
constexpr size_t kMaxNameLength = 64;

// The names in the file of the notes' members.
constexpr std::pair<const char*, uint64_t ImportNotes::*> kNotes[] = {
    {"skipped_special", &ImportNotes::skipped_special},
    {"skipped_whiteouts", &ImportNotes::skipped_whiteouts},
    {"skipped_unreadable", &ImportNotes::skipped_unreadable},
    {"skipped_other", &ImportNotes::skipped_other},
    {"changed_meanwhile", &ImportNotes::changed_meanwhile},
    {"stripped_modes", &ImportNotes::stripped_modes},
    {"dropped_xattrs", &ImportNotes::dropped_xattrs},
    {"replaced_owners", &ImportNotes::replaced_owners},
};

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

Result<void> CheckTemplateName(std::string_view name) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  if (name.empty() || name.size() > kMaxNameLength ||
      kFirst.find(name.front()) == std::string_view::npos ||
      name.find_first_not_of(kRest) != std::string_view::npos) {
    return Failure(
        Error::Invalid("not a template name: \"" + std::string(name.substr(0, 80)) + "\"")
            .WithRemedy("use 1 to 64 of a-z, 0-9, '.', '_' and '-', the first one a "
                        "letter or a digit"));
  }
  return {};
}

std::string DescribeNotes(const ImportNotes& notes) {
  const std::pair<uint64_t, const char*> sentences[] = {
      {notes.skipped_special, "skipped device nodes, FIFOs or sockets: "},
      {notes.skipped_whiteouts, "skipped marks for deleted files: "},
      {notes.skipped_unreadable, "skipped files that you may not read: "},
      {notes.skipped_other, "skipped mounts and files that no archive can hold: "},
      {notes.changed_meanwhile, "files that changed while they were copied: "},
      {notes.stripped_modes, "took setuid or setgid from files: "},
      {notes.dropped_xattrs, "dropped extended attributes: "},
      {notes.replaced_owners, "gave to nobody, since their owner was over 65535: "},
  };
  std::string text;
  for (const auto& [count, sentence] : sentences) {
    if (count != 0) text += (text.empty() ? "" : "; ") + (sentence + std::to_string(count));
  }
  return text;
}

std::string SerializeMetadata(const Metadata& metadata) {
  json::object notes;
  for (const auto& [key, member] : kNotes) {
    notes[key] = static_cast<int64_t>(metadata.info.notes.*member);
  }
  const json::object object = {
      {"version", kVersion},
      {"layer", metadata.layer},
      {"imported_unix_ms", metadata.info.imported_unix_ms},
      {"size", static_cast<int64_t>(metadata.info.size)},
      {"entries", static_cast<int64_t>(metadata.info.entries)},
      {"source", metadata.info.source},
      {"user", metadata.user.name},
      {"home", metadata.user.home},
      {"shell", metadata.user.shell},
      {"hostname", metadata.hostname},
      {"notes", notes},
  };
  return json::serialize(object) + "\n";
}

Result<Metadata> ParseMetadata(const std::string& name, std::string_view text) {
  const std::optional<json::object> parsed = ParseObject(text);
  if (!parsed) return Failure(Damaged(name, "not a JSON object"));
  const json::object& object = *parsed;
  if (TRY(NumberOf(name, object, "version")) != kVersion) {
    return Failure(Damaged(name, "an unknown version"));
  }
  Metadata metadata;
  metadata.info.name = name;
  metadata.layer = TRY(StringOf(name, object, "layer"));
  if (!IsLayerId(metadata.layer)) return Failure(Damaged(name, "layer"));
  metadata.info.imported_unix_ms =
      static_cast<int64_t>(TRY(NumberOf(name, object, "imported_unix_ms")));
  metadata.info.size = TRY(NumberOf(name, object, "size"));
  metadata.info.entries = TRY(NumberOf(name, object, "entries"));
  metadata.info.source = TRY(StringOf(name, object, "source"));
  metadata.user.name = TRY(StringOf(name, object, "user"));
  metadata.user.home = TRY(StringOf(name, object, "home"));
  metadata.user.shell = TRY(StringOf(name, object, "shell"));
  if (object.contains("hostname")) metadata.hostname = TRY(StringOf(name, object, "hostname"));
  metadata.info.user = metadata.user.name;
  const json::value* notes = object.if_contains("notes");
  if (notes == nullptr || !notes->is_object()) return Failure(Damaged(name, "notes"));
  for (const auto& [key, member] : kNotes) {
    metadata.info.notes.*member = TRY(NumberOf(name, notes->get_object(), key));
  }
  return metadata;
}

}  // namespace cay::templates
