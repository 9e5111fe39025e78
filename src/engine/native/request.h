// What a CreateRequest may say, and its encoding: on the way to the launcher, and in the record of
// a sandbox.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "protocol/cbor.h"

namespace cay::engine::native {

inline constexpr size_t kMaxRequestBytes = 64 * kKiB;

// Refuses (kInvalidArgument) what makes no sense or is over a bound of the engine: paths that are
// not absolute or hold
// "..", mounts over /proc, /sys and /dev, limits below what a sandbox needs to run at all.
Result<void> ValidateRequest(const CreateRequest& request);

// The limits of Update: those ValidateRequest would take.
Result<void> ValidateLimits(const Limits& limits);

void EncodeLimits(protocol::CborWriter& writer, const Limits& limits);
Result<Limits> DecodeLimits(protocol::CborReader& reader);

void EncodeRequest(protocol::CborWriter& writer, const CreateRequest& request);
// Decoded and valid.
Result<CreateRequest> DecodeRequest(protocol::CborReader& reader);

}  // namespace cay::engine::native
