// The numbers of what an engine's requests are made of, for protocol/message_codec.h: in packets to
// the launcher, and in the records on disk, which outlive the program that wrote them.
#pragma once

#include <linux/limits.h>

#include "engine/engine.h"
#include "engine/native/record/request.h"
#include "engine/native/rootfs/rootfs.h"
#include "engine/native/rootfs/scratch.h"
#include "protocol/message_codec.h"

namespace cay::protocol {

template <>
struct WireForm<SandboxId> {
  using Type = std::string;
  static const std::string& Of(const SandboxId& id) { return id.text(); }
  static Result<SandboxId> From(const std::string& text) { return SandboxId::Parse(text); }
};

template <>
struct WireForm<engine::LimitSet> {
  using Type = uint32_t;
  static uint32_t Of(const engine::LimitSet& set) { return set.bits(); }
  static Result<engine::LimitSet> From(uint32_t bits) { return engine::LimitSet::FromBits(bits); }
};

template <>
struct FieldsOf<engine::Limits> {
  static void Visit(auto& self, auto& codec) {
    codec.Field(1, self.memory);
    codec.Field(2, self.cpus);
    codec.Field(3, self.pids);
    codec.Field(4, self.disk);
    codec.Field(5, self.inodes);
    codec.Field(6, self.open_files);
    codec.Field(7, self.file_size);
  }
};

template <>
struct FieldsOf<engine::Overlay> {
  static void Visit(auto& self, auto& codec) {
    codec.Field(1, self.target, size_t{PATH_MAX});
    codec.Field(2, self.layers, engine::native::kMaxLayers, size_t{PATH_MAX});
    codec.Field(3, self.read_only);
  }
};

template <>
struct FieldsOf<engine::Mount> {
  static void Visit(auto& self, auto& codec) {
    codec.Field(1, self.source, size_t{PATH_MAX});
    codec.Field(2, self.target, size_t{PATH_MAX});
    codec.Field(3, self.read_only);
  }
};

template <>
struct FieldsOf<engine::Tmpfs> {
  static void Visit(auto& self, auto& codec) {
    codec.Field(1, self.target, size_t{PATH_MAX});
    codec.Field(2, self.size);
  }
};

template <>
struct FieldsOf<engine::VolumeMount> {
  static void Visit(auto& self, auto& codec) {
    codec.Field(1, self.directory, size_t{PATH_MAX});
    codec.Field(2, self.target, size_t{PATH_MAX});
    codec.Field(3, self.read_only);
  }
};

// Records and requests are of host layers: others are refused before (CheckIsOfHostLayers).
inline const engine::HostLayers& HostLayersIn(const engine::RootFilesystem& root) {
  return engine::HostLayersOf(root);
}
inline engine::HostLayers& HostLayersIn(engine::RootFilesystem& root) {
  auto* const layers = std::get_if<engine::HostLayers>(&root);
  return layers != nullptr ? *layers : root.emplace<engine::HostLayers>();
}

template <>
struct FieldsOf<engine::CreateRequest> {
  static void Visit(auto& self, auto& codec) {
    auto& root = HostLayersIn(self.root);
    codec.Field(1, self.id, SandboxId::kLength);
    codec.Field(2, root.overlays, size_t{engine::native::kMaxOverlays});
    codec.Field(3, self.limits);
    codec.Field(4, self.required);
    codec.Field(5, self.best_effort);
    codec.Field(6, self.hostname, engine::native::kMaxRequestBytes);
    codec.Field(7, self.mounts, engine::native::kMaxMounts);
    codec.Field(8, self.tmpfs, engine::native::kMaxMounts);
    codec.Field(9, self.noexec);
    codec.Field(10, self.scratch, engine::Scratch::kMemory);
    codec.Field(11, self.lifetime, engine::Lifetime::kPersistent);
    codec.Field(12, self.label, engine::native::kMaxRequestBytes);
    codec.Field(13, root.has_usual_places);
    codec.Field(14, root.hostname, engine::native::kMaxRequestBytes);
    codec.Field(15, self.owner);
    codec.Field(16, self.read_only);
    codec.Field(17, self.privileges, Privileges::kRoot);
    codec.Field(18, self.renames_directories);
    codec.Field(19, self.volumes, engine::native::kMaxVolumes);
  }
};

}  // namespace cay::protocol
