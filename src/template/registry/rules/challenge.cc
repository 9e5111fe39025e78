#include "template/registry/rules/challenge.h"

#include <algorithm>

#include "base/text.h"

namespace cay::templates::registry {
namespace {

Error NotAChallenge(std::string_view why) {
  return {ErrorCode::kProtocol, Fault::kMachine,
          "the registry asks for credentials in a way that makes no sense: " + std::string(why)};
}

// RFC 9110, 5.6.2.
bool IsTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : rest_(text) {}

  Result<std::vector<Challenge>> Read();

 private:
  bool Skip(std::string_view characters) {
    const size_t size = std::min(rest_.find_first_not_of(characters), rest_.size());
    rest_.remove_prefix(size);
    return size > 0;
  }
  std::string_view Token() {
    const auto end = std::ranges::find_if_not(rest_, IsTokenChar);
    const auto token = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
    rest_.remove_prefix(token.size());
    return token;
  }
  Result<std::string> Value();
  // Whether a parameter begins here, and not the next challenge.
  bool AtParameter() const;
  Result<void> ReadParameters(Challenge& challenge);

  std::string_view rest_;
};

bool FieldReader::AtParameter() const {
  FieldReader ahead(rest_);
  if (ahead.Token().empty()) return false;
  ahead.Skip(" \t");
  if (!ahead.rest_.starts_with('=')) return false;
  // "abc=" and "abc==" at the end of a challenge are a token68.
  ahead.Skip("=");
  ahead.Skip(" \t");
  return !ahead.rest_.empty() && ahead.rest_.front() != ',';
}

Result<std::string> FieldReader::Value() {
  if (!rest_.starts_with('"')) {
    const std::string_view token = Token();
    if (token.empty()) return Failure(NotAChallenge("a parameter has no value"));
    return std::string(token);
  }
  std::string value;
  for (size_t i = 1; i < rest_.size(); ++i) {
    if (rest_[i] == '"') {
      rest_.remove_prefix(i + 1);
      return value;
    }
    if (rest_[i] == '\\') ++i;
    if (i == rest_.size()) break;
    if (value.size() == Challenge::kMaxValue) return Failure(NotAChallenge("a value is too long"));
    value += rest_[i];
  }
  return Failure(NotAChallenge("a quote is not closed"));
}

Result<void> FieldReader::ReadParameters(Challenge& challenge) {
  while (AtParameter()) {
    const std::string name = Lower(Token());
    Skip(" \t");
    rest_.remove_prefix(1);
    Skip(" \t");
    std::string value = TRY(Value());
    if (challenge.parameters.size() == Challenge::kMaxParameters)
      return Failure(NotAChallenge("it has too many parameters"));
    if (!challenge.parameters.emplace(name, std::move(value)).second)
      return Failure(NotAChallenge("it has a parameter twice"));
    Skip(" \t");
    if (!rest_.empty() && rest_.front() != ',')
      return Failure(NotAChallenge("there is no comma between two parameters"));
    Skip(" \t,");
  }
  return {};
}

Result<std::vector<Challenge>> FieldReader::Read() {
  std::vector<Challenge> challenges;
  for (Skip(" \t,"); !rest_.empty(); Skip(" \t,")) {
    if (challenges.size() == Challenge::kMaxChallenges)
      return Failure(NotAChallenge("it has too many challenges"));
    const std::string_view scheme = Token();
    if (scheme.empty()) return Failure(NotAChallenge("a scheme has no name"));
    Challenge challenge{.scheme = Lower(scheme)};
    const bool has_space = Skip(" \t");
    if (has_space && AtParameter()) {
      TRY(ReadParameters(challenge));
    } else if (has_space) {
      // A token68, of which no scheme that is answered here makes use.
      rest_.remove_prefix(std::min(rest_.find(','), rest_.size()));
    } else if (!rest_.empty() && rest_.front() != ',') {
      return Failure(NotAChallenge("a scheme has a character that none has"));
    }
    challenges.push_back(std::move(challenge));
  }
  return challenges;
}

}  // namespace

std::string Challenge::Parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

Result<std::vector<Challenge>> ParseChallenges(std::string_view field) {
  return FieldReader(field).Read();
}

Result<std::vector<Challenge>> ChallengesOf(const http::Headers& headers) {
  std::vector<Challenge> all;
  for (const auto& [name, value] : headers.fields()) {
    if (!EqualsIgnoringCase(name, "WWW-Authenticate")) continue;
    for (Challenge& one : TRY(ParseChallenges(value))) all.push_back(std::move(one));
    if (all.size() > Challenge::kMaxChallenges)
      return Failure(NotAChallenge("it has too many challenges"));
  }
  return all;
}

const Challenge* FindChallenge(const std::vector<Challenge>& challenges, std::string_view scheme) {
  const auto found = std::ranges::find(challenges, scheme, &Challenge::scheme);
  return found == challenges.end() ? nullptr : &*found;
}

}  // namespace cay::templates::registry
