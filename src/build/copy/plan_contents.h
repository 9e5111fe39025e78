// What a CopyPlan holds. Inside this room only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "archive/tar_entry.h"
#include "build/copy/copy_plan.h"

namespace cay::build {

// Where a part of the plan comes from, and where it goes.
struct PlanItem {
  FileTree* tree = nullptr;              // of files of a tree
  std::unique_ptr<FileTree> own_tree{};  // the same, of a fetched directory
  std::shared_ptr<const Fd> file{};      // of a fetched file
  std::string content{};                 // of an inline file
  std::string source_top{};              // a path in the tree
  std::string target_top{};              // a path in the layer
  std::optional<Owner> archive_owner{};  // of what an archive holds; nothing: its own
};

// One member of the archive, or all those of an archive that is unpacked.
struct PlanEntry {
  archive::EntryType type = archive::EntryType::kFile;
  bool is_archive = false;  // `item` is a tar, whose members come below the target
  bool made = false;        // a directory that no source has
  uint32_t item = 0;
  mode_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  archive::Timestamp mtime{};
  uint64_t size = 0;
  std::string below{};  // below the tops of the item; "": the tops themselves
  std::string link{};   // of symlinks; of hard links a path in the layer
};

class CopyPlan::Contents {
 public:
  explicit Contents(const CopyLimits& bounds) : limits(bounds) {}

  // kLimitTooHigh.
  Result<void> Add(PlanEntry entry);
  // Bytes of names that are kept beside entries.
  Result<void> CountNames(size_t bytes);
  Result<void> Step() const { return limits.on_step ? limits.on_step() : Result<void>{}; }
  std::string TargetOf(const PlanEntry& entry) const;

  CopyLimits limits;
  std::vector<PlanItem> items{};
  std::vector<PlanEntry> entries{};
  Bytes bytes = 0;
  Bytes name_bytes = 0;
  std::vector<Unmatched> unmatched{};
  uint64_t skipped_special = 0;
  std::string first_skipped{};
};

}  // namespace cay::build
