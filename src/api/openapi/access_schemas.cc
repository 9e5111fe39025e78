#include "api/gate/gate_fields.h"
#include "api/openapi/field_schema.h"
#include "api/webhooks/webhook_fields.h"

namespace cay::api {

std::vector<Schema> AccessSchemas() {
  const Webhook hook;
  return {RequestSchema<fields::KeySpec>(KeySpec()),
          AnswerSchema<fields::Key>(ApiKey()),
          AnswerSchema<fields::NewKey>(NewKey()),
          AnswerSchema<fields::AuditEntry>(AuditEntry()),
          RequestSchema<fields::WebhookSpec>(WebhookSpec()),
          AnswerSchema<fields::Webhook>(fields::ToldWebhook{hook}),
          AnswerSchema<fields::Delivery>(Delivery())};
}

}  // namespace cay::api
