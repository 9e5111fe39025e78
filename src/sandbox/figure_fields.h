// Fields of figures, each once (base/field.h): what a sandbox uses, and how a pool does. Made of
// these lists: the API's writers and its schemas.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/field.h"
#include "engine/engine.h"
#include "sandbox/fields.h"
#include "sandbox/metrics.h"

namespace cay::sandbox::fields {

// What is used, and of how much.
struct UsedOf {
  const engine::Stats& used;
  const engine::Limits& limits;
};

struct Stats {
  static constexpr std::string_view kSchema = "Stats";
  static void Of(const UsedOf& stats, auto& visit) {
    const engine::Stats& used = stats.used;
    visit(About{"memory_bytes"}, field::Number{}, used.memory);
    visit(About{"memory_peak_bytes"}, field::Number{}, used.memory_peak);
    visit(About{"memory_limit_bytes"}, field::Number{}, stats.limits.memory);
    visit(About{"oom_kills"}, field::Number{}, used.oom_kills);
    visit(About{"cpu_ms"}, field::Number{}, ToMillis(used.cpu_us));
    visit(About{"throttled_ms"}, field::Number{}, ToMillis(used.throttled_us));
    visit(About{"pids"}, field::Number{}, used.pids);
    visit(About{"pids_limit"}, field::Number{}, stats.limits.pids);
    visit(About{"disk_bytes"}, field::Number{}, used.disk);
    visit(About{"disk_limit_bytes"}, field::Number{}, stats.limits.disk);
  }
  static std::optional<uint64_t> ToMillis(const std::optional<uint64_t>& us) {
    return us ? std::optional(*us / 1000) : std::nullopt;
  }
};

// A PoolStatus.
struct Pool {
  static constexpr std::string_view kSchema = "Pool";
  static void Of(const PoolStatus& pool, auto& visit) {
    visit(About{"template"}, field::Text{}, pool.template_name);
    visit(About{"limits"}, field::Object<Limits>{}, LimitsInForce{pool.limits});
    visit(About{"ready"}, field::Number{}, pool.ready);
    visit(About{"making"}, field::Number{}, pool.making);
    visit(About{"minimum"}, field::Number{}, pool.minimum);
    visit(About{"maximum"}, field::Number{}, pool.maximum);
    visit(About{"claimed"}, field::Number{}, pool.claimed);
    visit(About{"missed"}, field::Number{}, pool.missed);
    visit(About{"discarded"}, field::Number{}, pool.discarded);
    visit(About{"last_error"}, field::Text{}, pool.last_error);
  }
};

}  // namespace cay::sandbox::fields
