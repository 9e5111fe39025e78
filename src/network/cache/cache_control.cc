#include "network/cache/cache_control.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "base/units.h"
#include "http/wire/serialize.h"

namespace cay::network {
namespace {

constexpr uint64_t kLongest = uint64_t{1} << 31;

// The next item of a list, up to a comma that is in no quotes, taken off the text. Nothing: quotes
// that do not end.
std::optional<std::string_view> TakeItem(std::string_view& text) {
  bool quoted = false;
  size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted && c == '\\') {
      ++at;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      break;
    }
  }
  if (quoted || at > text.size()) return std::nullopt;
  const std::string_view item = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return item;
}

void SetSeconds(std::string_view text, std::optional<uint64_t>& seconds, bool& malformed) {
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"'))
    text = text.substr(1, text.size() - 2);
  const auto read = ReadDeltaSeconds(text);
  if (!read || (seconds && *seconds != *read)) malformed = true;
  if (read) seconds = read;
}

void Add(std::string_view item, CacheControl& control) {
  const size_t equals = std::min(item.find('='), item.size());
  const std::string name = Lower(item.substr(0, equals));
  const std::string_view value = item.substr(std::min(equals + 1, item.size()));
  if (!http::IsFieldName(name)) {
    control.malformed = true;
  } else if (name == "no-store") {
    control.no_store = true;
  } else if (name == "no-cache") {
    control.no_cache = true;
  } else if (name == "private") {
    control.is_private = true;
  } else if (name == "only-if-cached") {
    control.only_if_cached = true;
  } else if (name == "max-age") {
    SetSeconds(value, control.max_age, control.malformed);
  } else if (name == "s-maxage") {
    SetSeconds(value, control.s_maxage, control.malformed);
  }
}

}  // namespace

std::optional<uint64_t> ReadDeltaSeconds(std::string_view text) {
  const bool digits =
      !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return std::nullopt;
  return ParseUnsigned(text, kLongest).value_or(kLongest);
}

std::optional<CacheControl> ReadCacheControl(const http::Headers& headers) {
  std::optional<CacheControl> control;
  for (const auto& [name, value] : headers.fields()) {
    if (!EqualsIgnoringCase(name, "Cache-Control")) continue;
    if (!control) control.emplace();
    for (std::string_view rest = value; !rest.empty();) {
      const auto item = TakeItem(rest);
      if (!item) {
        control->malformed = true;
        break;
      }
      if (const std::string_view directive = Trim(*item); !directive.empty())
        Add(directive, *control);
    }
  }
  return control;
}

}  // namespace cay::network
