// Verdict: what Cay can enforce with what a machine offers, and what would mend each gap. Pure.
//
//   Verdict verdict = Evaluate(TRY(Probe(state_dir)));
//   if (!verdict.fully_enforced) …
#pragma once

#include "engine/diagnosis.h"
#include "engine/native/probe/probe.h"

namespace cay::engine::native {

using Status = ProtectionStatus;
using engine::Protection;
using engine::ProtectionGroup;
using engine::StatusName;
using Verdict = Diagnosis;

Verdict Evaluate(const Facts& facts);

}  // namespace cay::engine::native
