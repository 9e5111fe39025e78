#include "template/dockerfile/stages.h"

#include <algorithm>
#include <array>
#include <map>

#include "archive/safe_path.h"
#include "base/text.h"
#include "base/units.h"
#include "template/dockerfile/instruction_parse.h"
#include "template/dockerfile/words.h"
#include "template/oci/image_reference.h"

namespace cay::templates::dockerfile {
namespace {

constexpr std::array<std::string_view, 10> kProxyArguments = {
    "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
    "ftp_proxy",  "NO_PROXY",   "no_proxy",    "ALL_PROXY",   "all_proxy"};

std::string Quoted(std::string_view text) { return "\"" + archive::Printable(text) + "\""; }

Error At(const Instruction& instruction, Error error) {
  return std::move(error).WithContext("line " + std::to_string(instruction.first_line) + ": " +
                                      std::string(instruction.Name()));
}

// Where an instruction takes files from: stages and images.
std::vector<std::string> SourcesOf(const Instruction& instruction) {
  std::vector<std::string> sources;
  if (const Copy* copy = instruction.As<Copy>(); copy != nullptr && !copy->from.empty()) {
    sources.push_back(copy->from);
  }
  if (const Run* run = instruction.As<Run>()) {
    for (const RunMount& mount : run->mounts) {
      if (!mount.from.empty()) sources.push_back(mount.from);
    }
  }
  return sources;
}

Result<void> CheckVariables(const Variables& variables) {
  if (variables.size() <= kMaxVariables) return {};
  return Failure(OverLimit("the variables are together over the maximum of " +
                           std::to_string(kMaxVariables) + " bytes"));
}

// What the declarations of an ARG get, each seeing those before it. `inherited`: what one without a
// value gets; may be null.
Result<void> GiveValues(Arg& arg, Variables& variables, const StringMap& build_args,
                        const Variables* inherited, char escape, std::set<std::string>& unset) {
  for (Arg::Declaration& declaration : arg.declarations) {
    if (const auto given = build_args.find(declaration.name); given != build_args.end()) {
      declaration.value = given->second;
    } else if (declaration.value) {
      declaration.value =
          TRY(ExpandWord(*declaration.value, variables, {.escape = escape}, &unset));
    } else if (inherited != nullptr) {
      const std::string* value = inherited->Find(declaration.name);
      if (value != nullptr) declaration.value = *value;
    }
    if (declaration.value) variables.Set(declaration.name, *declaration.value);
    TRY(CheckVariables(variables));
  }
  return {};
}

}  // namespace

std::span<const std::string_view> ProxyArguments() { return kProxyArguments; }

bool IsProxyArgument(std::string_view name) {
  return std::ranges::find(kProxyArguments, name) != kProxyArguments.end();
}

StringMap PlatformArguments(const oci::Platform& build, const oci::Platform& target,
                            std::string_view target_stage) {
  StringMap arguments;
  arguments["TARGETSTAGE"] = target_stage.empty() ? "default" : std::string(target_stage);
  for (const auto& [prefix, platform] :
       {std::pair("BUILD", &build), std::pair("TARGET", &target)}) {
    const std::string name = prefix;
    arguments[name + "PLATFORM"] = platform->Text();
    arguments[name + "OS"] = platform->os;
    arguments[name + "OSVERSION"] = platform->os_version;
    arguments[name + "ARCH"] = platform->architecture;
    arguments[name + "VARIANT"] = platform->variant;
  }
  return arguments;
}

std::string Stage::Display(size_t index) const {
  return name.empty() ? "stage-" + std::to_string(index) : name;
}

Result<std::optional<size_t>> FindStage(const std::vector<Stage>& stages, size_t before,
                                        std::string_view from) {
  if (const auto number = ParseUnsigned(from)) {
    if (*number < before) return static_cast<size_t>(*number);
    return Failure(Error::Invalid("there is no stage " + std::string(from) + " before this one"));
  }
  const std::string name = Lower(from);
  for (size_t i = 0; i < stages.size(); ++i) {
    if (stages[i].name.empty() || stages[i].name != name) continue;
    if (i < before) return i;
    return Failure(Error::Invalid(
        "the stage " + Quoted(name) +
        (i == before ? " cannot take files from itself" : " has to stand before this one")));
  }
  return std::nullopt;
}

// Makes Stages of a file.
class StagesReader {
 public:
  StagesReader(const Dockerfile& file, const StageOptions& options)
      : file_(file), options_(options) {
    stages_.escape_ = file.escape;
    stages_.build_args_ = options.build_args;
  }

  Result<Stages> Read() {
    TRY(SplitFile());
    TRY(ReadGlobals());
    for (size_t i = 0; i < stages_.stages_.size(); ++i) TRY(ReadFrom(i));
    for (size_t i = 0; i < stages_.stages_.size(); ++i) TRY(ReadNeeds(i));
    TRY(FindTarget());
    FindOrder();
    for (const size_t index : stages_.order_) TRY(CheckImages(stages_.stages_[index]));
    WarnOfArguments();
    return std::move(stages_);
  }

 private:
  void Warn(uint32_t line, std::string_view rule, std::string text) {
    AddWarning(stages_.warnings_, line, rule, std::move(text));
  }

  // Into stages, with their names.
  Result<void> SplitFile() {
    std::span<const Instruction> rest = file_.instructions;
    const auto is_from = [](const Instruction& one) { return one.As<From>() != nullptr; };
    auto from = std::ranges::find_if(rest, is_from);
    globals_ = rest.first(static_cast<size_t>(from - rest.begin()));
    rest = rest.subspan(globals_.size());
    while (!rest.empty()) {
      if (stages_.stages_.size() == kMaxStages) {
        return Failure(OverLimit("the file has more than the maximum of " +
                                 std::to_string(kMaxStages) + " stages"));
      }
      from = std::find_if(rest.begin() + 1, rest.end(), is_from);
      const auto length = static_cast<size_t>(from - rest.begin());
      Stage stage{.name = rest[0].As<From>()->name,
                  .from = rest.data(),
                  .instructions = rest.subspan(1, length - 1)};
      TRY(CheckName(stage));
      stages_.stages_.push_back(std::move(stage));
      rest = rest.subspan(length);
    }
    if (stages_.stages_.empty()) return Failure(Error::Invalid("the file has no stage"));
    return {};
  }

  Result<void> CheckName(const Stage& stage) {
    if (stage.name.empty()) return {};
    if (stage.name == "scratch" || stage.name == "context") {
      Warn(stage.from->first_line, "ReservedStageName",
           Quoted(stage.name) + " means something else where it is not a stage's name");
    }
    const auto [before, is_new] = lines_.try_emplace(stage.name, stage.from->first_line);
    if (is_new) return {};
    return Failure(
        At(*stage.from, Error::Invalid("line " + std::to_string(before->second) + " has a stage " +
                                       Quoted(stage.name) + " already")));
  }

  Result<void> ReadGlobals() {
    std::string target = options_.target;
    if (target.empty()) target = stages_.stages_.back().name;
    for (auto& [name, value] :
         PlatformArguments(options_.build_platform, options_.target_platform, target)) {
      const auto given = options_.build_args.find(name);
      stages_.globals_.Set(name, given == options_.build_args.end() ? value : given->second);
      declared_.insert(name);
    }
    for (const Instruction& instruction : globals_) {
      const Arg* written = instruction.As<Arg>();
      if (written == nullptr) {
        return Failure(At(instruction, Error::Invalid("only ARG may stand before the first FROM")));
      }
      Arg arg = *written;
      std::set<std::string> unset;
      const auto given =
          GiveValues(arg, stages_.globals_, options_.build_args, nullptr, file_.escape, unset);
      if (!given) return Failure(At(instruction, given.error()));
      for (const auto& declaration : arg.declarations) declared_.insert(declaration.name);
    }
    return {};
  }

  Result<void> ReadFrom(size_t index) {
    Stage& stage = stages_.stages_[index];
    std::set<std::string> unset;
    auto expanded = TRY(ExpandInstruction(*stage.from, stages_.globals_, file_.escape));
    const From& from = *expanded.instruction.As<From>();
    for (const std::string& name : expanded.unset) {
      if (declared_.contains(name)) continue;
      Warn(stage.from->first_line, "UndefinedArgInFrom",
           "no ARG before the first FROM declares " + Quoted(name));
    }
    if (from.image.empty()) {
      return Failure(
          At(*stage.from, Error::Invalid("the image is empty when the variables of " +
                                         Quoted(stage.from->As<From>()->image) + " are replaced")));
    }
    if (!stage.from->As<From>()->platform.empty()) {
      auto platform = oci::Platform::Parse(from.platform);
      if (!platform) {
        return Failure(At(*stage.from, std::move(platform).error().WithContext("--platform")));
      }
      stage.platform = *std::move(platform);
    }
    const auto base = std::ranges::find(stages_.stages_, Lower(from.image), &Stage::name);
    const auto place = static_cast<size_t>(base - stages_.stages_.begin());
    if (place < index) {
      stage.base = place;
      TRY(ReadTriggers(stage));
    } else {
      stage.image = from.image;
      if (place > index && base != stages_.stages_.end()) {
        Warn(stage.from->first_line, "LaterStageInFrom",
             Quoted(from.image) + " is an image here: the stage of that name comes later");
      }
    }
    return {};
  }

  Result<void> ReadTriggers(Stage& stage) const {
    for (const Instruction& instruction : stages_.stages_[*stage.base].instructions) {
      const OnBuild* on_build = instruction.As<OnBuild>();
      if (on_build == nullptr) continue;
      auto trigger = ParseInstruction(on_build->trigger, file_.escape);
      if (!trigger) return Failure(At(instruction, std::move(trigger).error()));
      trigger->first_line = trigger->last_line = stage.from->first_line;
      stage.triggers.push_back(*std::move(trigger));
    }
    return {};
  }

  Result<void> ReadNeeds(size_t index) {
    Stage& stage = stages_.stages_[index];
    std::set<size_t> needs;
    if (stage.base) needs.insert(*stage.base);
    std::set<std::string> images;
    const auto see = [&](const Instruction& instruction) -> Result<void> {
      for (std::string& source : SourcesOf(instruction)) {
        auto found = FindStage(stages_.stages_, index, source);
        if (!found) return Failure(At(instruction, std::move(found).error()));
        if (*found) needs.insert(**found);
        if (!*found && images.insert(source).second) stage.images.push_back(std::move(source));
      }
      if (const Arg* arg = instruction.As<Arg>()) {
        for (const auto& declaration : arg->declarations) declared_.insert(declaration.name);
      }
      return {};
    };
    for (const Instruction& instruction : stage.triggers) TRY(see(instruction));
    for (const Instruction& instruction : stage.instructions) TRY(see(instruction));
    stage.needs.assign(needs.begin(), needs.end());
    return {};
  }

  Result<void> FindTarget() {
    const auto& stages = stages_.stages_;
    stages_.target_ = stages.size() - 1;
    if (options_.target.empty()) return {};
    const auto named = std::ranges::find(stages, Lower(options_.target), &Stage::name);
    if (named != stages.end()) {
      stages_.target_ = static_cast<size_t>(named - stages.begin());
      return {};
    }
    if (const auto number = ParseUnsigned(options_.target, stages.size() - 1)) {
      stages_.target_ = static_cast<size_t>(*number);
      return {};
    }
    std::string all;
    std::vector<std::string_view> names;
    for (const Stage& stage : stages) {
      if (stage.name.empty()) continue;
      names.emplace_back(stage.name);
      if (names.size() <= kShownStages) all += (all.empty() ? "" : ", ") + stage.name;
    }
    if (names.size() > kShownStages) all += ", …";
    return Failure(Error::Invalid(
        "there is no stage " + Quoted(options_.target) + DidYouMean(Lower(options_.target), names) +
        (all.empty() ? " (none has a name)" : " (there are: " + all + ")")));
  }

  // What a stage needs comes before it.
  void FindOrder() {
    std::vector<char> is_needed(stages_.stages_.size());
    is_needed[stages_.target_] = 1;
    for (size_t i = stages_.target_ + 1; i-- > 0;) {
      if (is_needed[i] == 0) continue;
      stages_.order_.push_back(i);
      for (const size_t need : stages_.stages_[i].needs) is_needed[need] = 1;
    }
    std::ranges::reverse(stages_.order_);
  }

  static Result<void> CheckImages(const Stage& stage) {
    std::vector<std::string> images = stage.images;
    if (!stage.image.empty() && stage.image != "scratch") images.push_back(stage.image);
    for (const std::string& image : images) {
      auto reference = oci::ImageReference::Parse(image);
      if (!reference) return Failure(At(*stage.from, std::move(reference).error()));
    }
    return {};
  }

  void WarnOfArguments() {
    for (const auto& [name, value] : options_.build_args) {
      if (declared_.contains(name) || IsProxyArgument(name)) continue;
      Warn(0, "BuildArgNotDeclared",
           "no ARG declares the build argument " + Quoted(name) + ": it has no effect");
    }
  }

  static constexpr size_t kShownStages = 20;

  const Dockerfile& file_;
  const StageOptions& options_;
  Stages stages_{};
  std::span<const Instruction> globals_{};
  std::map<std::string, uint32_t> lines_{};
  std::set<std::string, std::less<>> declared_{};
};

Result<Stages> Stages::Of(const Dockerfile& file, const StageOptions& options) {
  return StagesReader(file, options).Read();
}

StageVariables::StageVariables(const Stages& stages, const std::vector<std::string>& environment)
    : stages_(&stages), variables_(Variables::Of(environment)) {}

void StageVariables::Declare(const Arg::Declaration& declaration) {
  const auto place =
      std::ranges::lower_bound(arguments_, declaration.name, {}, &Arg::Declaration::name);
  if (place != arguments_.end() && place->name == declaration.name) {
    *place = declaration;
  } else {
    arguments_.insert(place, declaration);
  }
}

Result<void> StageVariables::StepArg(Arg& arg, std::set<std::string>& unset) {
  TRY(GiveValues(arg, variables_, stages_->build_args(), &stages_->globals(), stages_->escape(),
                 unset));
  for (const Arg::Declaration& declaration : arg.declarations) Declare(declaration);
  return {};
}

Result<Expanded> StageVariables::Step(const Instruction& instruction) {
  if (instruction.As<Arg>() != nullptr) {
    Expanded expanded{.instruction = instruction};
    auto done = StepArg(*std::get_if<Arg>(&expanded.instruction.value), expanded.unset);
    if (!done) return Failure(At(instruction, std::move(done).error()));
    return expanded;
  }
  Expanded expanded = TRY(ExpandInstruction(instruction, variables_, stages_->escape()));
  if (const Env* env = expanded.instruction.As<Env>()) {
    for (const auto& [name, value] : env->variables) variables_.Set(name, value);
    if (auto fits = CheckVariables(variables_); !fits) {
      return Failure(At(instruction, std::move(fits).error()));
    }
  }
  // Declared without a value, a name is known, and not set.
  std::erase_if(expanded.unset, [this](const std::string& name) {
    return std::ranges::binary_search(arguments_, name, {}, &Arg::Declaration::name);
  });
  return expanded;
}

}  // namespace cay::templates::dockerfile
