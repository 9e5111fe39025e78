#include "api/rest/legacy_environment.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/text.h"

namespace cay::api::rest {
namespace {

struct Language {
  std::string_view name;
  const char* program;
};
constexpr std::array kLanguages = {
    Language{"nodejs", "node"},     Language{"node", "node"}, Language{"python", "python3"},
    Language{"python3", "python3"}, Language{"ruby", "ruby"}, Language{"perl", "perl"},
    Language{"php", "php"},         Language{"go", "go"},     Language{"golang", "go"},
};

bool IsVersion(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) != 0 &&
         std::ranges::all_of(text,
                             [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; });
}

bool IsTemplateName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '.' || c == '_' || c == '-';
  });
}

Error NotInstalled(const std::string& name, const std::string& found) {
  std::string remedy = "install it: cay template import NAME ROOTFS.tar";
  if (IsTemplateName(name)) {
    remedy = "install it: cay template import " + name + " " + name +
             ".tar (a root filesystem: " + "docker export makes one)";
  }
  return Error(ErrorCode::kNotFound, Fault::kCaller,
               "the environment \"" + name + "\" is not installed" + found)
      .WithRemedy(std::move(remedy));
}

}  // namespace

std::optional<LanguageVersion> ParseEnvironment(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const std::string_view version = name.substr(dash + 1);
  if (!IsVersion(version)) return std::nullopt;
  return LanguageVersion{std::string(name.substr(0, dash)), std::string(version)};
}

bool VersionMatches(std::string_view actual, std::string_view wanted) {
  const auto have = Split(actual, '.');
  const auto want = Split(wanted, '.');
  return want.size() <= have.size() && std::equal(want.begin(), want.end(), have.begin());
}

Result<std::string> TemplateOfEnvironment(const std::string& name,
                                          const std::vector<std::string>& templates,
                                          const VersionOf& version_of) {
  if (name.empty() || std::ranges::find(templates, name) != templates.end()) return name;
  std::string found;
  const auto wanted = ParseEnvironment(name);
  const auto* language =
      wanted ? std::ranges::find(kLanguages, wanted->language, &Language::name) : kLanguages.end();
  if (language != kLanguages.end()) {
    const auto version = TRY(version_of(language->program));
    if (version && VersionMatches(*version, wanted->version)) return std::string("host");
    found = version ? "; this machine has " + std::string(language->program) + " " + *version
                    : "; this machine has no " + std::string(language->program);
  }
  return Failure(NotInstalled(name, found));
}

}  // namespace cay::api::rest
