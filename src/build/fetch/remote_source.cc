#include "build/fetch/remote_source.h"

#include <algorithm>
#include <array>
#include <utility>

#include "archive/safe_path.h"
#include "base/encoding.h"
#include "base/text.h"
#include "base/units.h"

namespace cay::build {
namespace {

constexpr size_t kMaxRef = 255;
constexpr std::string_view kHex = "0123456789abcdef";

int HexValue(char digit) {
  const char lower = digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit;
  const size_t value = kHex.find(lower);
  return value == std::string_view::npos ? -1 : static_cast<int>(value);
}

// RFC 3986, 2.1. An escape that is none stays as it is.
std::string Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : HexValue(text[i + 2]);
    if (low < 0) {
      decoded.push_back(text[i]);
      continue;
    }
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

// A URL in its parts, all as they were written.
struct Parts {
  std::string scheme;
  std::string user;  // with its password
  std::string host;  // with its port
  std::string path;
  std::string query;
  std::string fragment;

  std::string Shown() const { return archive::Printable(scheme + "://" + host + path); }
};

std::string TakeAfter(std::string& text, char sign) {
  const size_t at = text.find(sign);
  if (at == std::string::npos) return {};
  std::string rest = text.substr(at + 1);
  text.resize(at);
  return rest;
}

Parts PartsOf(std::string_view url) {
  const size_t scheme = url.find("://");
  Parts parts;
  parts.scheme = url.substr(0, scheme);
  std::string rest(url.substr(scheme + 3));
  parts.fragment = TakeAfter(rest, '#');
  parts.query = TakeAfter(rest, '?');
  const size_t path = std::min(rest.find('/'), rest.size());
  parts.path = rest.substr(path);
  rest.resize(path);
  const size_t at = rest.rfind('@');
  if (at != std::string::npos) parts.user = rest.substr(0, at);
  parts.host = at == std::string::npos ? std::move(rest) : rest.substr(at + 1);
  return parts;
}

// RFC 7617.
std::string AuthorizationOf(const std::string& user) {
  if (user.empty()) return {};
  const size_t colon = user.find(':');
  const std::string name = Decode(std::string_view(user).substr(0, colon));
  const std::string password =
      colon == std::string::npos ? "" : Decode(std::string_view(user).substr(colon + 1));
  return "Basic " + EncodeBase64(name + ":" + password);
}

Failure Wrong(const std::string& shown, const std::string& why) {
  return Failure(Error::Invalid(shown + ": " + why));
}

Failure NoSsh(const std::string& shown) {
  return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                       "ADD of " + shown +
                           ": repositories are not fetched over SSH, since a build has no keys")
                     .WithRemedy("name it by https://, with a user and token where it needs them"));
}

Result<http::Location> LocationOf(const Parts& parts) {
  std::string text = parts.scheme + "://" + parts.host + parts.path;
  if (!parts.query.empty()) text += "?" + parts.query;
  auto where = http::Location::Parse(text);
  if (!where) return Wrong(parts.Shown(), where.error().message());
  return where;
}

std::string LastComponent(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  std::string name = path.substr(path.rfind('/') + 1);
  return name == "." || name == ".." ? "" : name;
}

Result<RemoteSource> FileOf(const Parts& parts) {
  return RemoteFile{.where = TRY(LocationOf(parts)),
                    .name = LastComponent(Decode(parts.path)),
                    .authorization = AuthorizationOf(parts.user),
                    .shown = parts.Shown()};
}

// git-check-ref-format(1), and nothing that git-ls-remote(1) takes for a pattern.
bool IsRef(std::string_view ref) {
  const auto is_wrong = [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ||
           std::string_view("*?[\\~^:").contains(c);
  };
  if (ref.size() > kMaxRef || ref.contains("..") || ref.contains("@{") || ref.contains("//"))
    return false;
  return !ref.starts_with('-') && !ref.starts_with('/') && !ref.ends_with('/') &&
         !ref.ends_with('.') && !std::ranges::any_of(ref, is_wrong);
}

Result<bool> FlagOf(const std::string& shown, const std::string& name, const std::string& value) {
  if (value.empty() || value == "1" || value == "true") return true;
  if (value == "0" || value == "false") return false;
  return Wrong(shown, "\"" + name + "\" is true or false");
}

// One that may be said twice, if it says the same.
Result<void> SetOnce(const std::string& shown, std::string_view what, std::string value,
                     std::string& into) {
  if (value.empty()) return Wrong(shown, "\"" + std::string(what) + "\" has no value");
  if (!into.empty() && into != value)
    return Wrong(shown, "it says \"" + std::string(what) + "\" twice, and each time another");
  into = std::move(value);
  return {};
}

std::string Below(std::string_view prefix, const std::string& name) {
  return name.empty() || name.starts_with(prefix) ? name : std::string(prefix) + name;
}

Result<void> TakeQuery(const Parts& parts, RemoteTree& tree) {
  const std::string shown = parts.Shown();
  if (parts.query.empty()) return {};
  for (const std::string_view one : Split(parts.query, '&')) {
    const size_t equals = std::min(one.find('='), one.size());
    const std::string name = Decode(one.substr(0, equals));
    std::string value = equals < one.size() ? Decode(one.substr(equals + 1)) : "";
    if (name == "ref") {
      TRY(SetOnce(shown, "ref", std::move(value), tree.ref));
    } else if (name == "tag") {
      TRY(SetOnce(shown, "ref", Below("refs/tags/", value), tree.ref));
    } else if (name == "branch") {
      TRY(SetOnce(shown, "ref", Below("refs/heads/", value), tree.ref));
    } else if (name == "subdir") {
      TRY(SetOnce(shown, "subdir", std::move(value), tree.subdirectory));
    } else if (name == "checksum" || name == "commit") {
      TRY(SetOnce(shown, "checksum", std::move(value), tree.checksum));
    } else if (name == "keep-git-dir") {
      tree.keep_git_dir = TRY(FlagOf(shown, name, value));
    } else if (name == "submodules") {
      tree.submodules = TRY(FlagOf(shown, name, value));
    } else {
      return Wrong(shown, "of a repository, \"" + archive::Printable(name) +
                              "\" is nothing that can be asked: there are ref, tag, branch, "
                              "subdir, checksum, keep-git-dir and submodules");
    }
  }
  return {};
}

Result<RemoteSource> TreeOf(const Parts& parts) {
  RemoteTree tree{.shown = parts.Shown()};
  if (parts.fragment.starts_with('#'))
    return Wrong(tree.shown, "after \"#\", REF:DIRECTORY is expected");
  std::string ref = parts.fragment;
  tree.subdirectory = Decode(TakeAfter(ref, ':'));
  tree.ref = Decode(ref);
  TRY(TakeQuery(parts, tree));
  if (tree.checksum.find_first_not_of(kHex) != std::string::npos)
    return Wrong(tree.shown, "\"checksum\" is the name of a commit, in hexadecimal digits");
  if (tree.ref.empty()) tree.ref = tree.checksum;
  if (!IsRef(tree.ref)) {
    return Wrong(tree.shown, "\"" + archive::Printable(tree.ref) + "\" is no branch or tag");
  }
  while (tree.subdirectory.starts_with('/')) tree.subdirectory.erase(0, 1);
  if (!tree.subdirectory.empty()) {
    auto inside = archive::NormalizeEntryPath(tree.subdirectory);
    if (!inside) return Wrong(tree.shown, inside.error().message());
    tree.subdirectory = *std::move(inside);
  }
  tree.url = parts.scheme + "://" + parts.host + parts.path;
  if (parts.scheme == "git") {
    // Checked as the same of https would be.
    Parts alike = parts;
    alike.scheme = "https";
    alike.query.clear();
    TRY(LocationOf(alike));
    if (parts.user.empty()) return tree;
    return Wrong(tree.shown, "git:// knows neither users nor passwords");
  }
  Parts plain = parts;
  plain.query.clear();
  TRY(LocationOf(plain));
  tree.authorization = AuthorizationOf(parts.user);
  return tree;
}

}  // namespace

Result<std::optional<RemoteSource>> ParseRemote(std::string_view source) {
  if (source.starts_with("git@")) return NoSsh(archive::Printable(source));
  constexpr std::array<std::string_view, 4> kSchemes = {"http://", "https://", "git://", "ssh://"};
  const auto begins = [&](std::string_view scheme) { return source.starts_with(scheme); };
  if (!std::ranges::any_of(kSchemes, begins)) return std::nullopt;
  const Parts parts = PartsOf(source);
  if (parts.scheme == "ssh") return NoSsh(parts.Shown());
  if (parts.scheme == "git" || parts.path.ends_with(".git")) return TRY(TreeOf(parts));
  return TRY(FileOf(parts));
}

std::string WithoutCredentials(std::string_view text) {
  std::string shown;
  for (size_t at = 0; at < text.size();) {
    const size_t scheme = text.find("://", at);
    if (scheme == std::string_view::npos) return shown.append(text.substr(at));
    const size_t host = scheme + 3;
    // Quotes and spaces end a URL in a Dockerfile's line.
    const size_t end = std::min(text.find_first_of("/?#\"' \t\r\n", host), text.size());
    const size_t user_end = text.substr(host, end - host).rfind('@');
    shown.append(text.substr(at, host - at));
    at = host;
    if (user_end == std::string_view::npos) continue;
    shown.append("***");
    at = host + user_end;
  }
  return shown;
}

bool IsCommitName(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of(kHex) == std::string_view::npos;
}

}  // namespace cay::build
