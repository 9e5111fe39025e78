#include "template/metadata/import_notes.h"

#include <cstdint>
#include <string>
#include <utility>

#include "json/json_members.h"

namespace cay::templates {
namespace {

namespace json = boost::json;

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

}  // namespace

std::string_view CameName(Came came) {
  switch (came) {
    case Came::kByHand:
      return "by_hand";
    case Came::kPulled:
      return "pulled";
    case Came::kDerived:
      return "derived";
  }
  return "by_hand";
}

Came CameOf(std::string_view name) {
  for (const Came came : {Came::kPulled, Came::kDerived})
    if (CameName(came) == name) return came;
  return Came::kByHand;
}

json::object NotesToJson(const ImportNotes& notes) {
  json::object object;
  for (const auto& [key, member] : kNotes) object[key] = static_cast<int64_t>(notes.*member);
  return object;
}

std::optional<ImportNotes> NotesFromJson(const json::object& document) {
  const json::value* value = document.if_contains("notes");
  if (value == nullptr || !value->is_object()) return std::nullopt;
  ImportNotes notes;
  for (const auto& [key, member] : kNotes) {
    const std::optional<int64_t> number = NumberOf(value->get_object(), key);
    if (!number || *number < 0) return std::nullopt;
    notes.*member = static_cast<uint64_t>(*number);
  }
  return notes;
}

void AddNotes(ImportNotes& sum, const ImportNotes& notes) {
  for (const auto& [key, member] : kNotes) sum.*member += notes.*member;
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

}  // namespace cay::templates
