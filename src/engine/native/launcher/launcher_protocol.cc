#include "engine/native/launcher/launcher_protocol.h"

#include <array>
#include <optional>
#include <utility>

#include "engine/native/spawn/stages.h"

namespace cay::engine::native {
namespace {

constexpr size_t kMaxWhy = 4096;

// The numbers of Stats, in the order they are sent in.
constexpr std::array kStatsFields = {&Stats::memory, &Stats::memory_peak,  &Stats::oom_kills,
                                     &Stats::cpu_us, &Stats::throttled_us, &Stats::pids,
                                     &Stats::disk,   &Stats::memory_cache};

Error OtherShape() { return {ErrorCode::kProtocol, Fault::kMachine, "a reply of another shape"}; }

}  // namespace

void EncodeCreated(protocol::CborWriter& writer, const Created& created) {
  writer.Array(5).Array(created.stage_us.size());
  for (const StageTime& stage : created.stage_us) writer.Unsigned(stage.us);
  writer.Array(created.not_enforced.size());
  for (const NotEnforced& missing : created.not_enforced) {
    writer.Array(2).Unsigned(static_cast<uint64_t>(missing.limit)).Bytes(missing.why);
  }
  writer.Unsigned(static_cast<uint64_t>(created.scratch))
      .Bool(created.single_user)
      .Unsigned(created.guest_protocol);
}

Result<Created> DecodeCreated(protocol::CborReader& reader) {
  Created created;
  if (TRY(reader.Array(5)) != 5 || TRY(reader.Array(kStageCount)) != kStageCount)
    return Failure(OtherShape());
  StageLaps stage_us{};
  for (uint32_t& us : stage_us) us = static_cast<uint32_t>(TRY(reader.Unsigned(UINT32_MAX)));
  created.stage_us = Named(stage_us);
  const size_t missing = TRY(reader.Array(kLimitKindCount));
  for (size_t i = 0; i < missing; ++i) {
    if (TRY(reader.Array(2)) != 2) return Failure(OtherShape());
    const auto limit = static_cast<LimitKind>(TRY(reader.Unsigned(kLimitKindCount - 1)));
    created.not_enforced.push_back({limit, std::string(TRY(reader.Bytes(kMaxWhy)))});
  }
  created.scratch = static_cast<Scratch>(TRY(reader.Unsigned(2)));
  created.single_user = TRY(reader.Bool());
  created.guest_protocol = static_cast<uint32_t>(TRY(reader.Unsigned(UINT32_MAX)));
  return created;
}

void EncodeStats(protocol::CborWriter& writer, const Stats& stats) {
  writer.Array(kStatsFields.size());
  for (const auto field : kStatsFields) {
    const std::optional<uint64_t>& value = stats.*field;
    writer.Array(value ? 1 : 0);
    if (value) writer.Unsigned(*value);
  }
}

Result<Stats> DecodeStats(protocol::CborReader& reader) {
  Stats stats;
  if (TRY(reader.Array(kStatsFields.size())) != kStatsFields.size()) return Failure(OtherShape());
  for (const auto field : kStatsFields) {
    if (TRY(reader.Array(1)) == 1) stats.*field = TRY(reader.Unsigned());
  }
  return stats;
}

void EncodeExit(protocol::CborWriter& writer, const Exit& exit) {
  writer.Array(3)
      .Unsigned(static_cast<uint64_t>(exit.reason))
      .Signed(exit.signal)
      .Signed(exit.exit_code);
}

Result<Exit> DecodeExit(protocol::CborReader& reader) {
  if (TRY(reader.Array(3)) != 3) return Failure(OtherShape());
  Exit exit;
  exit.reason =
      static_cast<ExitReason>(TRY(reader.Unsigned(static_cast<uint64_t>(ExitReason::kUnknown))));
  exit.signal = static_cast<int>(TRY(reader.Signed()));
  exit.exit_code = static_cast<int>(TRY(reader.Signed()));
  return exit;
}

}  // namespace cay::engine::native
