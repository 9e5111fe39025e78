#include "cli/frame/command.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "cli/frame/console.h"

namespace cay::cli {
namespace {

constexpr size_t kHelpColumn = 28;
constexpr size_t kHelpWidth = 100;

Error UnknownOption(const Command& command, std::string_view shown, std::string_view name) {
  std::vector<std::string_view> names = {"help"};
  for (const OptionSpec& option : command.options) names.push_back(option.name);
  std::string_view nearest = name.size() > 1 ? Nearest(name, names) : std::string_view();
  std::string remedy = nearest.empty() ? "see cay " + std::string(command.name) + " --help"
                                       : "did you mean --" + std::string(nearest) + "?";
  return Error::Invalid(std::string(shown) + ": there is no such option")
      .WithRemedy(std::move(remedy));
}

const OptionSpec* FindLong(const Command& command, std::string_view name) {
  auto found = std::ranges::find(command.options, name, &OptionSpec::name);
  return found == command.options.end() ? nullptr : &*found;
}

const OptionSpec* FindShort(const Command& command, char letter) {
  auto found = std::ranges::find(command.options, letter, &OptionSpec::short_name);
  return found == command.options.end() ? nullptr : &*found;
}

std::string Shown(const OptionSpec& option) { return "--" + std::string(option.name); }

Result<void> Apply(const OptionSpec& option, void* options, std::string_view value) {
  Result<void> applied = option.apply(options, value);
  if (applied) return {};
  const Error& error = applied.error();
  Remedy remedy = error.remedy();
  if (remedy.empty() && !option.example.empty()) {
    remedy = "as in " + Shown(option) + " " + std::string(option.example);
  }
  return Failure(Error(error.code(), error.fault(), Shown(option) + ": " + error.message())
                     .WithRemedy(std::move(remedy)));
}

// One run over the arguments.
class Parser {
 public:
  Parser(const Command& command, Arguments arguments, void* options)
      : command_(command), arguments_(arguments), options_(options) {}

  Result<Positionals> Run() {
    while (next_ < arguments_.size() && !result_.help) {
      std::string_view argument = arguments_[next_++];
      if (argument == "--") {
        result_.after_separator = result_.values.empty();
        separator_ = result_.values.size();
        TakeRest();
      } else if (argument.starts_with("--")) {
        TRY(Long(argument.substr(2)));
      } else if (argument.size() > 1 && argument[0] == '-') {
        TRY(Short(argument.substr(1)));
      } else {
        result_.values.emplace_back(argument);
        if (command_.options_first) TakeRest();
      }
    }
    result_.before_separator = separator_.value_or(result_.values.size());
    return std::move(result_);
  }

 private:
  void TakeRest() {
    while (next_ < arguments_.size()) result_.values.emplace_back(arguments_[next_++]);
  }

  Result<std::string_view> NextValue(const OptionSpec& option) {
    if (next_ < arguments_.size()) return std::string_view(arguments_[next_++]);
    std::string remedy =
        Shown(option) + " " + std::string(option.example.empty() ? option.value : option.example);
    return Failure(Error::Invalid(Shown(option) + ": a value is missing")
                       .WithRemedy("as in " + std::move(remedy)));
  }

  Result<void> Long(std::string_view text) {
    size_t equals = text.find('=');
    std::string_view name = text.substr(0, equals);
    if (name == "help") {
      result_.help = true;
      return {};
    }
    const OptionSpec* option = FindLong(command_, name);
    if (option == nullptr) {
      return Failure(UnknownOption(command_, "--" + std::string(name), name));
    }
    if (option->value.empty()) {
      if (equals == std::string_view::npos) return Apply(*option, options_, {});
      return Failure(Error::Invalid(Shown(*option) + ": takes no value")
                         .WithRemedy("write " + Shown(*option) + " alone"));
    }
    if (equals != std::string_view::npos) return Apply(*option, options_, text.substr(equals + 1));
    return Apply(*option, options_, TRY(NextValue(*option)));
  }

  Result<void> Short(std::string_view letters) {
    for (size_t i = 0; i < letters.size(); ++i) {
      const OptionSpec* option = FindShort(command_, letters[i]);
      if (option == nullptr && letters[i] == 'h') {
        result_.help = true;
        return {};
      }
      if (option == nullptr) {
        return Failure(UnknownOption(command_, "-" + std::string(letters), letters));
      }
      if (option->value.empty()) {
        TRY(Apply(*option, options_, {}));
        continue;
      }
      std::string_view value = letters.substr(i + 1);
      if (value.starts_with('=')) {
        value.remove_prefix(1);
      } else if (value.empty()) {
        value = TRY(NextValue(*option));
      }
      return Apply(*option, options_, value);
    }
    return {};
  }

  const Command& command_;
  Arguments arguments_;
  void* options_;
  size_t next_ = 0;
  std::optional<size_t> separator_;
  Positionals result_;
};

// Appends `text` at the help column, broken at spaces so that no line is over kHelpWidth.
void AppendWrapped(std::string& out, std::string_view text, size_t column) {
  while (text.size() > kHelpWidth - column) {
    size_t cut = text.rfind(' ', kHelpWidth - column);
    if (cut == std::string_view::npos) break;
    out.append(text.substr(0, cut)).append("\n").append(column, ' ');
    text.remove_prefix(cut + 1);
  }
  out.append(text).append("\n");
}

void AppendEntry(std::string& out, std::string left, std::string_view help) {
  if (left.size() + 2 > kHelpColumn) {
    out.append(left).append("\n").append(kHelpColumn, ' ');
  } else {
    left.resize(kHelpColumn, ' ');
    out.append(left);
  }
  AppendWrapped(out, help, kHelpColumn);
}

void AppendOptions(std::string& out, std::span<const OptionSpec> options) {
  out.append(options.empty() || options.front().group.empty() ? "\nOptions:\n" : "");
  for (const OptionSpec& option : options) {
    if (!option.group.empty()) out.append("\n").append(option.group).append(":\n");
    std::string left = option.short_name != 0 ? std::string("  -") + option.short_name + ", "
                                              : std::string("      ");
    left.append("--").append(option.name);
    if (!option.value.empty()) left.append(" ").append(option.value);
    AppendEntry(out, std::move(left), option.help);
  }
  AppendEntry(out, "  -h, --help", "This text");
}

}  // namespace

Result<Positionals> ParseArguments(const Command& command, Arguments arguments, void* options) {
  return Parser(command, arguments, options).Run();
}

Result<void> CheckCount(const Command& command, std::string_view path, const Positionals& rest) {
  size_t count = rest.values.size();
  if (count >= command.min_arguments && count <= command.max_arguments) return {};
  std::string what = count > command.max_arguments
                         ? rest.values[command.max_arguments] + ": one argument too many"
                         : std::string(path) + ": an argument is missing";
  return Failure(Error::Invalid(std::move(what))
                     .WithRemedy("usage: " + std::string(path) + " " + std::string(command.usage)));
}

Result<int> PrintHelp(const Command& command, std::string_view path) {
  TRY(Print(HelpText(command, path)));
  return 0;
}

Result<int> Dispatch(const Command& command, std::string_view path, Arguments arguments) {
  if (command.subcommands.empty()) return command.run(command, path, arguments);
  const bool runs_itself =
      command.run != nullptr && (arguments.empty() || arguments.front()[0] == '-');
  if (runs_itself) return command.run(command, path, arguments);
  if (arguments.empty()) return PrintHelp(command, path);
  std::string_view name = arguments.front();
  if (name == "--help" || name == "-h") return PrintHelp(command, path);
  std::vector<std::string_view> names;
  for (const Command* sub : command.subcommands) {
    if (sub->name == name) {
      return Dispatch(*sub, std::string(path) + " " + std::string(name), arguments.subspan(1));
    }
    names.push_back(sub->name);
  }
  std::string_view nearest = Nearest(name, names);
  return Failure(Error::Invalid(std::string(name) + ": there is no such command")
                     .WithRemedy(nearest.empty() ? "see " + std::string(path) + " --help"
                                                 : "did you mean " + std::string(path) + " " +
                                                       std::string(nearest) + "?"));
}

std::string HelpText(const Command& command, std::string_view path) {
  std::string out = "Usage: " + std::string(path) + " " + std::string(command.usage) + "\n\n";
  out.append(command.summary).append("\n");
  if (!command.description.empty()) out.append("\n").append(command.description);
  if (!command.subcommands.empty()) {
    if (command.subcommands.front()->group.empty()) out.append("\nCommands:\n");
    for (const Command* sub : command.subcommands) {
      if (!sub->group.empty()) out.append("\n").append(sub->group).append(":\n");
      AppendEntry(out, "  " + std::string(sub->name), sub->summary);
    }
  }
  AppendOptions(out, command.options);
  if (!command.examples.empty()) {
    out.append("\nExamples:\n");
    for (std::string_view rest = command.examples; !rest.empty();) {
      size_t end = std::min(rest.find('\n'), rest.size());
      out.append("  ").append(rest.substr(0, end)).append("\n");
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return out;
}

}  // namespace cay::cli
