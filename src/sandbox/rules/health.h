// Health: whether a sandbox comes near what it may use, from two looks at it.
//
//   const Health health = HealthOf({.before = earlier, .after = now, .apart = Millis(100)}, view.limits);
//   health.Line();     // "HEALTHY: Memory=45% CPU=12%", "UNHEALTHY: Memory usage exceeds threshold: 95%"
//
// Pure.
#pragma once

#include <optional>
#include <string>

#include "base/units.h"
#include "engine/engine.h"
#include "protocol/messages.h"
#include "sandbox/options.h"

namespace cay::sandbox {

struct HealthLook {
  engine::Stats before;
  engine::Stats after;
  Millis apart{0};
  // What its guest says, to see a full disk: the engine's figures do not count the filesystem's own
  // share, nor the number of files.
  std::optional<protocol::Info> guest{};
};

struct Health {
  // Of the limit; nothing where the machine does not say.
  std::optional<double> memory_percent{};
  std::optional<double> cpu_percent{};
  std::optional<double> disk_percent{};
  std::string reason{};  // why it is not healthy; empty: it is

  bool healthy() const { return reason.empty(); }
  std::string Line() const;
};

Health HealthOf(const HealthLook& look, const engine::Limits& limits,
                const HealthThresholds& thresholds = {});

}  // namespace cay::sandbox
