#include "build/packages/rules/npm_package.h"

#include <algorithm>
#include <array>

#include "build/packages/rules/asked_packages.h"
#include "build/packages/rules/words.h"
#include "json/json_value.h"
#include "json/json_writer.h"

namespace cay::build {
namespace {

constexpr size_t kMaxName = 214;  // of the registry's
constexpr size_t kMaxRange = 256;
constexpr JsonLimits kLockLimits{.depth = 16, .values = 400'000, .name_bytes = 4096};

bool IsNamePart(std::string_view text) {
  return !text.empty() && (IsLetterOrDigit(text.front()) || text.front() == '~') &&
         IsMadeOf(text, "._~-");
}

// "1", "1.2", "1.2.3-rc.1+build", "1.x", "*"; an optional "v" before it.
bool IsPartialVersion(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  const size_t release = std::min(text.find_first_of("-+"), text.size());
  const std::string_view suffix = text.substr(release);
  const auto parts = Split(text.substr(0, release), '.');
  if (parts.empty() || parts.size() > 3) return false;
  const bool good = std::ranges::all_of(parts, [](std::string_view part) {
    return part == "x" || part == "X" || part == "*" ||
           (!part.empty() && part.size() <= 16 && std::ranges::all_of(part, IsDigit));
  });
  if (!good || suffix.empty()) return good;
  return parts.size() == 3 && suffix.size() > 1 && IsMadeOf(suffix, ".+-");
}

bool IsComparator(std::string_view text) {
  for (const std::string_view operation : {">=", "<=", ">", "<", "=", "^", "~"}) {
    if (!text.starts_with(operation)) continue;
    text.remove_prefix(operation.size());
    break;
  }
  return IsPartialVersion(text);
}

bool IsTag(std::string_view text) {
  return !text.empty() && IsLetter(text.front()) && IsMadeOf(text, "._-");
}

// Comparators with spaces between them, or "A - B".
bool IsConjunction(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : Split(text, ' ')) {
    if (word.empty()) continue;
    // An operator may stand apart from its version.
    const bool joins =
        !words.empty() && words.back().find_first_not_of("<>=^~") == std::string::npos;
    if (joins) {
      words.back() += word;
    } else {
      words.emplace_back(word);
    }
  }
  if (words.size() == 3 && words[1] == "-")
    return IsPartialVersion(words[0]) && IsPartialVersion(words[2]);
  return std::ranges::all_of(words, [](const std::string& word) { return IsComparator(word); });
}

Result<void> ReadList(const JsonValue::Object& object, std::string_view list,
                      std::vector<NpmPackage>& into) {
  const auto found = std::ranges::find(object, list, &JsonMember::name);
  if (found == object.end() || found->value.is_null()) return {};
  const std::string where = "package.json: \"" + std::string(list) + "\"";
  const auto* members = found->value.AsObject();
  if (members == nullptr)
    return Failure(Error::Invalid(where + " is not an object of names and versions"));
  for (const JsonMember& member : *members) {
    const std::string* range = member.value.AsString();
    if (range == nullptr)
      return Failure(
          Error::Invalid(where + ": the version of " + Shown(member.name) + " is not a string"));
    const auto check = [&]() -> Result<void> {
      TRY(CheckNpmName(member.name));
      return CheckNpmRange(*range);
    };
    if (auto good = check(); !good) return Failure(std::move(good).error().WithContext(where));
    into.push_back({.name = member.name, .range = range->empty() ? "*" : *range});
  }
  return {};
}

// What is only repeated for a package-lock.json, and so never an error.
std::string WordOf(const JsonValue::Object& object, std::string_view name) {
  const auto found = std::ranges::find(object, name, &JsonMember::name);
  const std::string* text = found == object.end() ? nullptr : found->value.AsString();
  return text != nullptr && text->size() <= kMaxName ? *text : std::string();
}

void WriteList(JsonWriter& json, std::string_view list, const std::vector<NpmPackage>& packages) {
  if (packages.empty()) return;
  json.Key(list).BeginObject();
  for (const NpmPackage& package : packages) json.Member(package.name, package.range);
  json.EndObject();
}

Result<void> CheckLocked(const JsonMember& package) {
  const auto* members = package.value.AsObject();
  if (members == nullptr)
    return Failure(
        Error::Invalid("package-lock.json: " + Shown(package.name) + " is not an object"));
  for (const JsonMember& member : *members) {
    const bool* flag = member.value.AsBool();
    if (member.name == "link" && (flag == nullptr || *flag)) {
      return Failure(Error::Invalid("package-lock.json: " + Shown(package.name) +
                                    " is a link to a directory: packages are those of a registry"));
    }
    if (member.name != "resolved") continue;
    const std::string* url = member.value.AsString();
    if (url != nullptr && (url->starts_with("https://") || url->starts_with("http://"))) continue;
    return Failure(Error::Invalid("package-lock.json: " + Shown(package.name) + " comes from " +
                                  (url ? Shown(*url) : "what is no text") +
                                  ": packages are those of a registry"));
  }
  return {};
}

}  // namespace

Result<void> CheckNpmName(std::string_view name) {
  std::string_view rest = name;
  bool good = !name.empty() && name.size() <= kMaxName;
  if (rest.starts_with('@')) {
    const size_t slash = rest.find('/');
    good = good && slash != std::string_view::npos && IsNamePart(rest.substr(1, slash - 1));
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  }
  if (good && IsNamePart(rest)) return {};
  return Failure(NotAPackage(
      name,
      "a name of npm has letters, digits, \".\", \"_\", \"~\" and \"-\", at most 214, begins "
      "with a letter or digit, and may have a scope: @SCOPE/NAME"));
}

Result<void> CheckNpmRange(std::string_view range) {
  const auto refuse = [&](std::string_view why) {
    return Failure(Error::Invalid("the version " + Shown(range) + ": " + std::string(why)));
  };
  if (range.size() > kMaxRange) return refuse("it is too long");
  if (range.find_first_of(":/@#\\") != std::string_view::npos)
    return refuse("it names a place or another package: packages are those of the registry");
  if (range.empty() || range == "*" || IsTag(range)) return {};
  size_t at = 0;
  while (true) {
    const size_t end = range.find("||", at);
    if (!IsConjunction(range.substr(at, end == std::string_view::npos ? end : end - at)))
      return refuse("neither a range of versions nor a tag");
    if (end == std::string_view::npos) return {};
    at = end + 2;
  }
}

Result<NpmPackage> ParseNpmPackage(std::string_view text) {
  if (text.starts_with('-'))
    return Failure(NotAPackage(text, "it is an option, and not a package"));
  // The first byte is a scope's.
  const size_t at = text.find('@', 1);
  NpmPackage package{.name = std::string(text.substr(0, at)), .range = "*"};
  if (at != std::string_view::npos) package.range = text.substr(at + 1);
  if (package.range.empty()) return Failure(NotAPackage(text, "there is no version after \"@\""));
  TRY(CheckNpmName(package.name));
  TRY(CheckNpmRange(package.range));
  return package;
}

Result<PackageJson> ParsePackageJson(std::string_view text) {
  auto parsed = ParseJson(text);
  if (!parsed) return Failure(std::move(parsed).error().WithContext("package.json"));
  const auto* object = parsed->AsObject();
  if (object == nullptr) return Failure(Error::Invalid("package.json: it is not an object"));
  if (std::ranges::find(*object, "workspaces", &JsonMember::name) != object->end()) {
    return Failure(Error::Invalid(
        "package.json: \"workspaces\" names directories, and there are none beside it"));
  }
  PackageJson package{.name = WordOf(*object, "name"), .version = WordOf(*object, "version")};
  TRY(ReadList(*object, "dependencies", package.dependencies));
  TRY(ReadList(*object, "devDependencies", package.dev));
  TRY(ReadList(*object, "optionalDependencies", package.optional));
  TRY(ReadList(*object, "peerDependencies", package.peer));
  return package;
}

std::string PackageJson::Text() const {
  JsonWriter json;
  json.BeginObject();
  if (!name.empty()) json.Member("name", name);
  if (!version.empty()) json.Member("version", version);
  json.Member("private", true);
  WriteList(json, "dependencies", dependencies);
  WriteList(json, "devDependencies", dev);
  WriteList(json, "optionalDependencies", optional);
  WriteList(json, "peerDependencies", peer);
  json.EndObject();
  return std::move(json).Take() + "\n";
}

Result<void> CheckPackageLock(std::string_view text) {
  auto parsed = ParseJson(text, kLockLimits);
  if (!parsed) return Failure(std::move(parsed).error().WithContext("package-lock.json"));
  const auto* object = parsed->AsObject();
  if (object == nullptr) return Failure(Error::Invalid("package-lock.json: it is not an object"));
  const auto version = std::ranges::find(*object, "lockfileVersion", &JsonMember::name);
  const int64_t* number =
      version == object->end() ? nullptr : std::get_if<int64_t>(&version->value.value);
  if (number == nullptr || *number < 2 || *number > 3) {
    return Failure(Error::Invalid(
        "package-lock.json: its \"lockfileVersion\" is not 2 or 3: write it with npm 7 or newer"));
  }
  const auto packages = std::ranges::find(*object, "packages", &JsonMember::name);
  const auto* all = packages == object->end() ? nullptr : packages->value.AsObject();
  if (all == nullptr) return Failure(Error::Invalid("package-lock.json: it has no \"packages\""));
  for (const JsonMember& package : *all) TRY(CheckLocked(package));
  return {};
}

}  // namespace cay::build
