// What a CreateRequest may ask for, and its encoding on the way to the launcher.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/engine.h"

namespace cay::engine::native {

inline constexpr size_t kMaxRequestBytes = 64 * kKiB;

// Refuses (kInvalidArgument) what makes no sense or is over a bound of the engine: paths that are
// not absolute or hold
// "..", mounts over /proc, /sys and /dev, limits below what a sandbox needs to run at all.
Result<void> ValidateRequest(const CreateRequest& request);

// kNotSupported unless the root filesystem is of a kind that the native engine can make.
Result<void> CheckIsOfHostLayers(const RootFilesystem& root);

// The limits of Update: those ValidateRequest would take.
Result<void> ValidateLimits(const Limits& limits);

std::string EncodeLimits(const Limits& limits);
Result<Limits> DecodeLimits(std::string_view bytes);

std::string EncodeRequest(const CreateRequest& request);
// For sandbox `id`: decoded and valid.
Result<CreateRequest> DecodeRequest(std::string_view bytes, const SandboxId& id);

}  // namespace cay::engine::native
