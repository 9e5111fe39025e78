#include "template/dockerfile/source_lines.h"

#include <algorithm>

#include "archive/safe_path.h"
#include "base/text.h"
#include "template/dockerfile/dockerfile.h"
#include "template/dockerfile/lexer.h"
#include "template/dockerfile/spaces.h"
#include "template/dockerfile/words.h"

namespace cay::templates::dockerfile {
namespace {

std::string_view WithoutEnd(std::string_view line) {
  return line.substr(0, line.find_last_not_of("\r\n") + 1);
}

bool IsComment(std::string_view line) { return TrimLeft(line).starts_with('#'); }

std::string AtLine(uint32_t line) { return "line " + std::to_string(line); }

}  // namespace

SourceLines::SourceLines(std::string_view text) : text_(text) {
  if (text_.starts_with("\xEF\xBB\xBF")) place_ = 3;
}

std::optional<std::string_view> SourceLines::TakeLine() {
  if (place_ >= text_.size()) return std::nullopt;
  const size_t end = text_.find('\n', place_);
  const std::string_view line =
      text_.substr(place_, end == std::string_view::npos ? end : end + 1 - place_);
  place_ += line.size();
  ++line_;
  return line;
}

std::string_view SourceLines::SourceFrom(size_t begin) const {
  std::string_view source = text_.substr(begin, place_ - begin);
  if (source.ends_with('\n')) source.remove_suffix(1);
  return source;
}

// "# name = value" before everything else; `line` is without spaces at its beginning.
Result<void> SourceLines::ReadDirective(std::string_view line) {
  if (directives_end_) return {};
  directives_end_ = true;
  if (!line.starts_with('#')) return {};
  line = TrimLeft(line.substr(1));
  const size_t equals = line.find('=');
  if (equals == std::string_view::npos) return {};
  const std::string name = Lower(TrimSpaces(line.substr(0, equals)));
  const std::string_view value = TrimSpaces(line.substr(equals + 1));
  const bool is_known = name == "syntax" || name == "escape" || name == "check";
  if (!is_known || value.empty()) return {};
  directives_end_ = false;
  if (auto set = SetDirective(name, value); !set) {
    return Failure(std::move(set).error().WithContext(AtLine(line_)));
  }
  return {};
}

Result<void> SourceLines::SetDirective(const std::string& name, std::string_view value) {
  const bool is_twice = (name == "escape" && has_escape_) ||
                        (name == "check" && check_line_ != 0) ||
                        (name == "syntax" && syntax_line_ != 0);
  if (is_twice) return Failure(Error::Invalid("the directive \"" + name + "\" is there twice"));
  if (name == "syntax") {
    syntax_ = value;
    syntax_line_ = line_;
  } else if (name == "check") {
    check_ = value;
    check_line_ = line_;
  } else if (value == "\\" || value == "`") {
    escape_ = value.front();
    has_escape_ = true;
  } else {
    return Failure(Error::Invalid("the escape character is \"\\\" or \"`\", not \"" +
                                  archive::Printable(value) + "\""));
  }
  return {};
}

// The line without the escape character that continues it, or nothing where none does. Two of them
// are no continuation.
std::optional<std::string_view> SourceLines::WithoutContinuation(std::string_view line) const {
  const size_t last = line.find_last_not_of(" \t");
  if (last == std::string_view::npos || line[last] != escape_) return std::nullopt;
  if (last > 0 && line[last - 1] == escape_) return std::nullopt;
  return line.substr(0, last);
}

Result<std::optional<SourceLine>> SourceLines::Next() {
  while (true) {
    SourceLine found{.begin = place_};
    const auto first = TakeLine();
    if (!first) return std::nullopt;
    found.first_line = line_;
    std::string_view line = TrimLeft(WithoutEnd(*first));
    TRY(ReadDirective(line));
    if (line.empty() || IsComment(line)) continue;
    auto continued = WithoutContinuation(line);
    found.text = continued.value_or(line);
    while (continued) {
      const auto next = TakeLine();
      if (!next) break;
      if (IsComment(*next)) continue;
      line = WithoutEnd(*next);
      if (TrimLeft(line).empty()) {
        found.has_empty_continuation = true;
        continue;
      }
      continued = WithoutContinuation(line);
      found.text += continued.value_or(line);
    }
    return found;
  }
}

Result<void> SourceLines::ReadContent(Heredoc& heredoc) {
  const uint32_t begins = line_;
  while (const auto line = TakeLine()) {
    std::string_view name = WithoutEnd(*line);
    if (heredoc.strips_tabs)
      name.remove_prefix(std::min(name.find_first_not_of('\t'), name.size()));
    if (name == heredoc.name) return {};
    heredoc.content += *line;
  }
  return Failure(Error::Invalid("the heredoc \"" + archive::Printable(heredoc.name) +
                                "\" does not end: no line after line " + std::to_string(begins) +
                                " is \"" + archive::Printable(heredoc.name) + "\""));
}

Result<std::optional<Heredoc>> ParseHeredoc(std::string_view word) {
  Heredoc heredoc;
  const size_t sign = word.find("<<");
  if (sign == std::string_view::npos) return std::nullopt;
  const std::string_view digits = word.substr(0, sign);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::string_view name = word.substr(sign + 2);
  heredoc.strips_tabs = name.starts_with('-');
  if (heredoc.strips_tabs) name.remove_prefix(1);
  name = TrimLeft(name);
  if (name.empty() || name.contains('<')) return std::nullopt;
  for (const char digit : digits) {
    heredoc.descriptor = heredoc.descriptor * 10 + static_cast<uint32_t>(digit - '0');
    if (heredoc.descriptor > 65'535) {
      return Failure(OverLimit("a heredoc's descriptor is over the maximum of 65535"));
    }
  }
  const Variables none;
  LexerOptions options{.keeps_unset = true};
  const auto words = TRY(Lexer(name, none, options, nullptr).Run()).words;
  if (words.size() != 1) return std::nullopt;
  options.keeps_quotes = true;
  const auto quoted = TRY(Lexer(name, none, options, nullptr).Run()).words;
  const auto quotes = [](const std::vector<std::string>& of) {
    return std::ranges::count_if(of.front(), [](char c) { return c == '\'' || c == '"'; });
  };
  if (quoted.size() != 1) return std::nullopt;
  heredoc.name = words.front();
  heredoc.expands = quotes(words) == quotes(quoted);
  return heredoc;
}

Result<std::vector<Heredoc>> HeredocsOf(std::string_view line) {
  const Variables none;
  const LexerOptions options{
      .keeps_quotes = true, .keeps_escapes = true, .keeps_unset = true, .joins_heredocs = true};
  // What the lexer does not understand is the shell's, and begins no heredoc.
  const auto lexed = Lexer(line, none, options, nullptr).Run();
  std::vector<Heredoc> heredocs;
  if (!lexed) return heredocs;
  for (const std::string& word : lexed->words) {
    auto heredoc = TRY(ParseHeredoc(word));
    if (!heredoc) continue;
    if (heredocs.size() == kMaxHeredocs) {
      return Failure(
          OverLimit("more than the maximum of " + std::to_string(kMaxHeredocs) + " heredocs"));
    }
    heredocs.push_back(*std::move(heredoc));
  }
  return heredocs;
}

}  // namespace cay::templates::dockerfile
