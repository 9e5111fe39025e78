// NativeSurvey: the native engine's sandboxes and what it takes, without a launcher.
#pragma once

#include "base/os/paths.h"
#include "engine/survey.h"

namespace cay::engine::native {

class NativeSurvey : public Survey {
 public:
  explicit NativeSurvey(Paths paths) : paths_(std::move(paths)) {}

  Result<Diagnosis> Diagnose() override;
  Result<std::vector<InventoryEntry>> TakeInventory() override;
  Result<std::vector<SandboxStatus>> List() override;
  Result<std::vector<Elsewhere>> FindElsewhere() override;
  Result<GarbageReport> CollectGarbage(const GarbageOptions& options) override;

 private:
  const Paths paths_;
};

}  // namespace cay::engine::native
