// What an image's configuration says of the process that is started of it, as Docker reads it.
//
//   std::vector<std::string> argv = ImageCommand(image, std::nullopt, {});   // ENTRYPOINT and CMD
//   int signal = TRY(ParseStopSignal(image.stop_signal));                    // "SIGQUIT": 3
//
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/oci/image_config.h"

namespace cay::templates::oci {

// The entrypoint and what comes after it. `entrypoint`: instead of the image's; without anything in
// it there is none. `cmd`: instead of the image's; empty: the image's, unless another entrypoint
// takes it away. Nothing where neither says anything.
std::vector<std::string> ImageCommand(const ProcessConfig& image,
                                      const std::optional<std::vector<std::string>>& entrypoint,
                                      const std::vector<std::string>& cmd);

inline constexpr int kUsualStopSignal = 15;  // SIGTERM

// "SIGTERM", "term", "15", "SIGRTMIN+3"; empty: kUsualStopSignal. kInvalidArgument for what is no
// signal of Linux.
Result<int> ParseStopSignal(std::string_view text);

}  // namespace cay::templates::oci
