// StringMap: strings by their names: variables, metadata, contents by their paths. It is no map of
// texts: a value may be any bytes.
#pragma once

#include <map>
#include <string>

namespace cay {

using StringMap = std::map<std::string, std::string>;

}  // namespace cay
