#include "template/dockerfile/instruction_parse.h"

#include <algorithm>
#include <array>
#include <span>

#include "archive/safe_path.h"
#include "base/encoding.h"
#include "base/text.h"
#include "template/dockerfile/copy_parse.h"
#include "template/dockerfile/run_mount.h"
#include "template/dockerfile/spaces.h"
#include "template/dockerfile/words.h"

namespace cay::templates::dockerfile {
namespace {

using Value = Instruction::Value;

// An instruction in its parts, on the way to its value.
struct Source {
  std::string_view rest;
  const std::vector<std::string>* flags;
  const std::vector<Heredoc>* heredocs;
  char escape = '\\';
  uint32_t line = 0;
  std::vector<Warning>* warnings;

  void Warn(std::string_view rule, std::string text) const {
    AddWarning(*warnings, line, rule, std::move(text));
  }
};

Error Missing(std::string_view what) { return Error::Invalid(std::string(what) + " is missing"); }

Result<void> NoFlags(const Source& source) {
  TRY(Flags::Of(*source.flags, {}));
  return {};
}

// The whole line as one text.
Result<std::string> OneText(const Source& source, std::string_view what) {
  TRY(NoFlags(source));
  if (source.rest.empty()) return Failure(Missing(what));
  return std::string(source.rest);
}

Result<CommandLine> ReadCommand(const Source& source, std::string_view rest) {
  if (rest.empty()) return Failure(Missing("the command"));
  CommandLine command;
  auto words = TRY(JsonWords(rest));
  command.is_exec = words.has_value();
  if (words) {
    command.argv = *std::move(words);
  } else {
    command.script = rest;
    if (rest.starts_with('[') && rest.ends_with(']') && rest.find_first_of("\"'") < rest.size()) {
      source.Warn("JSONArgsNotJSON",
                  "the command begins as the JSON form and is no JSON array (its texts are in "
                  "double quotes, with commas between them): it is run by the shell");
    }
  }
  return command;
}

Result<std::vector<std::string>> ReadWordsOrJson(const Source& source) {
  if (auto words = TRY(JsonWords(source.rest))) return *std::move(words);
  return SplitAtSpaces(source.rest);
}

Result<Value> ReadFrom(const Source& source) {
  constexpr std::array<FlagRule, 1> kFlags = {{{"platform", FlagKind::kText}}};
  const Flags flags = TRY(Flags::Of(*source.flags, kFlags));
  const auto words = TRY(SplitAtSpaces(source.rest));
  const bool is_named = words.size() == 3 && EqualsIgnoringCase(words[1], "as");
  if (words.size() != 1 && !is_named) {
    return Failure(Error::Invalid("\"FROM IMAGE\" or \"FROM IMAGE AS NAME\" was expected"));
  }
  From from{.image = words[0], .platform = flags.Text("platform")};
  if (!is_named) return from;
  from.name = Lower(words[2]);
  if (from.name != words[2]) {
    source.Warn("StageNameCasing",
                "the stage's name \"" + archive::Printable(words[2]) + "\" is taken in lower case");
  }
  const bool is_name =
      from.name[0] >= 'a' && from.name[0] <= 'z' &&
      from.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
  if (!is_name) {
    return Failure(Error::Invalid("\"" + archive::Printable(words[2]) +
                                  "\" is no name of a stage: it begins with a letter, and has "
                                  "letters, digits, \"-\", \"_\", \".\""));
  }
  return from;
}

template <class T>
Result<T> OneOf(std::string_view flag, std::string_view value,
                std::initializer_list<std::pair<std::string_view, T>> known) {
  std::string all;
  for (const auto& [name, meaning] : known) {
    if (name == value) return meaning;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  return Failure(Error::Invalid("--" + std::string(flag) + " is one of " + all + ", not \"" +
                                archive::Printable(value) + "\""));
}

Result<Value> ReadRun(const Source& source) {
  constexpr std::array<FlagRule, 3> kFlags = {
      {{"mount", FlagKind::kTexts}, {"network", FlagKind::kText}, {"security", FlagKind::kText}}};
  const Flags flags = TRY(Flags::Of(*source.flags, kFlags));
  Run run;
  for (std::string& text : flags.Texts("mount")) {
    auto mount = ParseMount(std::move(text));
    if (!mount) return Failure(std::move(mount).error().WithContext("--mount"));
    run.mounts.push_back(*std::move(mount));
  }
  if (const std::string network = flags.Text("network"); !network.empty()) {
    run.network = TRY(OneOf<RunNetwork>("network", network,
                                        {{"default", RunNetwork::kDefault},
                                         {"none", RunNetwork::kNone},
                                         {"host", RunNetwork::kHost}}));
  }
  if (const std::string security = flags.Text("security"); !security.empty()) {
    run.security = TRY(OneOf<RunSecurity>(
        "security", security,
        {{"sandbox", RunSecurity::kSandbox}, {"insecure", RunSecurity::kInsecure}}));
  }
  run.command = TRY(ReadCommand(source, source.rest));
  if (run.command.is_exec && run.command.argv.empty()) return Failure(Missing("the command"));
  run.heredocs = *source.heredocs;
  return run;
}

Result<Value> ReadCopy(const Source& source) {
  return ParseCopy(*source.flags, source.rest, *source.heredocs);
}

Result<Value> ReadAdd(const Source& source) {
  return ParseAdd(*source.flags, source.rest, *source.heredocs);
}

// Parts of names that tell that a value is a secret.
bool NamesSecret(std::string_view name) {
  constexpr std::array<std::string_view, 10> kSecrets = {
      "apikey",   "auth",  "credential", "credentials", "key",
      "password", "pword", "passwd",     "secret",      "token"};
  const std::string lower = Lower(name);
  const auto parts = Split(lower, '_');
  return std::ranges::find(parts, "public") == parts.end() &&
         std::ranges::find_first_of(parts, kSecrets) != parts.end();
}

void WarnOfSecret(const Source& source, std::string_view name) {
  if (!NamesSecret(name)) return;
  source.Warn(
      "SecretsUsedInArgOrEnv",
      "\"" + archive::Printable(name) +
          "\" is perhaps a secret, and the image will tell it: use RUN --mount=type=secret");
}

// "a=b c=\"d e\"", or the old "a b".
Result<std::vector<NameAndValue>> ReadPairs(const Source& source) {
  TRY(NoFlags(source));
  const auto words = TRY(SplitQuoted(source.rest, source.escape));
  if (words.empty()) return Failure(Missing("NAME=VALUE"));
  std::vector<NameAndValue> pairs;
  if (!words[0].contains('=')) {
    const size_t end = source.rest.find_first_of(kSpaces);
    if (end == std::string_view::npos) {
      return Failure(Error::Invalid("NAME=VALUE was expected, not \"" +
                                    archive::Printable(source.rest) + "\""));
    }
    source.Warn("LegacyKeyValueFormat", "\"NAME VALUE\" is deprecated: write \"NAME=VALUE\"");
    pairs.push_back({.name = std::string(source.rest.substr(0, end)),
                     .value = std::string(TrimLeft(source.rest.substr(end)))});
    return pairs;
  }
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Failure(
          Error::Invalid("NAME=VALUE was expected, not \"" + archive::Printable(word) + "\""));
    }
    pairs.push_back({.name = word.substr(0, equals), .value = word.substr(equals + 1)});
  }
  return pairs;
}

Result<Value> ReadEnv(const Source& source) {
  Env env;
  env.variables = TRY(ReadPairs(source));
  for (const NameAndValue& variable : env.variables) WarnOfSecret(source, variable.name);
  return env;
}

Result<Value> ReadLabel(const Source& source) {
  auto pairs = TRY(ReadPairs(source));
  return Label{.labels = std::move(pairs)};
}

Result<Value> ReadArg(const Source& source) {
  TRY(NoFlags(source));
  Arg arg;
  for (const std::string& word : TRY(SplitQuoted(source.rest, source.escape))) {
    const size_t equals = word.find('=');
    Arg::Declaration declaration{.name = word.substr(0, equals)};
    if (declaration.name.empty()) {
      return Failure(Error::Invalid("NAME or NAME=DEFAULT was expected, not \"" +
                                    archive::Printable(word) + "\""));
    }
    if (equals != std::string::npos) declaration.value = word.substr(equals + 1);
    WarnOfSecret(source, declaration.name);
    arg.declarations.push_back(std::move(declaration));
  }
  if (arg.declarations.empty()) return Failure(Missing("NAME or NAME=DEFAULT"));
  return arg;
}

Result<Value> ReadWorkdir(const Source& source) {
  std::string path = TRY(OneText(source, "the path"));
  return Workdir{.path = std::move(path)};
}

Result<Value> ReadUser(const Source& source) {
  std::string user = TRY(OneText(source, "the user"));
  return User{.user = std::move(user)};
}

Result<Value> ReadCmd(const Source& source) {
  TRY(NoFlags(source));
  CommandLine command = TRY(ReadCommand(source, source.rest));
  return Cmd{.command = std::move(command)};
}

Result<Value> ReadEntrypoint(const Source& source) {
  TRY(NoFlags(source));
  CommandLine command = TRY(ReadCommand(source, source.rest));
  return Entrypoint{.command = std::move(command)};
}

Result<Value> ReadExpose(const Source& source) {
  TRY(NoFlags(source));
  Expose expose;
  expose.ports = TRY(SplitAtSpaces(source.rest));
  if (expose.ports.empty()) return Failure(Missing("the port"));
  for (const std::string& port : expose.ports) {
    const bool is_plain = port.find_first_of("$'\"\\`") == std::string::npos;
    if (is_plain && port.contains(':')) {
      source.Warn("ExposeInvalidFormat", "\"" + archive::Printable(port) +
                                             "\" has more than a port: what is before the last "
                                             "\":\" has no effect");
    }
  }
  return expose;
}

Result<Value> ReadVolume(const Source& source) {
  TRY(NoFlags(source));
  Volume volume;
  for (const std::string& word : TRY(ReadWordsOrJson(source))) {
    const std::string_view path = TrimSpaces(word);
    if (path.empty()) return Failure(Error::Invalid("a path is empty"));
    volume.paths.emplace_back(path);
  }
  if (volume.paths.empty()) return Failure(Missing("the path"));
  return volume;
}

Result<Value> ReadShell(const Source& source) {
  TRY(NoFlags(source));
  auto words = TRY(JsonWords(source.rest));
  if (!words || words->empty()) {
    return Failure(
        Error::Invalid(R"(a JSON array of texts was expected: SHELL ["/bin/bash", "-c"])"));
  }
  return Shell{.argv = *std::move(words)};
}

Result<Value> ReadStopSignal(const Source& source) {
  std::string signal = TRY(OneText(source, "the signal"));
  return StopSignal{.signal = std::move(signal)};
}

Result<std::chrono::nanoseconds> ReadInterval(const Flags& flags, std::string_view name) {
  const std::string text = flags.Text(name);
  if (text.empty()) return std::chrono::nanoseconds(0);
  auto interval = ParseGoDuration(text);
  if (!interval) {
    return Failure(std::move(interval).error().WithContext("--" + std::string(name)));
  }
  if (interval->count() != 0 && *interval < std::chrono::milliseconds(1)) {
    return Failure(Error::Invalid("--" + std::string(name) + " is not below 1ms, but for 0"));
  }
  return *interval;
}

Result<Value> ReadHealthcheck(const Source& source) {
  constexpr std::array<FlagRule, 5> kFlags = {{{"interval", FlagKind::kText},
                                               {"timeout", FlagKind::kText},
                                               {"start-period", FlagKind::kText},
                                               {"start-interval", FlagKind::kText},
                                               {"retries", FlagKind::kText}}};
  const Flags flags = TRY(Flags::Of(*source.flags, kFlags));
  const size_t end = std::min(source.rest.find_first_of(kSpaces), source.rest.size());
  const std::string_view type = source.rest.substr(0, end);
  const std::string_view rest = TrimLeft(source.rest.substr(end));
  HealthcheckOf health;
  if (EqualsIgnoringCase(type, "NONE")) {
    if (!rest.empty()) return Failure(Error::Invalid("nothing may follow NONE"));
    health.check.test = {"NONE"};
    return health;
  }
  if (!EqualsIgnoringCase(type, "CMD")) {
    return Failure(Error::Invalid("\"NONE\" or \"[OPTIONS] CMD COMMAND\" was expected"));
  }
  CommandLine command = TRY(ReadCommand(source, rest));
  if (command.is_exec && command.argv.empty()) return Failure(Missing("the command"));
  health.check.test = {command.is_exec ? "CMD" : "CMD-SHELL"};
  for (std::string& word : command.Argv({})) health.check.test.push_back(std::move(word));
  health.check.interval = TRY(ReadInterval(flags, "interval"));
  health.check.timeout = TRY(ReadInterval(flags, "timeout"));
  health.check.start_period = TRY(ReadInterval(flags, "start-period"));
  health.check.start_interval = TRY(ReadInterval(flags, "start-interval"));
  if (const std::string retries = flags.Text("retries"); !retries.empty()) {
    const auto number = ParseUnsigned(retries, INT32_MAX);
    if (!number) {
      return Failure(Error::Invalid("--retries is a number from 0 on, not \"" +
                                    archive::Printable(retries) + "\""));
    }
    health.check.retries = static_cast<uint32_t>(*number);
  }
  return health;
}

Result<Value> ReadOnBuild(const Source& source) {
  TRY(NoFlags(source));
  const std::string_view keyword = source.rest.substr(0, source.rest.find_first_of(kSpaces));
  if (keyword.empty()) return Failure(Missing("the instruction"));
  for (const std::string_view refused : {"ONBUILD", "FROM", "MAINTAINER"}) {
    if (EqualsIgnoringCase(keyword, refused)) {
      return Failure(Error::Invalid(std::string(refused) + " cannot be done by ONBUILD"));
    }
  }
  OnBuild on_build{.trigger = std::string(source.rest)};
  for (const Heredoc& heredoc : *source.heredocs) {
    on_build.trigger += "\n" + heredoc.content + heredoc.name;
  }
  // As the build will read it that begins with the image.
  TRY(ParseInstruction(on_build.trigger, source.escape));
  return on_build;
}

Result<Value> ReadMaintainer(const Source& source) {
  std::string author = TRY(OneText(source, "the name"));
  source.Warn("MaintainerDeprecated",
              "MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors");
  return Maintainer{.author = std::move(author)};
}

struct Rule {
  std::string_view name;
  Result<Value> (*read)(const Source&);
  bool has_heredocs = false;
};
constexpr std::array<Rule, 18> kRules = {{{"FROM", ReadFrom},
                                          {"RUN", ReadRun, true},
                                          {"COPY", ReadCopy, true},
                                          {"ADD", ReadAdd, true},
                                          {"ENV", ReadEnv},
                                          {"ARG", ReadArg},
                                          {"WORKDIR", ReadWorkdir},
                                          {"USER", ReadUser},
                                          {"CMD", ReadCmd},
                                          {"ENTRYPOINT", ReadEntrypoint},
                                          {"LABEL", ReadLabel},
                                          {"EXPOSE", ReadExpose},
                                          {"VOLUME", ReadVolume},
                                          {"SHELL", ReadShell},
                                          {"STOPSIGNAL", ReadStopSignal},
                                          {"HEALTHCHECK", ReadHealthcheck},
                                          {"ONBUILD", ReadOnBuild},
                                          {"MAINTAINER", ReadMaintainer}}};

const Rule* FindRule(std::string_view keyword) {
  const auto rule = std::ranges::find_if(
      kRules, [keyword](const Rule& one) { return EqualsIgnoringCase(one.name, keyword); });
  return rule == kRules.end() ? nullptr : &*rule;
}

Error UnknownInstruction(std::string_view keyword) {
  std::vector<std::string_view> names;
  for (const Rule& rule : kRules) names.push_back(rule.name);
  std::string upper(keyword);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return Error::Invalid("there is no instruction \"" + archive::Printable(keyword) + "\"" +
                        DidYouMean(upper, names));
}

// Of COPY, ADD and RUN in the shell form, and of those behind ONBUILD.
Result<bool> MayHaveHeredocs(const Rule& rule, std::string_view line, std::string_view rest) {
  if (!line.contains("<<")) return false;
  if (rule.name == "ONBUILD") {
    const LineParts parts = TRY(SplitLine(rest));
    const Rule* inner = FindRule(parts.keyword);
    return inner != nullptr && inner->has_heredocs && !TRY(JsonWords(parts.rest));
  }
  return rule.has_heredocs && !TRY(JsonWords(rest));
}

Result<void> CheckText(std::string_view text) {
  if (text.contains('\0')) return Failure(Error::Invalid("there is a NUL byte"));
  if (!IsUtf8(text)) return Failure(Error::Invalid("there is a byte that is no part of UTF-8"));
  return {};
}

// The value of `line`; its heredocs are taken from `lines`.
Result<Value> ReadValue(const Rule& rule, const SourceLine& line, const LineParts& parts,
                        SourceLines& lines, std::vector<Warning>& warnings) {
  TRY(CheckText(line.text));
  std::vector<Heredoc> heredocs;
  if (TRY(MayHaveHeredocs(rule, line.text, parts.rest))) heredocs = TRY(HeredocsOf(line.text));
  for (Heredoc& heredoc : heredocs) {
    TRY(lines.ReadContent(heredoc));
    TRY(CheckText(heredoc.content));
  }
  return rule.read({.rest = parts.rest,
                    .flags = &parts.flags,
                    .heredocs = &heredocs,
                    .escape = lines.escape(),
                    .line = line.first_line,
                    .warnings = &warnings});
}

}  // namespace

void AddWarning(std::vector<Warning>& warnings, uint32_t line, std::string_view rule,
                std::string text) {
  if (warnings.size() > kMaxWarnings) return;
  if (warnings.size() == kMaxWarnings) {
    rule = "TooManyWarnings";
    text = "there are more warnings than these " + std::to_string(kMaxWarnings);
  }
  warnings.push_back({.line = line, .rule = rule, .text = std::move(text)});
}

Result<std::optional<Instruction>> ReadInstruction(SourceLines& lines,
                                                   std::vector<Warning>& warnings) {
  const auto line = TRY(lines.Next());
  if (!line) return std::nullopt;
  const std::string at = "line " + std::to_string(line->first_line);
  auto parts = SplitLine(line->text);
  if (!parts) return Failure(std::move(parts).error().WithContext(at));
  const Rule* rule = FindRule(parts->keyword);
  if (rule == nullptr) return Failure(UnknownInstruction(parts->keyword).WithContext(at));
  if (line->has_empty_continuation) {
    AddWarning(warnings, line->first_line, "NoEmptyContinuation",
               "an empty line between the lines of one instruction is deprecated");
  }
  auto value = ReadValue(*rule, *line, *parts, lines, warnings);
  if (!value) {
    return Failure(std::move(value).error().WithContext(at + ": " + std::string(rule->name)));
  }
  return Instruction{.value = *std::move(value),
                     .first_line = line->first_line,
                     .last_line = lines.last_line(),
                     .source = std::string(lines.SourceFrom(line->begin))};
}

}  // namespace cay::templates::dockerfile
