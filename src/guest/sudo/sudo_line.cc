// sudo(8)'s command line.
#include <getopt.h>

#include <algorithm>
#include <array>

#include "guest/sudo/option_scan.h"
#include "guest/sudo/wanted_command.h"

namespace cay::guest::sudo {
namespace {

enum Long : int { kPreserveEnv = 256, kLongHelp };

// '+': what follows the first word that is no option is the command's.
constexpr const char* kShort = "+ABbC:D:Eeg:HhiKklnPp:R:r:ST:t:U:u:Vvs";
const std::array<option, 20> kLong = {{
    {"background", no_argument, nullptr, 'b'},
    {"chdir", required_argument, nullptr, 'D'},
    {"preserve-env", optional_argument, nullptr, kPreserveEnv},
    {"edit", no_argument, nullptr, 'e'},
    {"group", required_argument, nullptr, 'g'},
    {"set-home", no_argument, nullptr, 'H'},
    {"help", no_argument, nullptr, kLongHelp},
    {"login", no_argument, nullptr, 'i'},
    {"remove-timestamp", no_argument, nullptr, 'K'},
    {"reset-timestamp", no_argument, nullptr, 'k'},
    {"list", no_argument, nullptr, 'l'},
    {"non-interactive", no_argument, nullptr, 'n'},
    {"prompt", required_argument, nullptr, 'p'},
    {"askpass", no_argument, nullptr, 'A'},
    {"stdin", no_argument, nullptr, 'S'},
    {"shell", no_argument, nullptr, 's'},
    {"user", required_argument, nullptr, 'u'},
    {"version", no_argument, nullptr, 'V'},
    {"validate", no_argument, nullptr, 'v'},
    {nullptr, 0, nullptr, 0},
}};

void AddNames(std::vector<std::string>& names, std::string_view list) {
  while (!list.empty()) {
    const size_t end = list.find(',');
    if (end != 0) names.emplace_back(list.substr(0, end));
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  }
}

std::string User(const char* text) {
  return text[0] == '#' ? text + 1 : text;  // "#1000": by number
}

Result<void> Take(WantedCommand& wanted, const ScannedOption& found) {
  const char* const value = found.value == nullptr ? "" : found.value;
  switch (found.option) {
    case 'A':
    case 'B':
    case 'H':  // it is always so
    case 'n':
    case 'p':
    case 'S':
      return {};  // about a password
    case 'b':
      wanted.background = true;
      return {};
    case 'D':
      wanted.directory = value;
      return {};
    case 'E':
      wanted.keep = Keep::kAll;
      return {};
    case kPreserveEnv:
      if (found.value == nullptr) wanted.keep = Keep::kAll;
      AddNames(wanted.kept, value);
      return {};
    case 'g':
      wanted.group = User(value);
      return {};
    case 'h':
    case kLongHelp:
      wanted.act = Act::kHelp;
      return {};
    case 'i':
      wanted.login = true;
      wanted.shell = Shell::kLine;
      return {};
    case 'K':
    case 'k':
    case 'v':
      wanted.act = Act::kNothing;
      return {};
    case 'l':
      wanted.act = Act::kShow;
      return {};
    case 's':
      wanted.shell = Shell::kLine;
      wanted.callers_shell = true;
      return {};
    case 'u':
      wanted.user = User(value);
      return {};
    case 'V':
      wanted.act = Act::kVersion;
      return {};
    default:
      return Failure(Error::Invalid(found.Words() + " is not supported here"));
  }
}

bool IsAssignment(std::string_view word) {
  const size_t equals = word.find('=');
  if (equals == 0 || equals == std::string_view::npos) return false;
  const auto is_of_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return std::ranges::all_of(word.substr(0, equals), is_of_name) &&
         (word[0] < '0' || word[0] > '9');
}

}  // namespace

const char* const kSudoHelp =
    "usage: sudo [-u USER] [-g GROUP] [-E] [-i | -s] [-D DIRECTORY] [-b] [NAME=value …] [COMMAND]\n"
    "       sudo -l | -v | -k | -V\n"
    "Runs a command as root, or as USER. No password is asked. The sandbox was made with root's\n"
    "privileges; members of the groups sudo, wheel and admin and user 1000 may use them.\n";

Result<WantedCommand> ParseSudo(std::span<const std::string> arguments) {
  WantedCommand wanted;
  OptionScan scan("sudo", arguments, kShort, kLong.data());
  while (const auto found = TRY(scan.Next())) TRY(Take(wanted, *found));
  std::vector<std::string> rest = scan.Rest();
  size_t at = 0;
  while (at < rest.size() && IsAssignment(rest[at])) wanted.set.push_back(rest[at++]);
  wanted.argv.assign(rest.begin() + static_cast<ptrdiff_t>(at), rest.end());
  // "sudo -k COMMAND" runs it: there is nothing to forget.
  if (wanted.act == Act::kNothing && !wanted.argv.empty()) wanted.act = Act::kRun;
  if (wanted.act == Act::kRun && wanted.argv.empty() && wanted.shell == Shell::kNone)
    return Failure(Error::Invalid(std::string("no command\n") + kSudoHelp));
  return wanted;
}

}  // namespace cay::guest::sudo
