// Fields of webhooks, each once (base/field.h). Made of these lists: the API's readers and
// writers, and its schemas.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "api/gate/gate_fields.h"
#include "api/webhooks/webhook_rules.h"
#include "api/webhooks/webhooks.h"
#include "base/field.h"

namespace cay::api::fields {

inline constexpr size_t kMaxWebhookText = 4096;  // the rules of each are narrower

// An api::WebhookSpec.
struct WebhookSpec {
  static constexpr std::string_view kSchema = "WebhookSpec";
  static void Of(auto& spec, auto& visit) {
    visit(
        About{.name = "url", .text = "https://HOST/PATH or http://HOST:PORT/PATH", .needed = true},
        field::Text{
            .max_bytes = kMaxWebhookText, .pattern = "^https?://[!-\"$-~]+$", .max_length = 2048},
        spec.url);
    visit(About{"events"},
          field::Texts{.pattern = "^(\\*|[a-z0-9_.-]+(\\.\\*)?)$",
                       .max_length = 64,
                       .min = 1,
                       .max = kMaxPatterns},
          spec.events);
    visit(About{.name = "owner", .text = "the owner whose events it gets; left out: all owners"},
          field::Text{.max_bytes = kMaxWebhookText, .pattern = kOwnerPattern}, spec.owner);
    visit(About{"secret"}, field::Text{.max_bytes = kMaxWebhookText, .pattern = "^[!-~]{16,256}$"},
          spec.secret);
  }
  static Result<void> Check(const api::WebhookSpec& spec) {
    if (spec.secret != "") return {};
    return Failure(Error::Invalid("\"secret\" is empty"));
  }
};

// An api::Webhook, with its secret or without.
struct ToldWebhook {
  const api::Webhook& hook;
  bool with_secret = false;
};
struct Webhook {
  static constexpr std::string_view kSchema = "Webhook";
  static void Of(const ToldWebhook& told, auto& visit) {
    const api::Webhook& hook = told.hook;
    visit(About{"id"}, field::Text{}, hook.id);
    visit(About{"url"}, field::Text{}, hook.url);
    visit(About{"events"}, field::Texts{}, hook.events);
    visit(About{.name = "owner", .text = "the owner whose events it gets; empty: all owners"},
          field::Text{}, hook.owner);
    visit(About{"created_at"}, field::Time{.always = true}, hook.created_unix_ms);
    visit(
        About{
            .name = "secret", .text = "shown only when the webhook is created", .sometimes = true},
        field::Text{}, told.with_secret ? std::optional(hook.secret) : std::nullopt);
  }
};

// An api::Delivery.
struct Delivery {
  static constexpr std::string_view kSchema = "Delivery";
  static void Of(const api::Delivery& delivery, auto& visit) {
    const bool waits = delivery.state == kStates[0];
    visit(About{.name = "id", .text = "X-Cay-Delivery"}, field::Text{}, delivery.Id());
    visit(About{"event_id"}, field::Number{}, delivery.event);
    visit(About{.name = "type", .text = "of the event"}, field::Text{}, delivery.type);
    visit(About{"state"}, field::Word{.words = kStates}, delivery.state);
    visit(About{"attempts"}, field::Number{}, delivery.attempts);
    visit(About{.name = "status", .text = "of the last answer; null: there was none"},
          field::Number{}, delivery.status);
    visit(About{.name = "error", .text = "of the last attempt"}, field::Text{}, delivery.error);
    visit(About{"created_at"}, field::Time{.always = true}, delivery.created_unix_ms);
    visit(About{"next_attempt_at"}, field::Time{},
          waits ? std::optional(delivery.next_unix_ms) : std::nullopt);
    visit(About{"ended_at"}, field::Time{}, delivery.ended_unix_ms);
  }

 private:
  static constexpr std::array<std::string_view, 4> kStates = {"waiting", "delivered", "failed",
                                                              "dropped"};
};

}  // namespace cay::api::fields
