#include "template/dockerfile/expansion.h"

#include "archive/safe_path.h"
#include "template/dockerfile/copy_parse.h"
#include "template/dockerfile/image_changes.h"
#include "template/dockerfile/lexer.h"
#include "template/dockerfile/run_mount.h"
#include "template/dockerfile/words.h"

namespace cay::templates::dockerfile {
namespace {

Result<Lexed> Lex(std::string_view text, const Variables& variables,
                  const ExpansionOptions& options, std::set<std::string>* unset) {
  if (text.size() > kMaxExpandedWord) {
    return Failure(
        OverLimit("a word is over the maximum of " + std::to_string(kMaxExpandedWord) + " bytes"));
  }
  const LexerOptions lexing{.escape = options.escape, .quotes_are_text = options.quotes_are_text};
  return Lexer(text, variables, lexing, unset).Run();
}

// Expands the members of one instruction.
class Expander {
 public:
  Expander(const Variables& variables, char escape, std::set<std::string>& unset)
      : variables_(&variables), options_{.escape = escape}, unset_(&unset) {}

  Result<void> operator()(From& from) {
    TRY(Word(from.image));
    return Word(from.platform);
  }

  Result<void> operator()(Run& run) {
    for (RunMount& mount : run.mounts) {
      auto read = ReadMount(mount.text, [this](std::string_view value) -> Result<std::string> {
        std::string word(value);
        TRY(Word(word));
        return word;
      });
      if (!read) return Failure(std::move(read).error().WithContext("--mount"));
      mount = *std::move(read);
    }
    return {};
  }

  Result<void> operator()(Copy& copy) {
    TRY(Files(copy.files));
    return CheckCopy(copy);
  }

  Result<void> operator()(Add& add) {
    TRY(Files(add.files));
    TRY(Word(add.checksum));
    return CheckAdd(add);
  }

  Result<void> operator()(Env& env) {
    TRY(Pairs(env.variables));
    for (const NameAndValue& variable : env.variables) {
      if (variable.name.contains('=')) {
        return Failure(Error::Invalid("the name of a variable has no \"=\": \"" +
                                      archive::Printable(variable.name) + "\""));
      }
    }
    return {};
  }

  Result<void> operator()(Label& label) { return Pairs(label.labels); }

  Result<void> operator()(Arg& arg) {
    Variables seen = *variables_;
    for (Arg::Declaration& declaration : arg.declarations) {
      if (!declaration.value) continue;
      Expander inner(seen, options_.escape, *unset_);
      TRY(inner.Word(*declaration.value));
      seen.Set(declaration.name, *declaration.value);
    }
    return {};
  }

  Result<void> operator()(Workdir& workdir) { return Word(workdir.path); }
  Result<void> operator()(User& user) { return Word(user.user); }

  Result<void> operator()(Expose& expose) {
    std::vector<std::string> ports;
    for (const std::string& text : expose.ports) {
      for (std::string& port : TRY(ExpandWords(text, *variables_, options_, unset_))) {
        TRY(Count(port.size()));
        TRY(PortsOf(port));
        ports.push_back(std::move(port));
      }
    }
    expose.ports = std::move(ports);
    return {};
  }

  Result<void> operator()(Volume& volume) {
    for (std::string& path : volume.paths) {
      TRY(Word(path));
      if (path.empty()) return Failure(Error::Invalid("a path is empty"));
    }
    return {};
  }

  Result<void> operator()(StopSignal& stop) {
    TRY(Word(stop.signal));
    return CheckSignal(stop.signal);
  }

  // Of the others nothing is expanded.
  Result<void> operator()(Cmd& /*value*/) { return {}; }
  Result<void> operator()(Entrypoint& /*value*/) { return {}; }
  Result<void> operator()(Shell& /*value*/) { return {}; }
  Result<void> operator()(HealthcheckOf& /*value*/) { return {}; }
  Result<void> operator()(OnBuild& /*value*/) { return {}; }
  Result<void> operator()(Maintainer& /*value*/) { return {}; }

 private:
  Result<void> Count(size_t bytes) {
    expanded_ += bytes;
    if (expanded_ <= kMaxExpandedInstruction) return {};
    return Failure(OverLimit("it is over the maximum of " +
                             std::to_string(kMaxExpandedInstruction) +
                             " bytes when its variables are replaced"));
  }

  Result<void> Word(std::string& word) {
    word = TRY(ExpandWord(word, *variables_, options_, unset_));
    return Count(word.size());
  }

  Result<void> Pairs(std::vector<NameAndValue>& pairs) {
    for (NameAndValue& pair : pairs) {
      TRY(Word(pair.name));
      TRY(Word(pair.value));
      if (pair.name.empty()) return Failure(Error::Invalid("a name is empty"));
    }
    return {};
  }

  Result<void> Files(FilesToCopy& files) {
    for (std::string& source : files.sources) TRY(Word(source));
    TRY(Word(files.destination));
    TRY(Word(files.chown));
    TRY(Word(files.chmod));
    for (std::string& exclude : files.excludes) TRY(Word(exclude));
    for (Heredoc& heredoc : files.heredocs) {
      std::string content = heredoc.Text();
      if (heredoc.expands) {
        // Of a heredoc it is always the backslash that escapes.
        content = TRY(ExpandWord(content, *variables_, {.quotes_are_text = true}, unset_));
      }
      TRY(Count(content.size()));
      heredoc.content = std::move(content);
      heredoc.expands = heredoc.strips_tabs = false;
    }
    return {};
  }

  const Variables* variables_;
  ExpansionOptions options_;
  std::set<std::string>* unset_;
  size_t expanded_ = 0;
};

}  // namespace

Variables Variables::Of(const std::vector<std::string>& environment) {
  Variables variables;
  for (const std::string& entry : environment) {
    const size_t equals = entry.find('=');
    variables.Set(entry.substr(0, equals),
                  equals == std::string::npos ? "" : entry.substr(equals + 1));
  }
  return variables;
}

void Variables::Set(std::string name, std::string value) {
  const size_t name_size = name.size();
  const auto [place, is_new] = values_.try_emplace(std::move(name));
  if (is_new) size_ += name_size;
  size_ += value.size();
  size_ -= place->second.size();
  place->second = std::move(value);
}

const std::string* Variables::Find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<std::string> Variables::Environment() const {
  std::vector<std::string> environment;
  environment.reserve(values_.size());
  for (const auto& [name, value] : values_) environment.push_back(name + "=" + value);
  return environment;
}

Result<std::string> ExpandWord(std::string_view word, const Variables& variables,
                               const ExpansionOptions& options, std::set<std::string>* unset) {
  Lexed lexed = TRY(Lex(word, variables, options, unset));
  return std::move(lexed.text);
}

Result<std::vector<std::string>> ExpandWords(std::string_view text, const Variables& variables,
                                             const ExpansionOptions& options,
                                             std::set<std::string>* unset) {
  Lexed lexed = TRY(Lex(text, variables, options, unset));
  return std::move(lexed.words);
}

Result<Expanded> ExpandInstruction(const Instruction& instruction, const Variables& variables,
                                   char escape) {
  Expanded expanded{.instruction = instruction};
  Expander expander(variables, escape, expanded.unset);
  if (auto done = std::visit(expander, expanded.instruction.value); !done) {
    return Failure(std::move(done).error().WithContext(
        "line " + std::to_string(instruction.first_line) + ": " + std::string(instruction.Name())));
  }
  return expanded;
}

}  // namespace cay::templates::dockerfile
