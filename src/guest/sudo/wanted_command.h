// What somebody inside wants run as whom: the command lines of sudo(8) and su(1), as far as they
// have a meaning where no password is ever asked.
//
//   WantedCommand wanted = TRY(ParseSudo(arguments));
//   StartRequest request = TRY(MakeRequest(wanted, caller));
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "guest/spawn/accounts.h"
#include "protocol/process_messages.h"

namespace cay::guest::sudo {

enum class Act : uint8_t {
  kRun,
  kShow,     // what may be run (-l)
  kNothing,  // about passwords, of which there are none (-v, -k, -K)
  kVersion,
  kHelp,
};

// Which variables of the caller the command sees beside those that say who it is.
enum class Keep : uint8_t {
  kUsual,  // terminal, language, proxies and certificates: as sudo's env_keep
  kAll,
};

// What executes argv, and what they are to it.
enum class Shell : uint8_t {
  kNone,
  kLine,       // a shell, whose command line they are the words of
  kArguments,  // a shell, whose arguments they are
};

struct WantedCommand {
  Act act = Act::kRun;
  std::string user = "root";
  std::string group{};              // "": the user's own
  std::vector<std::string> argv{};  // empty: a shell
  std::vector<std::string> set{};   // NAME=value
  std::vector<std::string> kept{};  // names, of --preserve-env=
  Keep keep = Keep::kUsual;
  bool login = false;  // the user's directory, and a shell that reads its profile
  Shell shell = Shell::kNone;
  bool callers_shell = false;   // the caller's SHELL where it has one, not the user's
  std::string shell_program{};  // "": one of the two
  std::string command_line{};   // su's -c
  std::string directory{};      // "": the caller's
  bool background = false;
};

// Without the program's name. Errors have the words that follow "sudo: ".
Result<WantedCommand> ParseSudo(std::span<const std::string> arguments);
Result<WantedCommand> ParseSu(std::span<const std::string> arguments);

// Who asks, and where.
struct Caller {
  Account account;
  std::vector<std::string> env;
  std::string directory;
};

// Pure, but that `target` is who the user is by /etc/passwd. Without `terminal`.
Result<protocol::StartRequest> MakeRequest(const WantedCommand& wanted, const Account& target,
                                           const Caller& caller);

extern const char* const kSudoHelp;
extern const char* const kSuHelp;

}  // namespace cay::guest::sudo
