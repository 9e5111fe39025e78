// What an import left out or changed (ImportNotes, template/template.h), as it is kept.
#pragma once

#include <boost/json/object.hpp>
#include <optional>

#include "template/template.h"

namespace cay::templates {

boost::json::object NotesToJson(const ImportNotes& notes);
// The member `notes` of a document. Null: it is not there, or is none.
std::optional<ImportNotes> NotesFromJson(const boost::json::object& document);

// The sum, of layers that make one template.
void AddNotes(ImportNotes& sum, const ImportNotes& notes);

}  // namespace cay::templates
