#include "engine/native/record/record.h"

#include "engine/native/record/legacy_record.h"
#include "engine/native/record/request_fields.h"

namespace cay::protocol {

template <>
struct WireForm<engine::native::IdRange> {
  using Type = uint32_t;
  static uint32_t Of(const engine::native::IdRange& range) { return range.number(); }
  static Result<engine::native::IdRange> From(uint32_t number) {
    return engine::native::IdRange::FromNumber(number);
  }
};

template <>
struct FieldsOf<engine::native::Record> {
  static void Visit(auto& self, auto& codec) {
    codec.Field(1, self.format);
    codec.Field(2, self.request);
    codec.Field(3, self.id_range);
    codec.Field(4, self.scratch, engine::Scratch::kMemory);
    codec.Field(5, self.stopped);
    codec.Field(6, self.paused);
    codec.Field(7, self.created_unix_ms);
    codec.Field(8, self.guest_protocol);
    codec.Field(9, self.visited);
    codec.Rest(self.rest);
  }
};

}  // namespace cay::protocol

namespace cay::engine::native {
namespace {

using protocol::Unknown;

// Of a record that is written at all, so that one without it is no record.
struct Heading {
  std::optional<uint32_t> format;
  static void Fields(auto& self, auto& codec) { codec.Field(1, self.format); }
};

Result<void> CheckFormat(std::string_view bytes) {
  const auto heading = TRY(protocol::Decode<Heading>(bytes, Unknown::kSkipped));
  if (!heading.format) {
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "this is not a sandbox's record"));
  }
  if (*heading.format <= kRecordFormat) return {};
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "the sandbox's record was written by a newer cay (format " +
                           std::to_string(*heading.format) + ", and this one knows " +
                           std::to_string(kRecordFormat) + ")")
                     .WithRemedy("use the newer cay"));
}

}  // namespace

uint32_t FormatFor(const CreateRequest& request) { return request.volumes.empty() ? 1 : 2; }

std::string EncodeRecord(const Record& record) { return protocol::Encode(record); }

Result<Record> DecodeRecord(std::string_view bytes, const SandboxId& id) {
  Record record{.request = CreateRequest(id, {}), .id_range = std::nullopt};
  record.request.lifetime = Lifetime::kPersistent;
  if (IsLegacyRecord(bytes)) {
    record = TRY(DecodeLegacyRecord(bytes));
  } else {
    TRY(CheckFormat(bytes));
    TRY(protocol::DecodeInto(bytes, record, Unknown::kSkipped));
  }
  if (record.request.id != id) {
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                         "this is the record of sandbox " + record.request.id.text()));
  }
  return record;
}

}  // namespace cay::engine::native
