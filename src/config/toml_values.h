// cay.toml as a flat list of keys and values. toml++ stays behind this.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::config {

struct TomlValue {
  std::string name;                 // dotted
  std::vector<std::string> values;  // numbers and booleans as they would be typed
  bool list = false;
  uint32_t line = 0;
  uint32_t column = 0;
};

// In the order of the file. A table in an array ("[[pools]]") becomes one text, as pool_text.h has
// it. kInvalidArgument "LINE:COLUMN: what" for what is not TOML, or a value of a kind that no key
// takes.
Result<std::vector<TomlValue>> ParseToml(std::string_view text);

}  // namespace cay::config
