#include "cli/network/cache_command.h"

#include <algorithm>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/os/paths.h"
#include "base/units.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "json/json_writer.h"
#include "network/cache/cache_directory.h"
#include "network/cache/cache_place.h"
#include "network/cache/cache_rules.h"

namespace cay::cli {
namespace {

using network::CacheBounds;
using network::CacheDirectory;
using network::StoredAnswer;

struct CacheOptions {
  std::string state_dir;
  bool json = false;
};

// What belongs to who uses it. Nothing is too much for bounds that only a relay has.
Result<CacheDirectory> OpenCache(const CacheOptions& options) {
  const Paths paths = TRY(Paths::Resolve(options.state_dir));
  Fd directory = TRY(network::OpenCacheDirectory(paths.state_dir));
  return CacheDirectory(std::move(directory), CacheBounds{.bytes = UINT64_MAX});
}

Result<int> ListMain(CacheOptions& options, Positionals&) {
  const CacheDirectory cache = TRY(OpenCache(options));
  const int64_t now = UnixMs();
  std::vector<std::vector<std::string>> rows = {{"URL", "SIZE", "AGE", "STATE", "OWNER"}};
  JsonWriter json;
  json.BeginArray();
  TRY(cache.Each([&](const StoredAnswer& answer) {
    const network::KeyParts parts = network::PartsOf(answer.key);
    const bool fresh = network::IsFresh(answer, now);
    const uint64_t age = std::min<uint64_t>(network::AgeOf(answer, now), INT64_MAX / 1000);
    if (options.json) {
      json.BeginObject()
          .Member("url", ToUtf8Lossy(parts.url))
          .Member("owner", ToUtf8Lossy(parts.owner))
          .Member("bytes", answer.size)
          .Member("age_seconds", age)
          .Member("fresh", fresh)
          .Member("sha256", answer.digest)
          .EndObject();
      return;
    }
    rows.push_back({OneLine(parts.url), HumanBytes(answer.size),
                    FormatDuration(Millis(static_cast<int64_t>(age) * 1000)),
                    fresh ? "fresh" : "stale", OneLine(parts.owner)});
  }));
  json.EndArray();
  TRY(Print(options.json ? json.text() + "\n" : FormatTable(rows)));
  return 0;
}

Result<int> UseMain(CacheOptions& options, Positionals&) {
  const CacheDirectory cache = TRY(OpenCache(options));
  const network::CacheUsage usage = TRY(cache.Usage());
  JsonWriter json;
  json.BeginObject()
      .Member("answers", usage.entries)
      .Member("bodies", usage.bodies)
      .Member("bytes", usage.bytes)
      .EndObject();
  TRY(Print(options.json
                ? json.text() + "\n"
                : std::to_string(usage.entries) + " answers, " + HumanBytes(usage.bytes) + "\n"));
  return 0;
}

Result<int> ClearMain(CacheOptions& options, Positionals&) {
  CacheDirectory cache = TRY(OpenCache(options));
  TRY(cache.Clear());
  return 0;
}

constexpr OptionSpec kLookOptions[] = {kStateDirOption<CacheOptions>, kJsonOption<CacheOptions>};
constexpr OptionSpec kClearOptions[] = {kStateDirOption<CacheOptions>};

constexpr Command kListCacheCommand = {
    .name = "ls",
    .summary = "List the answers that are kept, in no order",
    .usage = "[OPTIONS]",
    .options = kLookOptions,
    .examples = "cay net cache ls\n",
    .run = &ParseAndRun<CacheOptions, ListMain>,
};

constexpr Command kUseCommand = {
    .name = "df",
    .summary = "Show how much is kept",
    .usage = "[OPTIONS]",
    .options = kLookOptions,
    .examples = "cay net cache df --json\n",
    .run = &ParseAndRun<CacheOptions, UseMain>,
};

constexpr Command kClearCommand = {
    .name = "clear",
    .summary = "Remove all of it, while sandboxes use it too",
    .usage = "[OPTIONS]",
    .options = kClearOptions,
    .examples = "cay net cache clear\n",
    .run = &ParseAndRun<CacheOptions, ClearMain>,
};

constexpr const Command* kCommands[] = {&kListCacheCommand, &kUseCommand, &kClearCommand};

}  // namespace

constinit const Command kCacheCommand = {
    .name = "cache",
    .summary = "What is kept of registries' answers (cay run --cache, network.cache)",
    .usage = "COMMAND [OPTIONS]",
    .examples = "cay net cache df\ncay net cache clear\n",
    .subcommands = kCommands,
};

}  // namespace cay::cli
