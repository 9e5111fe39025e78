// Fields of a sandbox's health, each once (base/field.h).
#pragma once

#include <array>
#include <string_view>

#include "base/field.h"
#include "protocol/messages.h"
#include "sandbox/figure_fields.h"
#include "sandbox/rules/health.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// The health of a sandbox whose guest has answered, and what it was made of.
struct HealthReport {
  const Health& health;
  SandboxState state;
  const protocol::Info& guest;
  const engine::Stats& used;
};

namespace fields {

struct SandboxHealth {
  static constexpr std::string_view kSchema = "SandboxHealth";
  static void Of(const HealthReport& report, auto& visit) {
    const sandbox::Health& health = report.health;
    visit(About{"status"}, field::Word{.words = kAnswers}, kAnswers[0]);
    visit(About{"health"}, field::Word{.words = kHealth}, kHealth[health.healthy() ? 0 : 1]);
    visit(About{.name = "reason", .text = "why the sandbox is UNHEALTHY; empty when it is HEALTHY"},
          field::Text{}, health.reason);
    visit(About{"summary"}, field::Text{.example = "HEALTHY: Memory=45% CPU=12%"}, health.Line());
    visit(About{.name = "memory_percent", .text = "of its limit"}, field::Fraction{},
          health.memory_percent);
    visit(About{.name = "cpu_percent",
                .text = "of the processors that it may use, over a tenth of a second"},
          field::Fraction{}, health.cpu_percent);
    visit(About{.name = "disk_percent", .text = "of its limit"}, field::Fraction{},
          health.disk_percent);
    visit(About{"state"}, kState, SandboxStateName(report.state));
    visit(About{"guest"}, field::Object<Guest>{}, report.guest);
    visit(About{"memory_bytes"}, field::Number{}, report.used.memory);
    visit(About{"cpu_ms"}, field::Number{}, Stats::ToMillis(report.used.cpu_us));
    visit(About{"disk_free_bytes"}, field::Number{}, report.guest.disk_free_bytes);
  }

 private:
  static constexpr std::array<std::string_view, 1> kAnswers = {"ok"};
  static constexpr std::array<std::string_view, 2> kHealth = {"HEALTHY", "UNHEALTHY"};

  struct Guest {
    static void Of(const protocol::Info& guest, auto& visit) {
      visit(About{"version"}, field::Text{}, guest.guest_version);
      visit(About{"running"}, field::Number{}, guest.running);
      visit(About{"kept"}, field::Number{}, guest.kept);
    }
  };
};

}  // namespace fields
}  // namespace cay::sandbox
