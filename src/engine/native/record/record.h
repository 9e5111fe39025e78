// Record: what a launcher that comes after another needs to know of a sandbox, as it lies in the
// sandbox's directory (sandbox_dir.h).
//
// It outlives the program that wrote it, and may be read by an older one. Its fields have numbers
// (message_codec.h): a missing field has the meaning that it had before there was such a field; an
// unknown field is kept, and written again. Inside the request an unknown field is skipped, and is
// gone once the older program writes the record. So a field that must not be missed, or would be
// misread, raises kRecordFormat: an older program then refuses the record, and what cannot be read
// is left alone. Records of programs that numbered no fields are read by legacy_record.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/native/ids/id_range.h"
#include "protocol/message_codec.h"

namespace cay::engine::native {

inline constexpr uint32_t kRecordFormat = 2;

// The least that a reader of this request must know. 2: volumes. An older program would start the
// sandbox without them, and what it writes there would be in its own files.
uint32_t FormatFor(const CreateRequest& request);

inline constexpr size_t kMaxRecordBytes = 128 * kKiB;

struct Record {
  CreateRequest request;
  std::optional<IdRange> id_range;  // none for an ordinary user's sandbox
  Scratch scratch = Scratch::kDisk;
  bool stopped = false;  // by Stop: no guest is to be looked for …
  // … except this one: it was visited (Engine::Visit). Means nothing unless the sandbox is stopped:
  // an older program, which does not know this field, writes it again as it was.
  bool visited = false;
  bool paused = false;  // written before freezing, cleared after thawing
  int64_t created_unix_ms = 0;
  uint32_t guest_protocol = 1;     // protocol::kProtocolVersion of the guest that was started last
  uint32_t format = 1;             // the least that a reader must know: see FormatFor
  protocol::SkippedFields rest{};  // a newer program's
};

std::string EncodeRecord(const Record& record);

// The record of sandbox `id`. kNotSupported for a newer program's, kProtocol for what is no record,
// or that of another sandbox. What it asks for is not checked by this program's rules, which may be
// stricter than the writer's.
Result<Record> DecodeRecord(std::string_view bytes, const SandboxId& id);

}  // namespace cay::engine::native
