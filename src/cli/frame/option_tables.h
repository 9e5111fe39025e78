// What the tables of options of several commands have in common: how a value gets into a member,
// and the options that mean the same everywhere.
//
//   struct GcOptions { bool json = false; bool dry_run = false; std::string state_dir; };
//   constexpr OptionSpec kOptions[] = {
//       {.name = "dry-run", .help = "Only say …", .apply = kFlag<GcOptions, &GcOptions::dry_run>},
//       kJsonOption<GcOptions>,
//       kStateDirOption<GcOptions>,
//   };
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "cli/frame/command.h"

namespace cay::cli {

// How a value gets into a member: a flag becomes true; text must not be empty; kParse makes a value
// of the text.
template <auto kMember, class Options>
Result<void> SetFlag(Options& options, std::string_view) {
  options.*kMember = true;
  return {};
}

template <auto kMember, class Options>
Result<void> SetText(Options& options, std::string_view value) {
  if (value.empty()) return Failure(Error::Invalid("the value is empty"));
  options.*kMember = value;
  return {};
}

// kInvalidArgument unless `value` is one of the words, which spaces divide.
inline Result<void> CheckWord(std::string_view value, std::string_view words) {
  for (std::string_view rest = words; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == value) return {};
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return Failure(Error::Invalid("\"" + std::string(value) + "\" is none of " + std::string(words)));
}

template <auto kMember, auto kParse, class Options>
Result<void> SetParsed(Options& options, std::string_view value) {
  options.*kMember = TRY(kParse(value));
  return {};
}

template <auto kMember, auto kParse, class Options>
Result<void> AppendParsed(Options& options, std::string_view value) {
  (options.*kMember).push_back(TRY(kParse(value)));
  return {};
}

// The same as OptionSpec::apply.
template <class Options, auto kMember>
constexpr auto kFlag = &Into<Options, &SetFlag<kMember, Options>>;
template <class Options, auto kMember>
constexpr auto kText = &Into<Options, &SetText<kMember, Options>>;
template <class Options, auto kMember, auto kParse>
constexpr auto kParsed = &Into<Options, &SetParsed<kMember, kParse, Options>>;
template <class Options, auto kMember, auto kParse>
constexpr auto kAppended = &Into<Options, &AppendParsed<kMember, kParse, Options>>;

template <class Options>
constexpr OptionSpec kJsonOption = {
    .name = "json", .help = "Print JSON", .apply = kFlag<Options, &Options::json>};

template <class Options>
constexpr OptionSpec kQuietOption = {.name = "quiet",
                                     .short_name = 'q',
                                     .help = "Only the ids or names",
                                     .apply = kFlag<Options, &Options::quiet>};

template <class Options>
constexpr OptionSpec kStateDirOption = {.name = "state-dir",
                                        .value = "DIR",
                                        .help = "Where Cay keeps templates and sandboxes",
                                        .example = "/var/lib/cay",
                                        .completes = Completes::kDirectories,
                                        .apply = kText<Options, &Options::state_dir>};

// The first of those under a heading.
constexpr OptionSpec InGroup(std::string_view group, OptionSpec option) {
  option.group = group;
  return option;
}

// Where and as whom something is done inside; what holds without them differs.
constexpr OptionSpec WorkdirOption(std::string_view help, decltype(OptionSpec::apply) apply) {
  return {.name = "workdir",
          .short_name = 'w',
          .value = "DIR",
          .help = help,
          .example = "/workspace",
          .apply = apply};
}
constexpr OptionSpec UserOption(std::string_view help, decltype(OptionSpec::apply) apply) {
  return {.name = "user",
          .short_name = 'u',
          .value = "USER",
          .help = help,
          .example = "user",
          .apply = apply};
}

}  // namespace cay::cli
