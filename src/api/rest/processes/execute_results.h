// The results of an execute of several commands, and their fields.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/field.h"
#include "base/units.h"
#include "sandbox/processes/process_fields.h"

namespace cay::api::rest {

// The results of several commands as they come.
struct Together {
  std::optional<sandbox::ProcessRecord> last = std::nullopt;
  bool success = true;
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();

  void Add(const sandbox::ProcessRecord& record) {
    success = success && Succeeded(record);
    last = record;
  }
  bool lost() const { return last && last->state == sandbox::ProcessState::kLost; }
  Millis Taken() const {
    return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begin);
  }
};

struct CommandResult {
  std::vector<std::string> command;
  sandbox::Execution execution;
};

// Several commands and what came of them, in one room.
struct Results {
  std::shared_ptr<sandbox::OutputRoom> room;
  Together together = {};
  std::vector<CommandResult> results = {};
  // The problem document of the command after those, which could not be started.
  std::optional<std::string> error = std::nullopt;

  void Add(std::vector<std::string> command, sandbox::Execution execution) {
    together.Add(execution.record);
    results.push_back({.command = std::move(command), .execution = std::move(execution)});
  }
  // Once the room is settled.
  sandbox::fields::ToldOutput Told(OutputStream stream) const {
    const uint64_t written = room->written(stream);
    return {.kept = room->Text(stream, 0, written),
            .bytes = written,
            .truncated = std::ranges::any_of(results, [&](const CommandResult& one) {
              return one.execution.Truncated(stream);
            })};
  }
  bool out_of_memory() const {
    return std::ranges::any_of(
        results, [](const CommandResult& one) { return one.execution.out_of_memory; });
  }
};

// A Together that has a last command.
struct SummaryFields {
  static void Of(const Together& together, auto& visit) {
    sandbox::fields::Ending::OfState(*together.last, visit);
    sandbox::fields::Ending::OfVerdict(*together.last, visit);
    visit(field::About{"success"}, field::Flag{}, together.success);
    visit(field::About{"duration_ms"}, field::Number{}, together.Taken().count());
  }
};

struct CommandResultFields {
  static constexpr std::string_view kSchema = "CommandResult";
  static void Of(const CommandResult& result, auto& visit) {
    visit(field::About{"command"}, field::Texts{}, result.command);
    sandbox::fields::Execution::Of(result.execution, visit);
  }
};

// Results of at least one command.
struct ExecutionsFields {
  static constexpr std::string_view kSchema = "Executions";
  static void Of(const Results& results, auto& visit) {
    using sandbox::fields::Outputs;
    const sandbox::fields::ToldOutputs outputs = {.out = results.Told(OutputStream::kStdout),
                                                  .err = results.Told(OutputStream::kStderr),
                                                  .out_of_memory = results.out_of_memory()};
    visit(field::About{"results"}, field::Objects<CommandResultFields>{}, results.results);
    Outputs::OfTexts(outputs, visit);
    Outputs::OfTruncation(outputs, visit);
    SummaryFields::Of(results.together, visit);
    visit(field::About{.name = "error",
                       .text = "why the command after those in results could not be started",
                       .sometimes = true},
          field::Own{.schema = "Problem"}, results.error);
  }
};

}  // namespace cay::api::rest
