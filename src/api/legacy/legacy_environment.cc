#include "api/legacy/legacy_environment.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/text.h"
#include "template/store/template_name.h"

namespace cay::api::rest {
namespace {

// What a language is called, in small letters, and the program that it is on this machine. The
// first name of a program is the one that others are written as.
struct Language {
  std::string_view name;
  const char* program;
};
constexpr std::array kLanguages = {
    Language{"python", "python3"}, Language{"python3", "python3"}, Language{"py", "python3"},
    Language{"nodejs", "node"},    Language{"node", "node"},       Language{"node.js", "node"},
    Language{"ruby", "ruby"},      Language{"perl", "perl"},       Language{"php", "php"},
    Language{"go", "go"},          Language{"golang", "go"},
};

bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool IsSeparator(char c) { return c == '-' || c == '_' || c == ':' || c == ' ' || c == '@'; }

bool IsVersion(std::string_view text) {
  return !text.empty() && IsDigit(text.front()) && IsDigit(text.back()) &&
         std::ranges::all_of(text, [](char c) { return IsDigit(c) || c == '.'; });
}

const Language* FindLanguage(std::string_view name) {
  const auto* found = std::ranges::find(kLanguages, name, &Language::name);
  return found == kLanguages.end() ? nullptr : found;
}

// "311" of Python is 3.11: its versions have been written without the dot for as long as wheels
// have their names.
std::string WithDots(std::string_view program, std::string_view version) {
  const bool packed = program == "python3" && version.size() > 1 && version.front() == '3' &&
                      version.find('.') == std::string_view::npos;
  return packed ? "3." + std::string(version.substr(1)) : std::string(version);
}

// A known language and a version of it, however they are written; the version is empty where none
// was.
struct Environment {
  const Language* language;
  std::string version;

  bool operator==(const Environment& other) const {
    return std::string_view(language->program) == other.language->program &&
           version == other.version;
  }
};

std::optional<Environment> Known(std::string_view text) {
  const std::string name = Lower(text);
  if (const Language* language = FindLanguage(name)) {
    // "python3" is a language, and a version of one.
    return Environment{language, IsDigit(name.back()) ? name.substr(name.size() - 1) : ""};
  }
  const auto parts = ParseEnvironment(name);
  const Language* language = parts ? FindLanguage(parts->language) : nullptr;
  if (language == nullptr) return std::nullopt;
  return Environment{language, WithDots(language->program, parts->version)};
}

// The one name of an environment: that of its template, when it is imported.
std::string NameOf(const Environment& environment) {
  const auto* first = std::ranges::find_if(kLanguages, [&](const Language& language) {
    return std::string_view(language.program) == environment.language->program;
  });
  return std::string(first->name) + (environment.version.empty() ? "" : "-" + environment.version);
}

// What is built as an environment of that name, however it is spelled.
const templates::Environment* RecipeOf(const std::string& name,
                                       const std::optional<Environment>& known,
                                       const templates::Environments& environments) {
  const templates::Environment* recipe = environments.Find(Lower(name));
  return recipe == nullptr && known ? environments.Find(NameOf(*known)) : recipe;
}

Error NotInstalled(const std::string& name, const std::optional<Environment>& known,
                   const std::string& found, const templates::Environment* recipe) {
  const std::string as = templates::IsShortName(name) || !known ? name : NameOf(*known);
  const std::string called = templates::IsShortName(as) ? as : "NAME";
  if (recipe != nullptr) {
    return Error(ErrorCode::kNotFound, Fault::kCaller,
                 "the environment \"" + name + "\" is not built" + found)
        .WithRemedy("build it: " + Remedy(Action::kBuildEnvironment, recipe->name));
  }
  Remedy remedy = "import it from a root filesystem (docker export makes one): " +
                  Remedy(Action::kImportTemplate, called);
  return Error(ErrorCode::kNotFound, Fault::kCaller,
               "the environment \"" + name + "\" is not installed" + found)
      .WithRemedy(std::move(remedy));
}

}  // namespace

std::optional<LanguageVersion> ParseEnvironment(std::string_view name) {
  size_t begin = name.size();
  while (begin > 0 && (IsDigit(name[begin - 1]) || name[begin - 1] == '.')) --begin;
  // Of "node.js18" and "a..1" the dot is the name's.
  while (begin < name.size() && name[begin] == '.') ++begin;
  const std::string_view version = name.substr(begin);
  std::string_view language = name.substr(0, begin);
  if (language.size() > 1 && language.ends_with('v') && IsSeparator(language[language.size() - 2]))
    language.remove_suffix(1);
  if (!language.empty() && IsSeparator(language.back())) language.remove_suffix(1);
  if (language.empty() || !IsVersion(version)) return std::nullopt;
  return LanguageVersion{std::string(language), std::string(version)};
}

std::string ProgramOfEnvironment(std::string_view name) {
  const auto known = Known(name);
  return known ? std::string(known->language->program) : std::string();
}

bool VersionMatches(std::string_view actual, std::string_view wanted) {
  const auto have = Split(actual, '.');
  const auto want = Split(wanted, '.');
  return want.size() <= have.size() && std::equal(want.begin(), want.end(), have.begin());
}

Result<std::string> TemplateOfEnvironment(const std::string& name,
                                          const std::vector<std::string>& templates,
                                          const VersionOf& version_of,
                                          const templates::Environments& environments) {
  if (name.empty() || std::ranges::find(templates, name) != templates.end()) return name;
  const auto wanted = Known(name);
  for (const std::string& one : templates) {
    if (wanted && Known(one) == wanted) return one;
  }
  const templates::Environment* recipe = RecipeOf(name, wanted, environments);
  if (recipe != nullptr && std::ranges::find(templates, recipe->name) != templates.end())
    return recipe->name;
  if (!wanted) return Failure(NotInstalled(name, wanted, "", recipe));
  const std::string program = wanted->language->program;
  const auto version = TRY(version_of(program));
  const bool fits =
      version && (wanted->version.empty() || VersionMatches(*version, wanted->version));
  if (fits) return std::string("host");
  return Failure(NotInstalled(name, wanted,
                              version ? "; this machine has " + program + " " + *version
                                      : "; this machine has no " + program,
                              recipe));
}

}  // namespace cay::api::rest
