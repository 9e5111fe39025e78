// The files of one group, read and written through its parent's descriptor; and a set of changes
// that is taken back when one of them fails.
//
//   const CgroupDir dir(parent_fd, "k3v…");
//   KnobChanges changes(KnobChanges::Undo::kYes);
//   TRY(changes.Write(dir, "memory.max", "536870912"));
//   TRY(changes.Write(dir, "pids.max", "64"));      // fails: memory.max has its old value again
//
// A name is looked up below the parent, so no descriptor is held for each sandbox.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::engine::native {

class CgroupDir {
 public:
  // `parent` is borrowed; `name` a single component, or "." for the parent itself.
  CgroupDir(int parent, std::string name) : parent_(parent), name_(std::move(name)) {}

  int parent() const { return parent_; }
  const std::string& name() const { return name_; }

  bool Has(std::string_view knob) const;
  Result<void> Write(std::string_view knob, std::string_view value) const;

  // Without the newline at the end.
  Result<std::string> Read(std::string_view knob) const;

  // Nothing when this kernel has no such knob.
  Result<std::optional<uint64_t>> ReadNumber(std::string_view knob) const;
  Result<std::optional<uint64_t>> ReadField(std::string_view knob, std::string_view field) const;

 private:
  std::string PathOf(std::string_view knob) const;

  int parent_;
  std::string name_;
};

// The number after `field` in "field number" lines (memory.events, cpu.stat, …).
std::optional<uint64_t> FindField(std::string_view text, std::string_view field);

class KnobChanges {
 public:
  // kNo for a group that was made a moment ago and is thrown away on failure: saves the reads.
  enum class Undo { kNo, kYes };
  explicit KnobChanges(Undo undo) : undo_(undo) {}

  // On failure every earlier change is taken back, the last one first.
  Result<void> Write(const CgroupDir& dir, std::string_view knob, std::string_view value);

  void TakeBack();

 private:
  struct Old {
    CgroupDir dir;
    std::string knob;
    std::string value;
  };
  Undo undo_;
  std::vector<Old> old_;
};

}  // namespace cay::engine::native
