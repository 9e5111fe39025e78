// Stages: the build stages of a Dockerfile, which of them a target needs, and in which order; and
// the variables of a stage while it is gone through. Pure.
//
//   const Stages stages = TRY(Stages::Of(file, {.target = "app", .build_args = args}));
//   for (size_t index : stages.order()) {          // each after what it needs
//     const Stage& stage = stages.all()[index];
//     StageVariables variables =                   // and ImageChanges (image_changes.h)
//         stage.base ? ended[*stage.base] : StageVariables(stages, image.process.env);
//     for (const Instruction& instruction : stage.instructions) {   // first: stage.triggers
//       Expanded expanded = TRY(variables.Step(instruction));
//       …                                          // expanded.instruction is what a step is
//     }
//   }
//
// Two stages of `order` of which neither needs the other may be built at the same time.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/string_map.h"
#include "template/dockerfile/dockerfile.h"
#include "template/dockerfile/expansion.h"
#include "template/oci/platform.h"

namespace cay::templates::dockerfile {

// Build arguments that every build has without declaring them, which are not part of what a step
// is: a step is found in a cache whatever they are. They are variables of RUN, never of the image.
std::span<const std::string_view> ProxyArguments();  // "HTTP_PROXY", "http_proxy", …
bool IsProxyArgument(std::string_view name);

// "TARGETPLATFORM", … : what a FROM may ask for as it is, and a stage after it has said "ARG NAME".
// `target_stage`: as the caller named it; empty: "default".
StringMap PlatformArguments(const oci::Platform& build, const oci::Platform& target,
                            std::string_view target_stage);

struct StageOptions {
  std::string target{};  // a name, in any case, or a number from 0; empty: the last
  StringMap build_args{};
  oci::Platform build_platform = oci::Platform::Native();   // where it is built
  oci::Platform target_platform = oci::Platform::Native();  // what it is built for
};

struct Stage {
  std::string name{};   // in lower case; empty: none
  std::string image{};  // expanded: an image reference, or "scratch"; empty where `base` is there
  std::optional<size_t> base{};             // the stage that it begins with
  std::optional<oci::Platform> platform{};  // of --platform
  // The stages that it needs, in order, none twice: `base`, and those of COPY and RUN. All of them
  // come before it.
  std::vector<size_t> needs{};
  // Images that COPY and RUN name by --from and from=, in order, none twice.
  std::vector<std::string> images{};
  // What the ONBUILD of `base` says, which is done first. (Those of an image are in its
  // configuration, and for whoever has it.)
  std::vector<Instruction> triggers{};
  const Instruction* from = nullptr;            // of the file
  std::span<const Instruction> instructions{};  // of the file, without FROM

  std::string Display(size_t index) const;  // "build", or "stage-1"
};

// What a --from in stage `before` names: nothing where it is an image.
// kInvalidArgument for a number of no stage before it, and for the name of a later one: BuildKit
// would build that one first.
Result<std::optional<size_t>> FindStage(const std::vector<Stage>& stages, size_t before,
                                        std::string_view from);

class Stages {
 public:
  // `file` outlives this. kInvalidArgument for a name twice, a target that is not there (with those
  // that are), a FROM that is empty when expanded, an image or platform of a needed stage that is
  // none; kLimitTooHigh.
  // A FROM of a name that only a later stage has is an image; a warning says so.
  static Result<Stages> Of(const Dockerfile& file, const StageOptions& options = {});

  const std::vector<Stage>& all() const { return stages_; }  // as in the file
  size_t target() const { return target_; }
  // The target and what it needs, directly or not, each after all that it needs; the target last.
  const std::vector<size_t>& order() const { return order_; }
  // ARG before the first FROM, and the platform's: what "ARG NAME" without a default gets.
  const Variables& globals() const { return globals_; }
  const StringMap& build_args() const { return build_args_; }
  char escape() const { return escape_; }
  // Build arguments that nothing declares, variables of FROM that are not set, reserved names.
  const std::vector<Warning>& warnings() const { return warnings_; }

 private:
  friend class StagesReader;
  Stages() = default;

  std::vector<Stage> stages_{};
  size_t target_ = 0;
  std::vector<size_t> order_{};
  Variables globals_{};
  StringMap build_args_{};
  char escape_ = '\\';
  std::vector<Warning> warnings_{};
};

// The variables of one stage while its instructions are gone through, in order. A stage that begins
// with another one begins with a copy of what that one ended with.
class StageVariables {
 public:
  // Of a stage that begins with an image: `environment` is the image's, "NAME=value". `stages`
  // outlives this, and its copies.
  StageVariables(const Stages& stages, const std::vector<std::string>& environment);

  // What expansion sees, and RUN gets: ENV and ARG, the later over the earlier (as BuildKit does
  // it; Docker's reference has ENV always over ARG).
  const Variables& all() const { return variables_; }

  // The instruction with its variables replaced (ExpandInstruction); ENV and ARG are then set for
  // those after it. Each declaration of an ARG has the value that it gets: the build argument of
  // its name, else its default, else the global one; or none.
  Result<Expanded> Step(const Instruction& instruction);

  // Declared by ARG so far, the last of a name, in order of names: RUN steps depend on them, though
  // they are no part of the image.
  const std::vector<Arg::Declaration>& arguments() const { return arguments_; }

 private:
  Result<void> StepArg(Arg& arg, std::set<std::string>& unset);
  void Declare(const Arg::Declaration& declaration);

  const Stages* stages_;
  Variables variables_;
  std::vector<Arg::Declaration> arguments_{};
};

}  // namespace cay::templates::dockerfile
