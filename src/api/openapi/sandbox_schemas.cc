#include "api/openapi/field_schema.h"
#include "sandbox/fields.h"
#include "sandbox/network/network_fields.h"
#include "sandbox/rules/health_fields.h"

namespace cay::api {

std::vector<Schema> SandboxSchemas() {
  namespace fields = sandbox::fields;
  const SandboxId id = SandboxId::Parse(std::string(20, 'a')).value();
  const sandbox::SandboxSpec spec;
  const engine::Limits limits;
  const engine::Stats used;
  const sandbox::Health health;
  const protocol::Info guest;
  const sandbox::HealthReport report{
      .health = health, .state = sandbox::SandboxState::kRunning, .guest = guest, .used = used};
  return {RequestSchema<fields::Spec>(spec),
          RequestSchema<fields::Network>(spec.network),
          RequestSchema<fields::NetworkLimits>(spec.network.limits),
          RequestSchema<fields::Change>(sandbox::SandboxChange()),
          AnswerSchema<fields::View>(sandbox::SandboxView{.id = id}),
          AnswerSchema<fields::Startup>(sandbox::Startup()),
          AnswerSchema<fields::ImageHealth>(sandbox::CheckReport()),
          AnswerSchema<fields::Limits>(fields::LimitsInForce{limits}),
          AnswerSchema<fields::Stats>(fields::UsedOf{used, limits}),
          AnswerSchema<fields::SandboxHealth>(report),
          AnswerSchema<fields::Event>(sandbox::Event()),
          AnswerSchema<fields::NetworkReport>(sandbox::NetworkReport()),
          AnswerSchema<fields::NetworkCheck>(sandbox::NetworkCheck()),
          AnswerSchema<fields::NumberedFlow>(sandbox::NumberedFlow()),
          AnswerSchema<fields::FlowPage>(sandbox::FlowPage()),
          AnswerSchema<fields::Orphan>(sandbox::Orphan{.id = id}),
          AnswerSchema<fields::OrphanList>(std::vector<sandbox::Orphan>())};
}

}  // namespace cay::api
