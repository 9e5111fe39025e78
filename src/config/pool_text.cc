#include "config/pool_text.h"

#include "base/text.h"

namespace cay::config {
namespace {

Result<void> ApplyPart(sandbox::PoolOptions& pool, std::string_view name, std::string_view value) {
  if (name == "memory") {
    pool.limits.memory = TRY(ParseBytes(value));
  } else if (name == "cpus") {
    pool.limits.cpus = TRY(ParseCpus(value));
  } else if (name == "pids") {
    pool.limits.pids = static_cast<uint32_t>(TRY(ParseUnsigned(value, UINT32_MAX)));
  } else if (name == "disk") {
    pool.limits.disk = TRY(ParseBytes(value));
  } else if (name == "shrink_after") {
    pool.shrink_after = TRY(ParseDuration(value));
  } else {
    constexpr std::string_view kNames[] = {"memory", "cpus", "pids", "disk", "shrink_after"};
    const std::string_view nearest = Nearest(name, kNames);
    return Failure(Error::Invalid("a pool has no setting \"" + std::string(name) + "\"")
                       .WithRemedy(nearest.empty()
                                       ? "write memory, cpus, pids, disk or shrink_after"
                                       : "did you mean " + std::string(nearest) + "?"));
  }
  return {};
}

}  // namespace

Result<sandbox::PoolOptions> ParsePool(std::string_view text, const engine::Limits& defaults) {
  constexpr size_t kMost = 10'000;
  const std::vector<std::string_view> parts = Split(text, ',');
  const size_t equals = parts[0].find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return Failure(Error::Invalid("\"" + std::string(text) + "\" is not a pool")
                       .WithRemedy("write TEMPLATE=MIN[:MAX], as in host=2:10,memory=256m"));
  }
  sandbox::PoolOptions pool;
  pool.template_name = parts[0].substr(0, equals);
  pool.limits = defaults;
  const std::string_view counts = parts[0].substr(equals + 1);
  const size_t colon = counts.find(':');
  pool.minimum = TRY(ParseUnsigned(counts.substr(0, colon), kMost));
  pool.maximum = colon == std::string_view::npos
                     ? pool.minimum
                     : TRY(ParseUnsigned(counts.substr(colon + 1), kMost));
  if (pool.maximum < pool.minimum || pool.maximum == 0) {
    return Failure(Error::Invalid("the maximum of the pool \"" + std::string(text) +
                                  "\" is below its minimum, or 0"));
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t end = parts[i].find('=');
    if (end == std::string_view::npos) {
      return Failure(Error::Invalid("\"" + std::string(parts[i]) + "\" has no value")
                         .WithRemedy("as in memory=256m"));
    }
    TRY(ApplyPart(pool, parts[i].substr(0, end), parts[i].substr(end + 1)));
  }
  return pool;
}

}  // namespace cay::config
