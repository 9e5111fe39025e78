// Snapshots of sandboxes: what one wrote, kept as a template of its owner's alone.
//
// It is called "@OWNER/NAME" (template/store/template_name.h); its owner says NAME. Who it is not
// the owner's, or an administrator, does not learn that it is there.
//
// A running sandbox is held still while what it wrote is copied, and runs on while that gets safely
// to the disk. A server that dies in between leaves nothing, and the sandbox runs on.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/lifecycle/core.h"
#include "template/template.h"

namespace cay::sandbox {

struct SnapshotRequest {
  std::string name;      // a short one
  bool replace = false;  // one of that name gives way
};

class Snapshots {
 public:
  explicit Snapshots(Core& core) : core_(core) {}

  // kResourceExhausted when the owner has as many, or as large ones, as an owner may have.
  Result<templates::TemplateInfo> Take(Sandbox& sandbox, const SnapshotRequest& request);

  // What an owner may still have of these and of what was built for it, in bytes beyond what they
  // stand on; `replaced` is not counted. kResourceExhausted: nothing.
  Result<Bytes> RoomFor(const std::string& owner, const std::string& replaced);

  // The caller's, those of everybody for an administrator; the oldest first.
  Result<std::vector<templates::TemplateInfo>> List(const Caller& caller);
  Result<templates::TemplateInfo> Get(const Caller& caller, const std::string& name);
  Result<void> Remove(const Caller& caller, const std::string& name);

 private:
  struct Room {
    size_t count = 0;
    Bytes bytes = 0;
  };
  Result<Room> RoomOf(const std::string& owner, const std::string& replaced);
  Result<templates::SnapshotDraft> Copy(Sandbox& sandbox, Bytes room);

  Core& core_;
  std::mutex adding_;  // held from the look at what an owner has to the new one
};

// What a template is called that the caller asks for: its own snapshot of a short name comes before
// everybody's template. kNotFound for another owner's.
Result<std::string> TemplateNameFor(const templates::TemplateStore& store, const Caller& caller,
                                    const std::string& asked);

// Whether the caller may see it.
bool MaySee(const Caller& caller, const std::string& template_name);

}  // namespace cay::sandbox
