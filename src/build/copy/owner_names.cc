#include "build/copy/owner_names.h"

#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "archive/byte_stream.h"
#include "archive/safe_path.h"
#include "base/text.h"

namespace cay::build {
namespace {

constexpr uint32_t kMaxOwner = 65'535;
constexpr std::string_view kUsers = "/etc/passwd";
constexpr std::string_view kGroups = "/etc/group";

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<uint32_t> NumberOf(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number <= kMaxOwner) {
    return number;
  }
  return Failure(Error::Invalid("the owner \"" + archive::Printable(text) +
                                "\" is over 65535: no layer keeps such a one"));
}

// Nothing when it is not there.
Result<std::optional<std::string>> ReadInside(FileTree& tree, std::string_view path) {
  const Place place = TRY(tree.Resolve(path));
  if (place.kind == Place::Kind::kNothing) return std::optional<std::string>();
  if (place.kind != Place::Kind::kFile) {
    return Failure(Error::Impossible(std::string(path) + " of the layers below is no file"));
  }
  const Fd file = TRY(FileTree::OpenFile(place));
  archive::FdSource source(file);
  std::string text;
  std::vector<char> buffer(64 * 1024);
  while (const size_t got = TRY(source.Read(buffer))) {
    text.append(buffer.data(), got);
    if (text.size() > kMaxPasswdBytes) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           std::string(path) + " of the layers below is larger than " +
                               HumanBytes(kMaxPasswdBytes)));
    }
  }
  return std::optional(std::move(text));
}

// The fields of the first line that begins with "NAME:" and has `count` of them at least.
Result<std::vector<std::string>> Find(FileTree& tree, std::string_view path, std::string_view name,
                                      size_t count) {
  const std::optional<std::string> text = TRY(ReadInside(tree, path));
  const std::string_view all = text ? std::string_view(*text) : std::string_view();
  for (const std::string_view line : Split(all, '\n')) {
    if (!line.starts_with(name) || !line.substr(name.size()).starts_with(':')) continue;
    const std::vector<std::string_view> fields = Split(line, ':');
    if (fields.size() >= count) return std::vector<std::string>(fields.begin(), fields.end());
  }
  const std::string_view what = path == kUsers ? "user" : "group";
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "there is no " + std::string(what) + " \"" + archive::Printable(name) +
                           "\" in " + std::string(path) + (text ? "" : ", which is not there"))
                     .WithRemedy("make it in a step before, or give its number"));
}

Result<uint32_t> FieldNumber(const std::string& field, std::string_view path) {
  if (IsNumber(field)) return NumberOf(field);
  return Failure(Error::Invalid(std::string(path) + " of the layers below has \"" +
                                archive::Printable(field) + "\" where a number was expected"));
}

Result<Owner> UserOf(FileTree& tree, std::string_view user) {
  if (user.empty() || user == "root") return Owner{};
  if (IsNumber(user)) {
    const uint32_t number = TRY(NumberOf(user));
    return Owner{.uid = number, .gid = number};
  }
  const std::vector<std::string> fields = TRY(Find(tree, kUsers, user, 4));
  Owner owner;
  owner.uid = TRY(FieldNumber(fields[2], kUsers));
  owner.gid = TRY(FieldNumber(fields[3], kUsers));
  return owner;
}

Result<uint32_t> GroupOf(FileTree& tree, std::string_view group) {
  if (group == "root") return 0;
  if (IsNumber(group)) return NumberOf(group);
  const std::vector<std::string> fields = TRY(Find(tree, kGroups, group, 3));
  return FieldNumber(fields[2], kGroups);
}

}  // namespace

Result<Owner> ResolveOwner(FileTree& tree, std::string_view text) {
  const size_t colon = text.find(':');
  Owner owner = TRY(UserOf(tree, text.substr(0, colon)));
  if (colon == std::string_view::npos || colon + 1 == text.size()) return owner;
  owner.gid = TRY(GroupOf(tree, text.substr(colon + 1)));
  return owner;
}

Result<bool> DirectoryExists(FileTree& tree, std::string_view path) {
  return TRY(tree.Resolve(path)).kind == Place::Kind::kDirectory;
}

}  // namespace cay::build
