// su(1)'s command line.
#include <getopt.h>

#include <array>

#include "guest/sudo/option_scan.h"
#include "guest/sudo/wanted_command.h"

namespace cay::guest::sudo {
namespace {

constexpr int kLongHelp = 256;
// Options may come after the user, too, as util-linux has it; what comes after that is the shell's.
constexpr const char* kShort = "c:fg:hlmpPs:V";
const std::array<option, 9> kLong = {{
    {"command", required_argument, nullptr, 'c'},
    {"fast", no_argument, nullptr, 'f'},
    {"group", required_argument, nullptr, 'g'},
    {"help", no_argument, nullptr, kLongHelp},
    {"login", no_argument, nullptr, 'l'},
    {"preserve-environment", no_argument, nullptr, 'm'},
    {"shell", required_argument, nullptr, 's'},
    {"version", no_argument, nullptr, 'V'},
    {nullptr, 0, nullptr, 0},
}};

Result<void> Take(WantedCommand& wanted, const ScannedOption& found) {
  const char* const value = found.value == nullptr ? "" : found.value;
  switch (found.option) {
    case 'c':
      wanted.command_line = value;
      return {};
    case 'g':
      wanted.group = value;
      return {};
    case 'h':
    case kLongHelp:
      wanted.act = Act::kHelp;
      return {};
    case 'l':
      wanted.login = true;
      return {};
    case 'f':  // csh's own
    case 'P':  // a terminal of its own: it always has one
      return {};
    case 'm':
    case 'p':
      wanted.keep = Keep::kAll;
      return {};
    case 's':
      wanted.shell_program = value;
      return {};
    case 'V':
      wanted.act = Act::kVersion;
      return {};
    default:
      return Failure(Error::Invalid(found.Words() + " is not supported here"));
  }
}

}  // namespace

const char* const kSuHelp =
    "usage: su [-] [-c COMMAND] [-s SHELL] [-m] [USER [ARGUMENT …]]\n"
    "Becomes root, or USER. No password is asked: see sudo --help.\n";

Result<WantedCommand> ParseSu(std::span<const std::string> arguments) {
  WantedCommand wanted;
  wanted.shell = Shell::kArguments;
  OptionScan scan("su", arguments, kShort, kLong.data());
  while (const auto found = TRY(scan.Next())) TRY(Take(wanted, *found));
  std::vector<std::string> rest = scan.Rest();
  if (!rest.empty() && rest.front() == "-") {
    wanted.login = true;
    rest.erase(rest.begin());
  }
  if (!rest.empty()) {
    wanted.user = rest.front();
    rest.erase(rest.begin());
  }
  wanted.argv = std::move(rest);
  // All stays but who one is, unless it is a login.
  if (!wanted.login) wanted.keep = Keep::kAll;
  return wanted;
}

}  // namespace cay::guest::sudo
