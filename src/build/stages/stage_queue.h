// StageQueue: the stages of a build on a bounded number of threads, each when those that it needs
// are done.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"

namespace cay::build {

struct StageWork {
  size_t stage = 0;
  std::vector<size_t> needs{};  // stages of other works
};

// `build` is called for each, from several threads, at most `at_a_time` at once; false: it failed,
// and nothing more is begun. Returns when nothing is under way any more: the first error; false
// where one failed.
Result<bool> BuildStages(std::span<const StageWork> works, size_t at_a_time,
                         const std::function<Result<bool>(size_t stage)>& build);

}  // namespace cay::build
