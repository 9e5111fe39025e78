// Options of the commands that read the server's configuration, made of its table of keys.
#pragma once

#include <optional>
#include <string>

#include "cli/frame/command.h"
#include "config/config.h"

namespace cay::cli {

struct ConfigArguments {
  config::Sources sources;
  bool json = false;
};

// --set KEY=VALUE.
Result<void> AddSetting(ConfigArguments& arguments, std::string_view text);
// --config FILE.
Result<void> SetFile(ConfigArguments& arguments, std::string_view path);

inline constexpr OptionSpec kConfigOption = {.name = "config",
                                             .short_name = 'c',
                                             .value = "FILE",
                                             .help = "The configuration file",
                                             .example = "/etc/cay/cay.toml",
                                             .completes = Completes::kFiles,
                                             .apply = &Into<ConfigArguments, SetFile>};
inline constexpr OptionSpec kSetOption = {.name = "set",
                                          .value = "KEY=VALUE",
                                          .help = "Set any key of the configuration",
                                          .example = "limits.maxima.memory=32g",
                                          .apply = &Into<ConfigArguments, AddSetting>};

}  // namespace cay::cli
