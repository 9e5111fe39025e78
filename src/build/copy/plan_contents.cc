#include "build/copy/plan_contents.h"

#include "archive/safe_path.h"
#include "build/copy/tree_walk.h"

namespace cay::build {
namespace {

Failure TooMuch(const std::string& message) {
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller, message));
}

}  // namespace

CopyPlan::CopyPlan(std::unique_ptr<Contents> contents) : contents_(std::move(contents)) {}
CopyPlan::CopyPlan(CopyPlan&&) noexcept = default;
CopyPlan& CopyPlan::operator=(CopyPlan&&) noexcept = default;
CopyPlan::~CopyPlan() = default;

bool CopyPlan::empty() const { return contents_->entries.empty(); }
uint64_t CopyPlan::entries() const { return contents_->entries.size(); }
Bytes CopyPlan::bytes() const { return contents_->bytes; }
const std::vector<CopyPlan::Unmatched>& CopyPlan::unmatched() const { return contents_->unmatched; }
uint64_t CopyPlan::skipped_special() const { return contents_->skipped_special; }
const std::string& CopyPlan::first_skipped() const { return contents_->first_skipped; }

Result<void> CopyPlan::Contents::CountNames(size_t count) {
  name_bytes += count;
  if (name_bytes <= limits.max_name_bytes) return {};
  return TooMuch("the names of what is copied are more than " + HumanBytes(limits.max_name_bytes));
}

Result<void> CopyPlan::Contents::Add(PlanEntry entry) {
  if (entries.size() >= limits.max_entries) {
    return TooMuch("more than " + std::to_string(limits.max_entries) + " files are copied");
  }
  const std::string target = TargetOf(entry);
  if (archive::SplitLast(target).name.starts_with(".wh.")) {
    return Failure(Error::Invalid("\"/" + archive::Printable(target) +
                                  "\" cannot be copied: a name that begins with \".wh.\" "
                                  "removes a file where images are unpacked"));
  }
  TRY(CountNames(entry.below.size() + entry.link.size()));
  if (entry.size > limits.max_bytes - bytes) {
    return TooMuch("more than " + HumanBytes(limits.max_bytes) + " is copied");
  }
  bytes += entry.size;
  entries.push_back(std::move(entry));
  return {};
}

std::string CopyPlan::Contents::TargetOf(const PlanEntry& entry) const {
  return JoinPath(items[entry.item].target_top, entry.below);
}

}  // namespace cay::build
