#include "template/dockerfile/copy_parse.h"

#include <algorithm>
#include <array>

#include "archive/safe_path.h"
#include "base/text.h"
#include "template/dockerfile/patterns/ignore.h"
#include "template/dockerfile/source_lines.h"
#include "template/dockerfile/words.h"
#include "template/oci/digest.h"

namespace cay::templates::dockerfile {
namespace {

Error BadFrom(std::string_view from) {
  return Error::Invalid(
      "variables are not replaced in --from: give the image a stage of its own, \"FROM " +
      archive::Printable(from) + " AS NAME\"");
}

// Sources and destination.
Result<FilesToCopy> ReadPaths(const Flags& flags, std::string_view rest,
                              const std::vector<Heredoc>& heredocs) {
  auto json = TRY(JsonWords(rest));
  const bool is_json = json.has_value();
  std::vector<std::string> words;
  if (is_json) words = *std::move(json);
  if (!is_json) words = TRY(SplitAtSpaces(rest));
  if (words.size() < 2) {
    return Failure(Error::Invalid("at least one source and the destination were expected"));
  }
  FilesToCopy files{.destination = std::move(words.back()),
                    .chown = flags.Text("chown"),
                    .chmod = flags.Text("chmod"),
                    .link = flags.Bool("link").value_or(false),
                    .excludes = flags.Texts("exclude")};
  words.pop_back();
  if (!is_json && TRY(ParseHeredoc(files.destination))) {
    return Failure(Error::Invalid("the destination cannot be a heredoc"));
  }
  for (std::string& word : words) {
    const auto sign = is_json ? std::nullopt : TRY(ParseHeredoc(word));
    if (!sign) {
      files.sources.push_back(std::move(word));
      continue;
    }
    const auto found = std::ranges::find(heredocs, sign->name, &Heredoc::name);
    if (found == heredocs.end()) {
      return Failure(
          Error::Invalid("the heredoc \"" + archive::Printable(word) + "\" has no content"));
    }
    files.heredocs.push_back(*found);
  }
  return files;
}

bool IsUrl(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://") ||
         source.starts_with("git://") || source.starts_with("ssh://") || source.starts_with("git@");
}

// "0755", "u=rwX,go=rX".
bool IsMode(std::string_view mode) {
  constexpr std::string_view kOctal = "01234567";
  if (mode.find_first_not_of(kOctal) == std::string_view::npos) {
    mode.remove_prefix(std::min(mode.find_first_not_of('0'), mode.size()));
    return mode.size() <= 4;
  }
  return std::ranges::all_of(Split(mode, ','), [](std::string_view clause) {
    clause.remove_prefix(std::min(clause.find_first_not_of("ugoa"), clause.size()));
    if (clause.empty() || !std::string_view("+-=").contains(clause.front())) return false;
    return clause.find_first_not_of("rwxXst", 1) == std::string_view::npos;
  });
}

Result<void> CheckFiles(const FilesToCopy& files) {
  for (const std::string& source : files.sources) {
    if (source.empty()) return Failure(Error::Invalid("a source is empty"));
    if (!IsUrl(source)) TRY(Glob::Parse(source, Glob::Kind::kComponents));
  }
  if (!files.chmod.empty() && !IsMode(files.chmod)) {
    return Failure(Error::Invalid("--chmod is as \"0644\" or \"u=rwX,go=rX\", not \"" +
                                  archive::Printable(files.chmod) + "\""));
  }
  if (auto excludes = IgnorePatterns::Of(files.excludes); !excludes) {
    return Failure(std::move(excludes).error().WithContext("--exclude"));
  }
  return {};
}

}  // namespace

Result<Instruction::Value> ParseCopy(const std::vector<std::string>& flags, std::string_view rest,
                                     const std::vector<Heredoc>& heredocs) {
  constexpr std::array<FlagRule, 6> kFlags = {{{"from", FlagKind::kText},
                                               {"chown", FlagKind::kText},
                                               {"chmod", FlagKind::kText},
                                               {"link", FlagKind::kBool},
                                               {"exclude", FlagKind::kTexts},
                                               {"parents", FlagKind::kBool}}};
  const Flags read = TRY(Flags::Of(flags, kFlags));
  Copy copy{.from = read.Text("from"), .parents = read.Bool("parents").value_or(false)};
  if (copy.from.contains('$')) return Failure(BadFrom(copy.from));
  copy.files = TRY(ReadPaths(read, rest, heredocs));
  return copy;
}

Result<Instruction::Value> ParseAdd(const std::vector<std::string>& flags, std::string_view rest,
                                    const std::vector<Heredoc>& heredocs) {
  constexpr std::array<FlagRule, 7> kFlags = {{{"chown", FlagKind::kText},
                                               {"chmod", FlagKind::kText},
                                               {"link", FlagKind::kBool},
                                               {"exclude", FlagKind::kTexts},
                                               {"checksum", FlagKind::kText},
                                               {"keep-git-dir", FlagKind::kBool},
                                               {"unpack", FlagKind::kBool}}};
  const Flags read = TRY(Flags::Of(flags, kFlags));
  Add add{.checksum = read.Text("checksum"),
          .keep_git_dir = read.Bool("keep-git-dir").value_or(false),
          .unpack = read.Bool("unpack")};
  add.files = TRY(ReadPaths(read, rest, heredocs));
  return add;
}

Result<void> CheckCopy(const Copy& copy) {
  for (const std::string& source : copy.files.sources) {
    if (IsUrl(source)) {
      // Not repeated: it may have a password in it.
      return Failure(Error::Invalid("a URL is no path: ADD fetches, COPY does not"));
    }
  }
  return CheckFiles(copy.files);
}

Result<void> CheckAdd(const Add& add) {
  if (!add.checksum.empty()) {
    if (add.files.sources.size() != 1 || !add.files.heredocs.empty()) {
      return Failure(Error::Invalid("--checksum is for one source"));
    }
    const bool is_commit = !add.checksum.contains(':');  // of a git source
    if (is_commit && add.checksum.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return Failure(Error::Invalid("--checksum is a digest, or the name of a commit, not \"" +
                                    archive::Printable(add.checksum) + "\""));
    }
    if (is_commit) return CheckFiles(add.files);
    auto digest = oci::Digest::Parse(add.checksum);
    if (!digest) return Failure(std::move(digest).error().WithContext("--checksum"));
  }
  return CheckFiles(add.files);
}

}  // namespace cay::templates::dockerfile
