// What a job that failed means, in words and codes: kCommandNotFound (127), kNotExecutable (126) …
#pragma once

#include "base/error.h"
#include "guest/spawn/spawn_job.h"

namespace cay::guest {

// For a job with `failed` other than kNone. Looks at the file to say more than the errno does.
Error DescribeSpawnFailure(const SpawnJob& job);

}  // namespace cay::guest
