// StepKey: what a step of a build depends on, as one digest. Two steps of one key make the same
// layer, so that the second need not be done.
//
//   StepKey key("run");
//   key.Add("parent", chain.key).Add("argv", argv).Add("user", user);
//   const std::string text = TRY(key.Finish());          // "sha256:…"
//
// Each value has its name and length before it: no two different lists of values are the same text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::build {

class StepKey {
 public:
  // What kind of step. Steps that are done by other rules are of another kind.
  explicit StepKey(std::string_view kind) { Add("kind", kind); }

  StepKey& Add(std::string_view name, std::string_view value);
  StepKey& Add(std::string_view name, const std::vector<std::string>& values);

  Result<std::string> Finish() const;

 private:
  std::string text_;
};

}  // namespace cay::build
