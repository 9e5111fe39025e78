// What is below a directory that is copied, into a plan. Inside this room only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "build/copy/copy_target.h"
#include "build/copy/plan_contents.h"
#include "build/copy/tree_walk.h"
#include "template/dockerfile/patterns/glob.h"
#include "template/dockerfile/patterns/ignore.h"

namespace cay::build {

// What every file of a request gets.
struct CopyRules {
  std::optional<Owner> owner{};
  std::optional<ModeChange> chmod{};
  templates::dockerfile::IgnorePatterns excludes{};
};

class PlanTree {
 public:
  // Of the plan's last item, whose tree and tops are set. All outlive it. `include`: what is copied
  // of it, with the directories that it is in; null: everything.
  PlanTree(CopyPlan::Contents& plan, CopyTarget& target, const CopyRules& rules,
           const templates::dockerfile::Glob* include = nullptr)
      : plan_(plan),
        target_(target),
        rules_(rules),
        include_(include),
        item_(static_cast<uint32_t>(plan.items.size() - 1)) {}

  // The top is a directory, and so is the target's, which stays as it is.
  Result<void> AddBelowTop();

  // One file or symlink of the item.
  Result<void> AddNode(const std::string& below, const Place& place);

 private:
  // A directory that is copied when something in it is.
  struct Pending {
    std::string below{};
    struct stat info{};
    bool added = false;
  };

  bool Includes(std::string_view below) const;
  Result<void> AddDirectory(const std::string& below, const struct stat& info);
  Result<void> AddPending(std::string_view below);
  Result<void> AddPendingOne(const Pending& pending);
  Result<void> Take(TreeWalk& walk, const TreeWalk::Step& step);
  void SkipSpecial(const Place& place);
  PlanEntry EntryOf(const std::string& below, const struct stat& info) const;
  bool FirstNameOf(const struct stat& info, PlanEntry& entry);

  CopyPlan::Contents& plan_;
  CopyTarget& target_;
  const CopyRules& rules_;
  const templates::dockerfile::Glob* include_;
  uint32_t item_;
  std::vector<Pending> pending_{};                     // each below the one before
  std::map<std::pair<dev_t, ino_t>, size_t> names_{};  // of files with several: entries
};

}  // namespace cay::build
