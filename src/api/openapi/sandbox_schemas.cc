#include "api/openapi/field_schema.h"
#include "sandbox/fields.h"

namespace cay::api {
namespace {

namespace fields = sandbox::fields;

// With what is read beside the list (api/rest/sandboxes/sandbox_json.cc).
struct SpecAndNetwork : fields::Spec {
  static void Of(const sandbox::SandboxSpec& spec, auto& visit) {
    static constexpr std::string_view kNetworks[] = {"none"};
    fields::Spec::Of(spec, visit);
    visit(field::About{"network"}, field::Word{.words = kNetworks}, std::string_view());
  }
};

}  // namespace

std::vector<Schema> SandboxSchemas() {
  const sandbox::SandboxView view{.id = SandboxId::Parse(std::string(20, 'a')).value()};
  const engine::Limits limits;
  return {RequestSchema<SpecAndNetwork>(view.spec),
          RequestSchema<fields::Change>(sandbox::SandboxChange()), AnswerSchema<fields::View>(view),
          AnswerSchema<fields::Limits>(fields::LimitsInForce{limits})};
}

}  // namespace cay::api
