// Lexer: quotes, escapes and variables of one text (BuildKit, shell/lex.go), for expansion.h and
// for finding heredocs. Inside this room only. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/dockerfile/expansion.h"

namespace cay::templates::dockerfile {

struct LexerOptions {
  char escape = '\\';
  bool quotes_are_text = false;  // quotes mean nothing
  bool keeps_quotes = false;     // quotes mean what they do, and stay
  bool keeps_escapes = false;
  bool keeps_unset = false;     // "$V" stays where V is not set
  bool joins_heredocs = false;  // spaces behind "<<" are part of the word
};

struct Lexed {
  std::string text{};
  std::vector<std::string> words{};
};

class Lexer {
 public:
  // All outlive this. `unset` may be null.
  Lexer(std::string_view text, const Variables& variables, const LexerOptions& options,
        std::set<std::string>* unset)
      : rest_(text), variables_(&variables), options_(options), unset_(unset) {}

  // Once.
  Result<Lexed> Run();

 private:
  class Words;

  // To `stop`, which is taken, or to the end where there is none.
  Result<Lexed> Until(std::optional<char> stop, bool keeps_escapes);
  Result<std::string> Special(char which);
  Result<std::string> SingleQuoted();
  Result<std::string> DoubleQuoted();
  Result<std::string> Dollar();
  Result<std::string> Braced();
  Result<std::string> WithModifier(const std::string& name, std::string modifier, char kind);
  Result<std::string> WithPattern(std::string word, char kind, const std::string& value);
  Result<std::string> WithReplacement(const std::string& name);
  std::string TakeName();
  std::string HeredocSign();
  const std::string* Find(const std::string& name);
  Result<void> Append(std::string& text, std::string_view more);

  bool AtEnd() const { return rest_.empty(); }
  char Take() {
    const char next = rest_.front();
    rest_.remove_prefix(1);
    return next;
  }

  std::string_view rest_;
  const Variables* variables_;
  LexerOptions options_;
  std::set<std::string>* unset_;
  size_t depth_ = 0;
  size_t work_ = kMaxExpansionWork;
};

}  // namespace cay::templates::dockerfile
