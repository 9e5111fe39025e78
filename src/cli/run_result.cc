#include "cli/run_result.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/command.h"
#include "cli/console.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

void AddOutput(json::object& object, std::string_view name, const HeldOutput& output) {
  std::string key(name);
  std::string_view held = output.held();
  uint64_t dropped = output.dropped();
  // What is left of a character that was cut in two is no text.
  auto is_rest = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  for (int i = 0; i < 3 && dropped > 0 && !held.empty() && is_rest(held.front()); ++i) {
    held.remove_prefix(1);
    ++dropped;
  }
  if (IsUtf8(held)) {
    object[key] = held;
  } else {
    object[key] = EncodeBase64(held);
    object[key + "_encoding"] = "base64";
  }
  object[key + "_truncated"] = dropped > 0;
  if (dropped > 0) object[key + "_dropped_bytes"] = dropped;
}

template <class T>
json::value OrNull(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

// 1234 -> "1.234 ms"
std::string FormatMicros(uint64_t us) {
  std::string fraction = std::to_string(us % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  return std::to_string(us / 1000) + "." + fraction;
}

// The length of the UTF-8 sequence that `text` begins with, or 0.
size_t SequenceLength(std::string_view text) {
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                  : lead >= 0xE0 && lead <= 0xEF ? 3
                  : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  bool overlong = (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xF0 && at(1) < 0x90);
  bool surrogate = lead == 0xED && at(1) > 0x9F;
  bool too_high = lead == 0xF4 && at(1) > 0x8F;
  return overlong || surrogate || too_high ? 0 : length;
}

}  // namespace

void HeldOutput::Append(std::string_view bytes) {
  if (bytes.size() > limit_) {
    dropped_ += bytes.size() - limit_;
    bytes.remove_prefix(bytes.size() - limit_);
  }
  bytes_.append(bytes);
  // Trimmed seldom, so that a long output costs one copy of each byte.
  if (bytes_.size() > 2 * limit_) {
    dropped_ += bytes_.size() - limit_;
    bytes_.erase(0, bytes_.size() - limit_);
  }
}

std::string_view HeldOutput::held() const {
  std::string_view all = bytes_;
  return all.substr(all.size() - std::min(all.size(), limit_));
}

uint64_t HeldOutput::dropped() const { return dropped_ + (bytes_.size() - held().size()); }

int ExitCode(int command_exit_code, std::optional<int> signal, bool timed_out) {
  if (timed_out) return kExitTimeout;
  if (signal) return kExitSignalBase + *signal;
  return command_exit_code & 0xFF;
}

std::string RenderJson(const RunResult& result, bool timing) {
  json::object object;
  object["exit_code"] = result.exit_code;
  object["signal"] = OrNull(result.signal);
  object["timed_out"] = result.timed_out;
  object["oom_killed"] = result.oom_killed;
  object["disk_full"] = result.disk_full;
  object["duration_ms"] = result.duration_ms;
  object["cpu_ms"] = OrNull(result.cpu_ms);
  object["memory_peak"] = OrNull(result.memory_peak);
  AddOutput(object, "stdout", result.out);
  AddOutput(object, "stderr", result.err);
  json::array not_enforced;
  for (const engine::NotEnforced& limit : result.not_enforced) {
    not_enforced.push_back({{"limit", engine::LimitName(limit.limit)}, {"why", limit.why}});
  }
  object["not_enforced"] = std::move(not_enforced);
  if (timing) {
    json::object stages;
    for (const StageTime& stage : result.stages) stages[stage.name] = stage.us;
    object["timing_us"] = std::move(stages);
  }
  if (result.error) {
    object["error"] = {{"code", ErrorCodeName(result.error->code())},
                       {"message", result.error->message()},
                       {"remedy", result.error->remedy()}};
  }
  return json::serialize(object) + "\n";
}

std::string RenderTiming(const std::vector<StageTime>& stages) {
  std::vector<std::vector<std::string>> rows = {{"STAGE", "MS"}};
  uint64_t sum = 0;
  size_t width = 0;
  for (const StageTime& stage : stages) {
    sum += stage.us;
    rows.push_back({stage.name, FormatMicros(stage.us)});
  }
  rows.push_back({"total", FormatMicros(sum)});
  for (const auto& row : rows) width = std::max(width, row[1].size());
  for (auto& row : rows) row[1].insert(0, width - row[1].size(), ' ');
  return FormatTable(rows);
}

std::vector<std::string> RenderNotes(const RunResult& result, const engine::Limits& limits,
                                     Millis timeout) {
  std::vector<std::string> notes;
  if (result.timed_out) notes.push_back("timed out after " + FormatDuration(timeout));
  if (result.oom_killed) {
    notes.push_back("killed: out of memory (limit " + FormatBytes(limits.memory) + ")");
  }
  if (result.disk_full) {
    notes.push_back("the sandbox's disk is full (limit " + FormatBytes(limits.disk) + ")");
  }
  for (auto [name, output] : {std::pair("stdout", &result.out), std::pair("stderr", &result.err)}) {
    if (output->dropped() == 0) continue;
    notes.push_back(std::string(name) + ": the first " + std::to_string(output->dropped()) +
                    " bytes were not kept (limit " + FormatBytes(HeldOutput::kDefaultLimit) + ")");
  }
  return notes;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    size_t length = SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string EncodeBase64(std::string_view bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      text.push_back(k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=');
    }
  }
  return text;
}

}  // namespace cay::cli
