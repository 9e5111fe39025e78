#include "template/dockerfile/lexer.h"

#include "template/dockerfile/patterns/shell_pattern.h"
#include "template/dockerfile/spaces.h"

namespace cay::templates::dockerfile {
namespace {

Error OverLimit(std::string message) {
  return {ErrorCode::kLimitTooHigh, Fault::kCaller, std::move(message)};
}

bool IsNameLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

// The words of a text, as far as it was read.
class Lexer::Words {
 public:
  // Unquoted: a space ends a word.
  void Add(std::string_view text) {
    for (const char c : text) {
      if (!IsSpace(c)) {
        word_ += c;
      } else if (!word_.empty()) {
        words_.push_back(std::exchange(word_, {}));
      }
    }
  }
  void AddAsItIs(std::string_view text) { word_ += text; }

  std::vector<std::string> Take() && {
    if (!word_.empty()) words_.push_back(std::move(word_));
    return std::move(words_);
  }

 private:
  std::string word_{};
  std::vector<std::string> words_{};
};

Result<Lexed> Lexer::Run() { return Until(std::nullopt, options_.keeps_escapes); }

Result<void> Lexer::Append(std::string& text, std::string_view more) {
  if (text.size() + more.size() > kMaxExpandedWord) {
    return Failure(OverLimit("a word is over the maximum of " + std::to_string(kMaxExpandedWord) +
                             " bytes when its variables are replaced"));
  }
  if (more.size() + 1 > work_) return Failure(OverLimit("a word takes too long to expand"));
  work_ -= more.size() + 1;
  text += more;
  return {};
}

Result<Lexed> Lexer::Until(std::optional<char> stop, bool keeps_escapes) {
  const bool kept_escapes = std::exchange(options_.keeps_escapes, keeps_escapes);
  std::string text;
  Words words;
  while (!AtEnd()) {
    const char next = rest_.front();
    if (next == stop) {
      Take();
      options_.keeps_escapes = kept_escapes;
      return Lexed{.text = std::move(text), .words = std::move(words).Take()};
    }
    const bool is_quote = next == '\'' || next == '"';
    if (next == '$' || (is_quote && !options_.quotes_are_text)) {
      const std::string part = TRY(Special(next));
      TRY(Append(text, part));
      if (is_quote) words.AddAsItIs(part);
      if (!is_quote) words.Add(part);
    } else if (next == '<' && options_.joins_heredocs) {
      const std::string part = HeredocSign();
      TRY(Append(text, part));
      words.AddAsItIs(part);
    } else if (next == options_.escape) {
      std::string part(1, Take());
      if (!options_.keeps_escapes) part.clear();
      const bool ends = AtEnd();
      if (!ends) part += Take();
      TRY(Append(text, part));
      words.AddAsItIs(part);
    } else {
      const char c = Take();
      TRY(Append(text, {&c, 1}));
      words.Add({&c, 1});
    }
  }
  if (stop) {
    return Failure(Error::Invalid("\"${\" without the matching \"" + std::string(1, *stop) + "\""));
  }
  return Lexed{.text = std::move(text), .words = std::move(words).Take()};
}

Result<std::string> Lexer::Special(char which) {
  if (which == '$') return Dollar();
  return which == '\'' ? SingleQuoted() : DoubleQuoted();
}

std::string Lexer::HeredocSign() {
  std::string sign(1, Take());
  if (AtEnd() || rest_.front() != '<') return sign;
  sign += Take();
  while (!AtEnd() && IsSpace(rest_.front())) sign += Take();
  return sign;
}

Result<std::string> Lexer::SingleQuoted() {
  const size_t end = rest_.find('\'', 1);
  if (end == std::string_view::npos) {
    return Failure(Error::Invalid("a single quote (') without the matching one"));
  }
  std::string text;
  TRY(Append(text, options_.keeps_quotes ? rest_.substr(0, end + 1) : rest_.substr(1, end - 1)));
  rest_.remove_prefix(end + 1);
  return text;
}

Result<std::string> Lexer::DoubleQuoted() {
  std::string text;
  if (const char quote = Take(); options_.keeps_quotes) text += quote;
  while (!AtEnd()) {
    if (rest_.front() == '$') {
      const std::string value = TRY(Dollar());
      TRY(Append(text, value));
      continue;
    }
    char next = Take();
    if (next == '"') {
      if (options_.keeps_quotes) text += next;
      return text;
    }
    if (next == options_.escape) {
      if (options_.keeps_escapes) TRY(Append(text, {&next, 1}));
      if (AtEnd()) break;
      // Before all others the escape character is one as others.
      const char escaped = rest_.front();
      if (escaped == '"' || escaped == '$' || escaped == options_.escape) next = Take();
    }
    TRY(Append(text, {&next, 1}));
  }
  return Failure(Error::Invalid("a double quote (\") without the matching one"));
}

std::string Lexer::TakeName() {
  size_t length = 0;
  if (!AtEnd() && IsDigit(rest_.front())) {
    while (length < rest_.size() && IsDigit(rest_[length])) ++length;
  } else if (!AtEnd() && std::string_view("@*#?-$!").contains(rest_.front())) {
    length = 1;
  } else {
    while (length < rest_.size() && (IsNameLetter(rest_[length]) || IsDigit(rest_[length]))) {
      ++length;
    }
  }
  std::string name(rest_.substr(0, length));
  rest_.remove_prefix(length);
  return name;
}

const std::string* Lexer::Find(const std::string& name) {
  const std::string* value = variables_->Find(name);
  if (value == nullptr && unset_ != nullptr) unset_->insert(name);
  return value;
}

Result<std::string> Lexer::Dollar() {
  Take();
  if (!AtEnd() && rest_.front() == '{') {
    if (++depth_ > kMaxExpansionDepth) {
      return Failure(OverLimit("variables stand in variables over the maximum of " +
                               std::to_string(kMaxExpansionDepth)));
    }
    Take();
    auto value = Braced();
    --depth_;
    return value;
  }
  const std::string name = TakeName();
  if (name.empty()) return "$";
  const std::string* value = Find(name);
  if (value == nullptr) return options_.keeps_unset ? "$" + name : "";
  return *value;
}

// Behind "${".
Result<std::string> Lexer::Braced() {
  if (AtEnd()) return Failure(Error::Invalid("\"${\" without the matching \"}\""));
  if (std::string_view("{}:").contains(rest_.front())) {
    return Failure(Error::Invalid("\"${\" has to be followed by the name of a variable"));
  }
  const std::string name = TakeName();
  if (AtEnd()) return Failure(Error::Invalid("\"${\" without the matching \"}\""));
  char kind = Take();
  if (kind == '}') {
    const std::string* value = Find(name);
    if (value == nullptr) return options_.keeps_unset ? "${" + name + "}" : "";
    return *value;
  }
  if (kind == '/') return WithReplacement(name);
  std::string modifier(1, kind);
  if (kind == ':') {
    if (AtEnd()) return Failure(Error::Invalid("\"${\" without the matching \"}\""));
    kind = Take();
    modifier += kind;
  }
  if (!std::string_view("+-?#%").contains(kind)) {
    return Failure(Error::Invalid("\"${" + name + modifier +
                                  "\" is no way to replace a variable: of those there are \":-\", "
                                  "\":+\", \":?\", \"-\", \"+\", \"?\", \"#\", \"%\", \"/\""));
  }
  return WithModifier(name, std::move(modifier), kind);
}

Result<std::string> Lexer::WithModifier(const std::string& name, std::string modifier, char kind) {
  std::string word = TRY(Until('}', kind == '#' || kind == '%')).text;
  // Who says what to do without it knows that it may not be set.
  const bool expects_it = kind == '#' || kind == '%';
  const std::string* value = expects_it ? Find(name) : variables_->Find(name);
  if (value == nullptr && options_.keeps_unset) {
    return "${" + name + std::move(modifier) + word + "}";
  }
  const bool empty_counts = modifier.size() == 1;  // without ":"
  const bool counts = value != nullptr && (empty_counts || !value->empty());
  switch (kind) {
    case '-':
      return counts ? *value : word;
    case '+':
      return counts ? word : "";
    case '?':
      if (counts) return *value;
      if (word.empty()) word = value == nullptr ? "must be set" : "must not be empty";
      return Failure(Error::Invalid("the variable " + name + ": " + word));
    default:
      return WithPattern(std::move(word), kind, value == nullptr ? "" : *value);
  }
}

Result<std::string> Lexer::WithPattern(std::string word, char kind, const std::string& value) {
  const bool longest = word.starts_with(kind);
  if (longest) word.erase(0, 1);
  const ShellPattern pattern = TRY(ShellPattern::Parse(word));
  return kind == '#' ? pattern.WithoutPrefix(value, longest, work_)
                     : pattern.WithoutSuffix(value, longest, work_);
}

// Behind "${NAME/".
Result<std::string> Lexer::WithReplacement(const std::string& name) {
  const bool all = !AtEnd() && rest_.front() == '/';
  if (all) Take();
  const std::string word = TRY(Until('/', true)).text;
  const std::string replacement = TRY(Until('}', true)).text;
  const std::string* value = Find(name);
  if (value == nullptr && options_.keeps_unset) {
    return "${" + name + "/" + word + "/" + replacement + "}";
  }
  const ShellPattern pattern = TRY(ShellPattern::Parse(word));
  return pattern.Replace(value == nullptr ? "" : *value, replacement, all, kMaxExpandedWord, work_);
}

}  // namespace cay::templates::dockerfile
