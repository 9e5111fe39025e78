// The API's remedies name its requests; whoever types commands is told the command.
//
//   InWordsOfCommands("start it first: POST /api/sandboxes/web/start")   // "start it first: cay start web"
//
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace cay::cli {

std::string InWordsOfCommands(std::string_view remedy);

}  // namespace cay::cli
