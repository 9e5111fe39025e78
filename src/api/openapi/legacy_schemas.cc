#include "api/openapi/field_schema.h"
#include "sandbox/fields.h"

namespace cay::api {
namespace {

// A request for a sandbox: Cay's own fields, and those of earlier systems
// (api/legacy/legacy_spec.cc).
struct LegacySpec {
  static constexpr std::string_view kSchema = "LegacySpec";
  static void Of(const sandbox::SandboxSpec& spec, auto& visit) {
    using field::About;
    sandbox::fields::Spec::Of(spec, visit);
    visit(About{.name = "project_id", .text = "the same as project_name"},
          field::Text{.pattern = sandbox::fields::kNamePattern}, spec.project);
    visit(About{.name = "environment_type",
                .text = "the same as environment: python3.11, python-3.11, node20 …"},
          field::Text{.max_length = 2048}, spec.template_name);
  }
};

class LegacySchema : public FieldSchema {
 public:
  using FieldSchema::FieldSchema;
  using FieldSchema::operator();

  // A template may be named as an environment, whose names are not a template's.
  void operator()(const About& about, field::Text kind, const std::string& text) {
    if (!kind.alias.empty()) kind.pattern = {};
    FieldSchema::operator()(about, kind, text);
  }
};

}  // namespace

std::vector<Schema> LegacySchemas() {
  return {RequestSchema<LegacySpec, LegacySchema>(sandbox::SandboxSpec())};
}

}  // namespace cay::api
