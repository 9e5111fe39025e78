// CopyTarget: the tree that files are copied into, as it is after what was planned so far. Inside
// this room only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "build/copy/file_tree.h"
#include "build/copy/plan_contents.h"
#include "build/copy/tree_walk.h"

namespace cay::build {

class CopyTarget {
 public:
  enum class Kind : uint8_t { kNothing, kDirectory, kOther };
  struct Found {
    Kind kind = Kind::kNothing;
    bool planned = false;
    struct stat info{};  // of what is there and not planned
  };

  // The plan outlives it. `owner`: of directories that are made.
  CopyTarget(CopyPlan::Contents& plan, FileTree below, const Owner& owner,
             const archive::Timestamp& now)
      : plan_(plan), below_(std::move(below)), cursor_(below_), owner_(owner), now_(now) {}
  CopyTarget(const CopyTarget&) = delete;
  CopyTarget& operator=(const CopyTarget&) = delete;

  // An absolute path without "." and "..": where it leads inside of the layers below.
  Result<std::string> Resolve(std::string_view path);

  // What is at a path that Resolve gave, or below one.
  Result<Found> Look(const std::string& path);

  // With all that is above it; directories that are there stay as they are.
  Result<void> MakeDirectories(const std::string& path);

 private:
  Result<void> IndexPlanned();

  CopyPlan::Contents& plan_;
  FileTree below_;
  TreeCursor cursor_;
  Owner owner_;
  archive::Timestamp now_;
  std::optional<std::string> absent_{};  // what the layers below do not have, nor below it
  std::optional<uint32_t> made_item_{};
  std::unordered_map<std::string, Kind> planned_{};  // of the plan's first `indexed_` entries
  size_t indexed_ = 0;
};

}  // namespace cay::build
