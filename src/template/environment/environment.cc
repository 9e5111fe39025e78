#include "template/environment/environment.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "base/text.h"
#include "base/units.h"

namespace cay::templates {
namespace {

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// What can be a template's short name, or with `more` an image's reference.
bool IsName(std::string_view text, std::string_view more) {
  return !text.empty() && text.size() <= 64 && IsLetterOrDigit(text.front()) &&
         std::ranges::all_of(text, [&](char c) {
           return IsLetterOrDigit(c) || c == '.' || c == '_' || c == '-' || more.contains(c);
         });
}

bool IsAlias(std::string_view text) {
  // A single star would be every name.
  if (text.starts_with('*')) {
    text.remove_prefix(1);
    const size_t dashes = std::min(text.find_first_not_of("-._"), text.size());
    text.remove_prefix(dashes);
    return text.size() >= 4 && IsName(text, ":");
  }
  return IsName(text, ":/");
}

bool IsPreset(std::string_view text) {
  return IsName(text, "") && !text.contains('.') && !text.contains('_');
}

Error Bad(size_t line, const std::string& why) {
  return Error::Invalid("line " + std::to_string(line) + ": " + why);
}

struct HeadLine {
  std::string_view key;
  std::string_view value;
};

// Of "# KEY: VALUE"; nothing for a line of another kind.
std::optional<HeadLine> ReadHeadLine(std::string_view line) {
  if (!line.starts_with("# ")) return std::nullopt;
  line.remove_prefix(2);
  const size_t colon = line.find(": ");
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view key = line.substr(0, colon);
  if (!std::ranges::all_of(key, [](char c) { return c >= 'a' && c <= 'z'; })) return std::nullopt;
  return HeadLine{key, Trim(line.substr(colon + 2))};
}

using IsWord = bool (*)(std::string_view word);

Result<void> TakeWords(const HeadLine& head, size_t line, IsWord is_word,
                       std::vector<std::string>& words) {
  const std::string key(head.key);
  if (!words.empty()) return Failure(Bad(line, "there are " + key + " already"));
  for (const std::string_view word : Split(head.value, ' ')) {
    if (word.empty()) continue;
    if (!is_word(word))
      return Failure(Bad(line, "\"" + ToUtf8Lossy(word) + "\" cannot be one of " + key));
    if (words.size() == kMaxEnvironmentWords) {
      return Failure(
          Bad(line, "there are more than " + std::to_string(kMaxEnvironmentWords) + " " + key));
    }
    if (std::ranges::find(words, word) != words.end())
      return Failure(Bad(line, std::string(word) + " is there twice"));
    words.emplace_back(word);
  }
  return {};
}

Result<void> TakeTest(const HeadLine& head, size_t line, Environment& environment) {
  if (head.value.size() > kMaxEnvironmentTest) {
    return Failure(
        Bad(line, "a test is longer than " + std::to_string(kMaxEnvironmentTest) + " characters"));
  }
  if (environment.tests.size() == kMaxEnvironmentTests) {
    return Failure(
        Bad(line, "there are more than " + std::to_string(kMaxEnvironmentTests) + " tests"));
  }
  environment.tests.push_back(
      {.command = std::string(head.value), .optional = head.key == "optional"});
  return {};
}

Result<void> TakeHeadLine(const HeadLine& head, size_t line, Environment& environment) {
  if (head.value.empty()) return Failure(Bad(line, "there is nothing after the colon"));
  if (head.key == "aliases") return TakeWords(head, line, &IsAlias, environment.aliases);
  if (head.key == "network") return TakeWords(head, line, &IsPreset, environment.network);
  if (head.key == "needs") {
    return TakeWords(
        head, line, [](std::string_view word) { return IsName(word, ""); }, environment.needs);
  }
  if (head.key == "test" || head.key == "optional") return TakeTest(head, line, environment);
  return Failure(Bad(line, "the head of a recipe has no \"" + std::string(head.key) + "\""));
}

// Of tests, which are printed: what could be no line of text.
Result<void> CheckText(std::string_view text, size_t line) {
  const bool has_control = std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (has_control || !IsUtf8(text)) return Failure(Bad(line, "there is what is no text"));
  return {};
}

bool Stands(std::string_view alias, std::string_view name) {
  if (!alias.starts_with('*')) return alias == name;
  alias.remove_prefix(1);
  return name.size() > alias.size() && name.ends_with(alias) && !name.contains('/');
}

}  // namespace

Result<Environment> ParseEnvironment(std::string_view name, std::string_view text) {
  if (!IsName(name, "")) {
    return Failure(Error::Invalid("\"" + ToUtf8Lossy(name) +
                                  "\" cannot be the name of an environment: small letters, digits "
                                  "and . _ - after the first, at most 64"));
  }
  if (text.size() > kMaxRecipe)
    return Failure(Error::Invalid("the recipe is larger than " + HumanBytes(kMaxRecipe)));
  if (text.contains('\0')) return Failure(Error::Invalid("the recipe is no text"));
  Environment environment{
      .name = std::string(name), .summary = {}, .dockerfile = std::string(text)};
  size_t number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    const auto head = ReadHeadLine(line);
    if (number == 1) {
      if (!head || head->key != "environment" || head->value.empty())
        return Failure(Bad(1, "a recipe begins with \"# environment: \" and what it is"));
      if (head->value.size() > kMaxEnvironmentSummary) {
        return Failure(Bad(
            1, "what it is takes more than " + std::to_string(kMaxEnvironmentSummary) + " bytes"));
      }
      environment.summary = head->value;
    }
    if (!line.starts_with('#')) break;
    if (!head) {
      return Failure(Bad(number,
                         "the head of a recipe has lines as \"# KEY: VALUE\" (a comment stands "
                         "below an empty line)"));
    }
    TRY(CheckText(line, number));
    if (number > 1) TRY(TakeHeadLine(*head, number, environment));
  }
  if (number == 0) return Failure(Error::Invalid("the recipe is empty"));
  return environment;
}

Result<Environments> Environments::Of(std::vector<Environment> list, const Environments* below) {
  Environments all;
  for (Environment& one : list) {
    std::vector<std::string> names = one.aliases;
    names.push_back(one.name);
    for (const Environment& other : all.list_) {
      for (const std::string& name : names) {
        if (other.name != name && std::ranges::find(other.aliases, name) == other.aliases.end())
          continue;
        return Failure(Error::Invalid("the environments " + other.name + " and " + one.name +
                                      " are both called " + name));
      }
    }
    all.list_.push_back(std::move(one));
  }
  std::ranges::sort(all.list_, {}, &Environment::name);
  if (below == nullptr) return all;
  for (const Environment& one : below->list_) {
    if (std::ranges::find(all.list_, one.name, &Environment::name) == all.list_.end())
      all.list_.push_back(one);
  }
  return all;
}

Error NotBuilt(std::string_view name, const Environment& environment) {
  const std::string called = name == environment.name ? "" : " (\"" + ToUtf8Lossy(name) + "\")";
  return Error(ErrorCode::kNotFound, Fault::kCaller,
               "the environment " + environment.name + called + " is not built here")
      .WithRemedy("build it: " + Remedy(Action::kBuildEnvironment, environment.name));
}

const Environment* Environments::Find(std::string_view name) const {
  if (const auto found = std::ranges::find(list_, name, &Environment::name); found != list_.end())
    return &*found;
  const std::string latest =
      std::string(name) + (name.contains(':') || name.contains('@') ? "" : ":latest");
  for (const Environment& one : list_) {
    const bool is_called_so = std::ranges::any_of(one.aliases, [&](std::string_view alias) {
      return Stands(alias, name) || Stands(alias, latest);
    });
    if (is_called_so) return &one;
  }
  return nullptr;
}

}  // namespace cay::templates
