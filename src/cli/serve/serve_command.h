// Options of the commands that read the server's configuration, made of its table of keys.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"

namespace cay::cli {

struct ConfigArguments {
  config::Sources sources;
  bool json = false;
};

// --set KEY=VALUE.
Result<void> AddSetting(ConfigArguments& arguments, std::string_view text);

}  // namespace cay::cli
