#include "engine/native/record/legacy_record.h"

#include "engine/native/record/request.h"
#include "engine/native/rootfs/rootfs.h"
#include "engine/native/rootfs/scratch.h"
#include "protocol/cbor.h"

namespace cay::engine::native {
namespace {

constexpr size_t kPlaces = 7;  // in a record
constexpr uint64_t kVersion = 1;
constexpr uint64_t kNoIdRange = UINT32_MAX;
constexpr char kArrayOfSeven = static_cast<char>(4 << 5 | kPlaces);  // RFC 8949, section 3.1

Result<void> ExpectArray(protocol::CborReader& reader, size_t count) {
  if (TRY(reader.Array(count)) == count) return {};
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "a record of another shape"));
}

Result<std::string> Text(protocol::CborReader& reader) {
  return std::string(TRY(reader.Bytes(kMaxRequestBytes)));
}

Result<RootFilesystem> DecodeRoot(protocol::CborReader& reader) {
  HostLayers root;
  const size_t overlays = TRY(reader.Array(kMaxOverlays));
  for (size_t i = 0; i < overlays; ++i) {
    TRY(ExpectArray(reader, 2));
    Overlay overlay{TRY(Text(reader)), {}};
    const size_t layers = TRY(reader.Array(kMaxLayers));
    for (size_t layer = 0; layer < layers; ++layer) overlay.layers.push_back(TRY(Text(reader)));
    root.overlays.push_back(std::move(overlay));
  }
  return root;
}

Result<void> DecodeMounts(protocol::CborReader& reader, CreateRequest& request) {
  const size_t mounts = TRY(reader.Array(kMaxMounts));
  for (size_t i = 0; i < mounts; ++i) {
    TRY(ExpectArray(reader, 3));
    std::string source = TRY(Text(reader));
    std::string target = TRY(Text(reader));
    const bool read_only = TRY(reader.Bool());
    request.mounts.push_back({std::move(source), std::move(target), read_only});
  }
  const size_t tmpfs = TRY(reader.Array(kMaxMounts));
  for (size_t i = 0; i < tmpfs; ++i) {
    TRY(ExpectArray(reader, 2));
    std::string target = TRY(Text(reader));
    const Bytes size = TRY(reader.Unsigned());
    request.tmpfs.push_back({std::move(target), size});
  }
  return {};
}

Result<Limits> DecodeLimits(protocol::CborReader& reader) {
  TRY(ExpectArray(reader, 7));
  Limits limits;
  limits.memory = TRY(reader.Unsigned());
  limits.cpus = static_cast<MilliCpus>(TRY(reader.Unsigned(UINT32_MAX)));
  limits.pids = static_cast<uint32_t>(TRY(reader.Unsigned(UINT32_MAX)));
  limits.disk = TRY(reader.Unsigned());
  limits.inodes = TRY(reader.Unsigned());
  limits.open_files = TRY(reader.Unsigned());
  limits.file_size = TRY(reader.Unsigned());
  return limits;
}

Result<CreateRequest> DecodeRequest(protocol::CborReader& reader) {
  TRY(ExpectArray(reader, 12));
  SandboxId id = TRY(SandboxId::Parse(TRY(Text(reader))));
  CreateRequest request(std::move(id), TRY(DecodeRoot(reader)));
  request.limits = TRY(DecodeLimits(reader));
  request.required = LimitSet::FromBits(static_cast<uint32_t>(TRY(reader.Unsigned(UINT32_MAX))));
  request.best_effort = TRY(reader.Bool());
  request.hostname = TRY(Text(reader));
  TRY(DecodeMounts(reader, request));
  request.noexec = TRY(reader.Bool());
  request.scratch = static_cast<Scratch>(TRY(reader.Unsigned(2)));
  request.lifetime = static_cast<Lifetime>(TRY(reader.Unsigned(1)));
  request.label = TRY(Text(reader));
  return request;
}

}  // namespace

bool IsLegacyRecord(std::string_view bytes) { return bytes.starts_with(kArrayOfSeven); }

Result<Record> DecodeLegacyRecord(std::string_view bytes) {
  protocol::CborReader reader(bytes);
  TRY(ExpectArray(reader, kPlaces));
  TRY(reader.Unsigned(kVersion));
  Record record{.request = TRY(DecodeRequest(reader)), .id_range = std::nullopt};
  if (const uint64_t number = TRY(reader.Unsigned(UINT32_MAX)); number != kNoIdRange) {
    record.id_range = TRY(IdRange::FromNumber(number));
  }
  record.scratch = static_cast<Scratch>(TRY(reader.Unsigned(2)));
  record.stopped = TRY(reader.Bool());
  record.paused = TRY(reader.Bool());
  record.created_unix_ms = TRY(reader.Signed());
  TRY(reader.End());
  return record;
}

}  // namespace cay::engine::native
