// What an execute asks for: files to write, one command or several, and how to run them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/command_text.h"
#include "api/route.h"
#include "base/field.h"
#include "base/result.h"
#include "http/exchange.h"
#include "sandbox/processes/process_fields.h"
#include "sandbox/processes/process_keeper.h"

namespace cay::api::rest {

struct ExecuteRequest {
  static constexpr size_t kMaxCommands = 100;
  static constexpr Bytes kDefaultMaxOutput = 1 * kMiB;
  static constexpr Bytes kMaxMaxOutput = 16 * kMiB;

  std::vector<CommandText> commands;
  bool several = false;  // `commands` was given: results are a list
  std::vector<std::pair<std::string, std::string>> files;  // path, content
  sandbox::ProcessSpec options;                            // without a command
  std::string stdin_bytes;                                 // of each command
  Bytes max_output = kDefaultMaxOutput;                    // of each stream, all commands together
  bool continue_on_error = false;
  bool below_workdir = false;  // absolute paths of `files` are below workdir, too (BelowWorkdir)
};

// Kinds that only an execute has.
struct ExecuteCommands {};  // several, instead of one
struct ExecuteFiles {};     // paths and contents

struct ExecuteRequestFields {
  static constexpr std::string_view kSchema = "ExecuteRequest";
  static void Of(auto& request, auto& visit) {
    visit(field::About{"command"}, field::Own{.schema = "Command"}, request);
    visit(field::About{"commands"}, ExecuteCommands{}, request);
    visit(
        field::About{
            .name = "files",
            .text = "written before the commands run; paths are relative to workdir, or absolute"},
        ExecuteFiles{}, request);
    sandbox::fields::ProcessOptions::Of(request.options, visit);
    visit(field::About{"stdin"}, field::Content{.max_bytes = kMaxJsonBody}, request.stdin_bytes);
    visit(field::About{"max_output"}, field::Size{}, request.max_output);
    visit(field::About{"continue_on_error"}, field::Flag{}, request.continue_on_error);
  }
};

Result<ExecuteRequest> ReadExecuteRequest(const JsonValue& body);
// From the request's body, of which nothing else is kept.
Result<ExecuteRequest> TakeExecuteRequest(http::Exchange& exchange);

// Writes the files, with the rights of the user that the commands will have.
Result<void> WriteFiles(const sandbox::Lease& lease, const ExecuteRequest& request);

// How to start one of its commands.
sandbox::ProcessSpec SpecOf(const ExecuteRequest& request, const CommandText& command);
// As it is shown: its arguments, or the shell that executes the line, `-c` and the line. `ran`:
// what was executed of it, as ProcessRecord has it; empty: nothing.
std::vector<std::string> ShownCommand(const CommandText& command,
                                      const std::vector<std::string>& ran);

// The exit code that a shell would give for an error of starting: 127, 126. Nothing for other
// errors.
std::optional<int32_t> ExitCodeOfStartError(const Error& error);

}  // namespace cay::api::rest
