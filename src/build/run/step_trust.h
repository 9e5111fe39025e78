// Whose certificates a step trusts beside what its layers say: of networks whose TLS is inspected,
// and registries with an authority of their own.
#pragma once

#include <string>
#include <string_view>

#include "build/run/step.h"

namespace cay::build {

inline constexpr std::string_view kAuthoritiesFile = "/run/cay-authorities.pem";  // inside

// `authorities` (PEM): all that are trusted. They are a file of this step alone, to which variables
// lead the programs that know one, unless the Dockerfile has set it.
void Trust(RunStep& step, const std::string& authorities);

}  // namespace cay::build
