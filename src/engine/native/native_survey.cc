#include "engine/native/native_survey.h"

#include "engine/native/launcher/inventory.h"
#include "engine/native/probe/verdict.h"

namespace cay::engine::native {

Result<Diagnosis> NativeSurvey::Diagnose() { return Evaluate(TRY(Probe(paths_.state_dir))); }

Result<std::vector<InventoryEntry>> NativeSurvey::TakeInventory() {
  return native::TakeInventory(paths_);
}

Result<std::vector<SandboxStatus>> NativeSurvey::List() { return ListStatuses(paths_); }

Result<std::vector<Elsewhere>> NativeSurvey::FindElsewhere() {
  return native::FindElsewhere(paths_);
}

Result<GarbageReport> NativeSurvey::CollectGarbage(const GarbageOptions& options) {
  return native::CollectGarbage(paths_, options);
}

}  // namespace cay::engine::native
