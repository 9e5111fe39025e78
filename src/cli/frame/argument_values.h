// The small languages of `cay run`'s option values, parsed into values. Pure, except where it says
// otherwise.
//
//   ParseMount("./src:/workspace/src:rw")  -> {"./src", "/workspace/src", read_only = false}
//   ParseTransfer("out:report", …)         -> {"out", "report"}
//   ParseTmpfs("/cache:128m")              -> {"/cache", 128 MiB}
//   ParseEnvFile("A=1\n# note\nHOME\n")    -> {A = "1"}, {HOME = the caller's}
//
// Errors are kInvalidArgument and say what the form is; the caller puts the option's name before.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "sandbox/types.h"

namespace cay::cli {

// One change to the environment of the command; no value: the name is taken out of it.
struct EnvChange {
  std::string name;
  std::optional<std::string> value;
  bool operator==(const EnvChange&) const = default;
};

// A copy between the machine and the sandbox. Both as typed.
struct Transfer {
  std::string source;
  std::string target;
  bool operator==(const Transfer&) const = default;
};

// The caller's environment, as far as -e NAME asks for it: getenv(3), or a test's.
using Lookup = std::optional<std::string> (*)(const std::string& name);
std::optional<std::string> LookupEnvironment(const std::string& name);

// SRC:DST[:ro|rw]. Read-only unless it says rw. A colon in SRC is part of it; DST has none.
Result<engine::Mount> ParseMount(std::string_view text);

// SRC:DST. The last colon divides, so that SRC may hold some.
Result<Transfer> ParseTransfer(std::string_view text);

// NAME:DST[:ro|rw]. To be written unless it says ro, as docker has it.
Result<sandbox::VolumeUse> ParseVolume(std::string_view text);

// DST[:SIZE] or docker's DST:size=SIZE.
Result<engine::Tmpfs> ParseTmpfs(std::string_view text);

// NAME=VALUE, or NAME alone for the caller's value (the name is taken out when the caller has
// none), as in `docker run -e`.
Result<EnvChange> ParseEnv(std::string_view text, Lookup lookup);

// Lines of the same; blank lines and lines that begin with # are skipped; nothing is unquoted, as
// in docker. An error names the line.
Result<std::vector<EnvChange>> ParseEnvFile(std::string_view text, Lookup lookup);

// `base` ("NAME=VALUE" each) after `changes`, in which later ones win.
std::vector<std::string> ApplyEnv(std::vector<std::string> base,
                                  const std::vector<EnvChange>& changes);

// Absolute, without "." and "..", without NUL. `what` names it in the error: "workdir".
Result<std::string> ParseInsidePath(std::string_view text, std::string_view what);

// RFC 1123: letters, digits, dots and inner hyphens, at most 63.
Result<std::string> ParseHostname(std::string_view text);

// Arguments, or a line for the sandbox's shell.
struct TypedCommand {
  std::vector<std::string> argv;
  std::string shell;
  bool empty() const { return argv.empty() && shell.empty(); }
  bool operator==(const TypedCommand&) const = default;
};

// A command typed as one string with spaces and without "--" is a line for the shell. Everything
// else stays as it is.
TypedCommand ShellRule(std::vector<std::string> command, bool after_separator);

}  // namespace cay::cli
