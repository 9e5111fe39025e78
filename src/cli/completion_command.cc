// cay completion bash|zsh|fish: prints a script made from the tables of command.h.
#include "cli/frame/command.h"
#include "cli/frame/console.h"

namespace cay::cli {
namespace {

struct Node {
  std::string path;  // "cay template import"
  const Command* command;
};

void Collect(const Command& command, const std::string& path, std::vector<Node>& nodes) {
  nodes.push_back({path, &command});
  for (const Command* sub : command.subcommands) {
    Collect(*sub, path + " " + std::string(sub->name), nodes);
  }
}

std::vector<Node> AllCommands() {
  std::vector<Node> nodes;
  Collect(kRootCommand, "cay", nodes);
  return nodes;
}

std::string SubcommandNames(const Command& command) {
  std::string names;
  for (const Command* sub : command.subcommands) {
    names.append(names.empty() ? "" : " ").append(sub->name);
  }
  return names;
}

// `text` in single quotes, for any of the three shells; ours never hold a backslash.
std::string Quote(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) quoted.append(c == '\'' ? std::string("'\\''") : std::string(1, c));
  return quoted + "'";
}

// Names that a command of ours prints, one a line; empty for what is not asked for.
std::string_view NamesFrom(Completes completes) {
  switch (completes) {
    case Completes::kTemplates:
      return "cay template list --quiet 2>/dev/null";
    case Completes::kSandboxes:
      return "cay ls --names 2>/dev/null";
    case Completes::kContexts:
      return "cay context list --quiet 2>/dev/null";
    case Completes::kEnvironments:
      return "cay env ls --quiet 2>/dev/null";
    default:
      return "";
  }
}

std::string BashReply(Completes completes, std::string_view words) {
  switch (completes) {
    case Completes::kNothing:
      return "";
    case Completes::kFiles:
      return "compgen -f -- \"$cur\"";
    case Completes::kDirectories:
      return "compgen -d -- \"$cur\"";
    case Completes::kTemplates:
    case Completes::kSandboxes:
    case Completes::kContexts:
    case Completes::kEnvironments:
      return "compgen -W \"$(" + std::string(NamesFrom(completes)) + ")\" -- \"$cur\"";
    case Completes::kPrograms:
      return "compgen -c -f -- \"$cur\"";
    case Completes::kSubcommands:
      return "compgen -W '" + SubcommandNames(kRootCommand) + "' -- \"$cur\"";
    case Completes::kWords:
      return "compgen -W " + Quote(words) + " -- \"$cur\"";
  }
  return "";
}

std::string BashAssign(const std::string& reply) {
  return reply.empty() ? "" : "mapfile -t COMPREPLY < <(" + reply + "); ";
}

std::string BashScript() {
  std::vector<Node> nodes = AllCommands();
  std::string paths;
  std::string cases;
  for (const Node& node : nodes) {
    if (node.command != &kRootCommand) {
      paths.append(paths.empty() ? "" : "|").append(Quote(node.path));
    }
    std::string flags = "--help";
    std::string values;
    for (const OptionSpec& option : node.command->options) {
      std::string name = "--" + std::string(option.name);
      flags.append(" ").append(name);
      if (option.value.empty()) continue;
      values.append("        ").append(name);
      if (option.short_name != 0) values.append("|-").append(1, option.short_name);
      values.append(") ").append(BashAssign(BashReply(option.completes, option.words)));
      values.append("return ;;\n");
    }
    cases.append("    ").append(Quote(node.path)).append(")\n");
    if (!values.empty()) {
      cases.append("      case \"$prev\" in\n").append(values).append("      esac\n");
    }
    std::string reply =
        node.command->subcommands.empty()
            ? BashReply(node.command->completes, node.command->words)
            : "compgen -W " + Quote(SubcommandNames(*node.command)) + " -- \"$cur\"";
    cases.append("      if [[ $cur == -* ]]; then ")
        .append(BashAssign("compgen -W " + Quote(flags) + " -- \"$cur\""))
        .append(reply.empty() ? "" : "else " + BashAssign(reply))
        .append("fi ;;\n");
  }
  return "# bash completion of cay; load with: source <(cay completion bash)\n"
         "_cay() {\n"
         "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" path=cay "
         "i\n"
         "  COMPREPLY=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"$path ${COMP_WORDS[i]}\" in\n"
         "      " +
         paths +
         ") path=\"$path ${COMP_WORDS[i]}\" ;;\n"
         "      *) break ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$path\" in\n" +
         cases +
         "  esac\n"
         "}\n"
         "complete -o filenames -o bashdefault -F _cay cay\n";
}

std::string ZshAction(Completes completes, std::string_view words) {
  switch (completes) {
    case Completes::kNothing:
      return " ";
    case Completes::kFiles:
      return "_files";
    case Completes::kDirectories:
      return "_files -/";
    case Completes::kTemplates:
      return "_cay_templates";
    case Completes::kSandboxes:
      return "_cay_sandboxes";
    case Completes::kContexts:
      return "_cay_contexts";
    case Completes::kEnvironments:
      return "_cay_environments";
    case Completes::kPrograms:
      return "_normal";
    case Completes::kSubcommands:
      return "(" + SubcommandNames(kRootCommand) + ")";
    case Completes::kWords:
      return "(" + std::string(words) + ")";
  }
  return " ";
}

// Text in a spec of _arguments: brackets and colons have a meaning there.
std::string ZshText(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    if (c == '[' || c == ']' || c == ':') escaped.push_back('\\');
    escaped.push_back(c);
  }
  return escaped;
}

std::string ZshOption(const OptionSpec& option) {
  std::string tail = "[" + ZshText(option.help) + "]";
  if (!option.value.empty()) {
    tail += ":" + ZshText(option.value) + ":" + ZshAction(option.completes, option.words);
  }
  std::string name = "--" + std::string(option.name);
  std::string line = "    " + Quote("*" + name + tail) + " \\\n";
  if (option.short_name != 0) {
    line += "    " + Quote(std::string("*-") + option.short_name + tail) + " \\\n";
  }
  return line;
}

std::string ZshFunction(const Node& node) {
  std::string name = "_" + node.path;
  for (char& c : name) c = c == ' ' ? '_' : c;
  std::string out = name + "() {\n";
  if (!node.command->subcommands.empty()) {
    out += "  local line state\n  _arguments -C '--help[This text]' '1:command:(" +
           SubcommandNames(*node.command) + ")' '*::argument:->rest'\n" +
           "  if [[ $state == rest ]] && (( $+functions[" + name + "_$line[1]] )); then " + name +
           "_$line[1]; fi\n}\n";
    return out;
  }
  out += "  _arguments -s \\\n";
  for (const OptionSpec& option : node.command->options) out += ZshOption(option);
  out += "    '(- *)'{-h,--help}'[This text]' \\\n    " +
         Quote((node.command->options_first ? "*:::argument:" : "*:argument:") +
               ZshAction(node.command->completes, node.command->words)) +
         "\n}\n";
  return out;
}

std::string ZshScript() {
  std::string out =
      "#compdef cay\n# zsh completion of cay; load with: source <(cay completion zsh)\n";
  for (auto [name, completes] :
       {std::pair("templates", Completes::kTemplates),
        std::pair("sandboxes", Completes::kSandboxes), std::pair("contexts", Completes::kContexts),
        std::pair("environments", Completes::kEnvironments)}) {
    out.append("_cay_").append(name).append("() { local -a names; names=(${(f)\"$(");
    out.append(NamesFrom(completes)).append(")\"}); _describe ").append(name).append(" names; }\n");
  }
  for (const Node& node : AllCommands()) out += ZshFunction(node);
  return out + "compdef _cay cay\n";
}

std::string FishValue(const OptionSpec& option) {
  switch (option.completes) {
    case Completes::kFiles:
      return " -r -F";
    case Completes::kDirectories:
      return " -x -a '(__fish_complete_directories)'";
    case Completes::kTemplates:
    case Completes::kSandboxes:
    case Completes::kContexts:
    case Completes::kEnvironments:
      return " -x -a '(" + std::string(NamesFrom(option.completes)) + ")'";
    case Completes::kWords:
      return " -x -a " + Quote(option.words);
    default:
      return option.value.empty() ? "" : " -x";
  }
}

// True at the words of `path` and no subcommand further.
std::string FishCondition(const Node& node) {
  std::string words = node.path.size() > 4 ? node.path.substr(4) : "";
  std::string condition;
  for (size_t start = 0; start < words.size();) {
    size_t end = std::min(words.find(' ', start), words.size());
    condition += (condition.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") +
                 words.substr(start, end - start);
    start = end + 1;
  }
  if (!node.command->subcommands.empty()) {
    condition += (condition.empty() ? "" : "; and ") +
                 std::string("not __fish_seen_subcommand_from ") + SubcommandNames(*node.command);
  }
  return " -n " + Quote(condition);
}

std::string FishScript() {
  std::string out = "# fish completion of cay; load with: cay completion fish | source\n";
  for (const Node& node : AllCommands()) {
    std::string start = "complete -c cay" + FishCondition(node);
    for (const Command* sub : node.command->subcommands) {
      out += start + " -f -a " + std::string(sub->name) + " -d " + Quote(sub->summary) + "\n";
    }
    for (const OptionSpec& option : node.command->options) {
      out += start + " -l " + std::string(option.name);
      if (option.short_name != 0) out += std::string(" -s ") + option.short_name;
      out += FishValue(option) + " -d " + Quote(option.help) + "\n";
    }
    switch (node.command->completes) {
      case Completes::kPrograms:
        out += start + " -a '(__fish_complete_subcommand)'\n";
        break;
      case Completes::kTemplates:
      case Completes::kSandboxes:
      case Completes::kContexts:
      case Completes::kEnvironments:
        out += start + " -f -a '(";
        out.append(NamesFrom(node.command->completes)).append(")'\n");
        break;
      case Completes::kSubcommands:
        out += start + " -f -a " + Quote(SubcommandNames(kRootCommand)) + "\n";
        break;
      case Completes::kWords:
        out += start + " -f -a " + Quote(node.command->words) + "\n";
        break;
      default:
        break;
    }
  }
  return out;
}

Result<int> CompletionMain(NoOptions&, Positionals& rest) {
  const std::string& shell = rest.values.front();
  if (shell == "bash") {
    TRY(Print(BashScript()));
  } else if (shell == "zsh") {
    TRY(Print(ZshScript()));
  } else if (shell == "fish") {
    TRY(Print(FishScript()));
  } else {
    return Failure(Error::Invalid(shell + ": there is no completion for this shell")
                       .WithRemedy("use bash, zsh or fish"));
  }
  return 0;
}

}  // namespace

constinit const Command kCompletionCommand = {
    .name = "completion",
    .summary = "Print a shell's completion script",
    .usage = "bash|zsh|fish",
    .examples =
        "source <(cay completion bash)                                # this shell\n"
        "cay completion bash > ~/.local/share/bash-completion/completions/cay\n"
        "cay completion zsh > ~/.zfunc/_cay\n"
        "cay completion fish > ~/.config/fish/completions/cay.fish\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = Completes::kWords,
    .words = "bash zsh fish",
    .run = &ParseAndRun<NoOptions, CompletionMain>,
};

}  // namespace cay::cli
