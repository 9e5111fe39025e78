// A template as clients see it, of the API and of `cay template list --json`.
#pragma once

#include "json/json_writer.h"
#include "template/store/template_store.h"

namespace cay::api {

// A whole object.
void WriteTemplate(JsonWriter& json, const templates::TemplateInfo& info);

}  // namespace cay::api
