// SourceLines: the lines of a Dockerfile without directives, comments, empty lines and
// continuations (BuildKit, dockerfile/parser/parser.go). Inside this room only. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/dockerfile/instruction.h"

namespace cay::templates::dockerfile {

struct SourceLine {
  std::string text{};       // its continuations joined; spaces at its beginning are gone
  uint32_t first_line = 0;  // from 1
  size_t begin = 0;         // of its first byte in the file
  bool has_empty_continuation = false;
};

class SourceLines {
 public:
  // Of a file: directives are read. `text` outlives this.
  explicit SourceLines(std::string_view text);
  // Of one instruction: there are none.
  SourceLines(std::string_view text, char escape) : SourceLines(text) {
    escape_ = escape;
    directives_end_ = true;
  }

  // Nothing at the end. Errors begin with the line.
  Result<std::optional<SourceLine>> Next();

  // Reads the content of a heredoc, from the line on that was read last.
  Result<void> ReadContent(Heredoc& heredoc);

  // Of what was read last.
  uint32_t last_line() const { return line_; }
  // The file's bytes from `begin` to the end of the line that was read last, without its line end.
  std::string_view SourceFrom(size_t begin) const;

  char escape() const { return escape_; }
  const std::string& syntax() const { return syntax_; }
  const std::string& check() const { return check_; }
  uint32_t syntax_line() const { return syntax_line_; }

 private:
  std::optional<std::string_view> TakeLine();  // with its end
  Result<void> ReadDirective(std::string_view line);
  Result<void> SetDirective(const std::string& name, std::string_view value);
  std::optional<std::string_view> WithoutContinuation(std::string_view line) const;

  std::string_view text_;
  size_t place_ = 0;
  uint32_t line_ = 0;
  char escape_ = '\\';
  bool directives_end_ = false;
  bool has_escape_ = false;
  uint32_t check_line_ = 0;
  uint32_t syntax_line_ = 0;
  std::string syntax_{};
  std::string check_{};
};

// The heredocs that a line begins, without their contents.
Result<std::vector<Heredoc>> HeredocsOf(std::string_view line);
// "<<EOF", "3<<-'EOF'" as a whole word; nothing where it is none.
Result<std::optional<Heredoc>> ParseHeredoc(std::string_view word);

}  // namespace cay::templates::dockerfile
