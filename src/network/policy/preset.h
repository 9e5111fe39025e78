// Presets: lists of rules with a name, for what many policies need: registries of packages. The
// data is presets.txt beside this; it is part of the program.
//
//   # A comment.
//   one: What this is, for people
//     example.com:443 *.example.com:80,443
//     ~ example.com:443              (of those rules: whose answers a package cache may keep)
//   both: What these are together, for people
//     = one two                              (the rules of presets that stand above)
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/policy/rule.h"

namespace cay::network {

struct Preset {
  std::string name;
  std::string text;  // one sentence for people
  std::vector<Rule> rules;
  std::vector<Rule> kept;  // what a package cache may keep answers of (network/cache)
};

// All of them, by name. Read once; that they can be read is a test.
std::span<const Preset> Presets();
// kInvalidArgument, with the names that there are.
Result<const Preset*> FindPreset(std::string_view name);

// Whether a preset says that answers of this place may be kept. The name as NormalName has it.
bool MayBeKept(std::string_view name, uint16_t port);

// What a data file has, in its order; kInvalidArgument with the number of the line that is wrong.
// For the test, and for Presets.
Result<std::vector<Preset>> ParsePresets(std::string_view text);

}  // namespace cay::network
