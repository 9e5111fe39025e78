// Fields of a volume, each once (base/field.h): in the API and in `cay volume ls --json`.
#pragma once

#include <string_view>
#include <vector>

#include "base/field.h"
#include "volume/store/volume_store.h"

namespace cay::volume::fields {

using field::About;

// A VolumeUser.
struct User {
  static void Of(const VolumeUser& user, auto& visit) {
    visit(About{"sandbox"}, field::Text{}, user.sandbox);
    visit(About{"read_only"}, field::Flag{}, user.read_only);
  }
};

// A VolumeInfo.
struct Volume {
  static constexpr std::string_view kSchema = "Volume";
  static void Of(const VolumeInfo& info, auto& visit) {
    visit(About{"name"}, field::Text{}, info.short_name());
    visit(About{.name = "owner", .text = "empty: of this machine, and not of a server"},
          field::Text{}, info.owner);
    visit(About{"size"}, field::Number{}, info.size);
    visit(About{.name = "used", .text = "of the machine's disk"}, field::Number{}, info.used);
    visit(About{"created_at"}, field::Time{}, info.created_unix_ms);
    visit(About{.name = "used_by", .text = "sandboxes that have it, whether they run or not"},
          field::Objects<User>{}, info.users);
  }
};

struct VolumeList {
  static constexpr std::string_view kSchema = "VolumeList";
  static void Of(const std::vector<VolumeInfo>& all, auto& visit) {
    visit(About{"volumes"}, field::Objects<Volume>{}, all);
  }
};

}  // namespace cay::volume::fields
