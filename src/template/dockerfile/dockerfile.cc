#include "template/dockerfile/dockerfile.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "template/dockerfile/instruction_parse.h"
#include "template/dockerfile/source_lines.h"
#include "template/dockerfile/spaces.h"
#include "template/dockerfile/words.h"

namespace cay::templates::dockerfile {
namespace {

Error AtLine(const Instruction& instruction, Error error) {
  return std::move(error).WithContext("line " + std::to_string(instruction.first_line) + ": " +
                                      std::string(instruction.Name()));
}

// What only the whole file tells.
class FileCheck {
 public:
  explicit FileCheck(Dockerfile& file) : file_(file) {}

  // `instruction` is the next.
  Result<void> See(const Instruction& instruction) {
    const bool begins_stage = instruction.As<From>() != nullptr;
    if (begins_stage && ++stages_ > kMaxStages) {
      return Failure(AtLine(instruction, OverLimit("the file has more than the maximum of " +
                                                   std::to_string(kMaxStages) + " stages")));
    }
    if (stages_ == 0 && instruction.As<Arg>() == nullptr) {
      return Failure(
          AtLine(instruction,
                 Error::Invalid("only ARG may stand before the first FROM: begin with FROM")));
    }
    if (begins_stage) StartStage();
    SeeOnce(instruction);
    SeeWorkdir(instruction);
    CountCase(instruction);
    return {};
  }

  Result<void> Finish() {
    if (stages_ == 0) {
      return Failure(Error::Invalid("the file has no stage: a FROM was expected"));
    }
    WarnOfCase();
    std::ranges::sort(file_.warnings, [](const Warning& one, const Warning& other) {
      return std::tie(one.line, one.rule, one.text) < std::tie(other.line, other.rule, other.text);
    });
    return {};
  }

 private:
  void Warn(uint32_t line, std::string_view rule, std::string text) {
    AddWarning(file_.warnings, line, rule, std::move(text));
  }

  void StartStage() {
    once_.clear();
    has_workdir_ = false;
  }

  // Of which the last counts.
  void SeeOnce(const Instruction& instruction) {
    const std::string_view name = instruction.Name();
    if (name != "CMD" && name != "ENTRYPOINT" && name != "HEALTHCHECK") return;
    if (const auto before = once_.find(name); before != once_.end()) {
      Warn(before->second, "MultipleInstructionsDisallowed",
           "this " + std::string(name) + " has no effect: line " +
               std::to_string(instruction.first_line) + " has another one");
    }
    once_.insert_or_assign(name, instruction.first_line);
  }

  void SeeWorkdir(const Instruction& instruction) {
    const Workdir* workdir = instruction.As<Workdir>();
    if (workdir == nullptr) return;
    const bool is_relative = workdir->path.find_first_of("/$\"'") != 0;
    if (!has_workdir_ && is_relative) {
      Warn(instruction.first_line, "WorkdirRelativePath",
           "this path depends on what the image before has as its working directory");
    }
    has_workdir_ = true;
  }

  void CountCase(const Instruction& instruction) {
    const std::string_view source = TrimLeft(instruction.source);
    const std::string keyword(source.substr(0, instruction.Name().size()));
    const bool is_upper = keyword == instruction.Name();
    const bool is_lower = keyword == Lower(instruction.Name());
    (is_upper ? upper_ : is_lower ? lower_ : mixed_).push_back(instruction.first_line);
  }

  void WarnOfCase() {
    const bool mostly_lower = lower_.size() > upper_.size();
    std::vector<uint32_t> odd = mostly_lower ? upper_ : lower_;
    odd.insert(odd.end(), mixed_.begin(), mixed_.end());
    for (const uint32_t line : odd) {
      Warn(line, "ConsistentInstructionCasing",
           std::string("most instructions of this file are in ") +
               (mostly_lower ? "lower" : "upper") + " case, this one is not");
    }
  }

  Dockerfile& file_;
  size_t stages_ = 0;
  std::map<std::string_view, uint32_t> once_{};
  bool has_workdir_ = false;
  std::vector<uint32_t> upper_{};
  std::vector<uint32_t> lower_{};
  std::vector<uint32_t> mixed_{};
};

Result<void> CheckSize(std::string_view text) {
  if (text.size() <= kMaxDockerfile) return {};
  return Failure(
      OverLimit("the text is over the maximum of " + std::to_string(kMaxDockerfile) + " bytes"));
}

}  // namespace

Result<Dockerfile> ParseDockerfile(std::string_view text) {
  TRY(CheckSize(text));
  Dockerfile file;
  FileCheck check(file);
  SourceLines lines(text);
  while (auto instruction = TRY(ReadInstruction(lines, file.warnings))) {
    if (file.instructions.size() == kMaxInstructions) {
      return Failure(
          AtLine(*instruction, OverLimit("the file has more than the maximum of " +
                                         std::to_string(kMaxInstructions) + " instructions")));
    }
    TRY(check.See(*instruction));
    file.instructions.push_back(*std::move(instruction));
  }
  file.escape = lines.escape();
  file.syntax = lines.syntax();
  file.check = lines.check();
  if (!file.syntax.empty()) {
    AddWarning(file.warnings, lines.syntax_line(), "SyntaxNotUsed",
               "the image of \"# syntax=\" is not used: the file is read as Cay reads it");
  }
  TRY(check.Finish());
  return file;
}

Result<Instruction> ParseInstruction(std::string_view source, char escape) {
  TRY(CheckSize(source));
  std::vector<Warning> warnings;
  SourceLines lines(source, escape);
  auto instruction = TRY(ReadInstruction(lines, warnings));
  if (!instruction) return Failure(Error::Invalid("an instruction was expected"));
  if (const auto more = TRY(lines.Next())) {
    return Failure(Error::Invalid("line " + std::to_string(more->first_line) +
                                  ": one instruction was expected, and here is another"));
  }
  return *std::move(instruction);
}

}  // namespace cay::templates::dockerfile
