#include "cli/copy/copy_paths.h"

#include <algorithm>
#include <optional>

namespace cay::cli {

namespace {

// "team-a/web:/x", as a sandbox's OWNER/NAME; nothing for what cannot be one.
std::optional<CopyEnd> ParseOwned(const CopyEnd& local) {
  const size_t colon = local.path.find(':');
  const std::string before = local.path.substr(0, colon);
  const size_t slash = before.find('/');
  const bool owned = !local.is_stream && local.sandbox.empty() && colon != std::string::npos &&
                     slash != std::string::npos && slash > 0 && slash == before.rfind('/') &&
                     slash + 1 < before.size() && !before.starts_with('.');
  if (!owned) return std::nullopt;
  CopyEnd end{.sandbox = before, .path = local.path.substr(colon + 1)};
  if (end.path.empty()) end.path = ".";
  return end;
}

}  // namespace

Result<CopyEnd> ParseCopyEnd(std::string_view text) {
  if (text.empty()) return Failure(Error::Invalid("the path is empty"));
  if (text == "-") return CopyEnd{.is_stream = true};
  const size_t colon = text.find(':');
  const std::string_view before = text.substr(0, colon);
  const bool local = colon == std::string_view::npos || before.empty() || before.contains('/') ||
                     before.starts_with('.');
  if (local) return CopyEnd{.path = std::string(text)};
  CopyEnd end{.sandbox = std::string(before), .path = std::string(text.substr(colon + 1))};
  if (end.path.empty()) end.path = ".";
  return end;
}

Result<Copy> ParseCopy(std::string_view source, std::string_view target) {
  Copy copy;
  copy.source = TRY(ParseCopyEnd(source));
  copy.target = TRY(ParseCopyEnd(target));
  if (copy.source.sandbox.empty() && copy.target.sandbox.empty()) {
    copy.source = ParseOwned(copy.source).value_or(copy.source);
    copy.target = ParseOwned(copy.target).value_or(copy.target);
  }
  const bool from = !copy.source.sandbox.empty();
  const bool to = !copy.target.sandbox.empty();
  if (from && to) {
    return Failure(
        Error::Invalid("cannot copy from one sandbox to another")
            .WithRemedy("cay cp " + std::string(source) + " - | cay cp - " + std::string(target)));
  }
  if (!from && !to) {
    return Failure(Error::Invalid("neither path is in a sandbox")
                       .WithRemedy("write SANDBOX:PATH for the path that is"));
  }
  return copy;
}

std::string BaseName(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name == "." || name == "..") return "";
  return std::string(name);
}

namespace {

bool IsNamedAsDirectory(std::string_view path) {
  return path.ends_with('/') || MeansContents(path);
}

std::string Below(const std::string& directory, const std::string& name) {
  return directory.ends_with('/') ? directory + name : directory + "/" + name;
}

}  // namespace

std::string ParentOf(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(1, slash)));
}

Result<std::string> PlaceOfFile(std::string_view source, const std::string& target,
                                Standing there) {
  if (there == Standing::kDirectory) return Below(target, BaseName(source));
  if (!IsNamedAsDirectory(target)) return target;
  if (there == Standing::kOther) {
    return Failure(Error::Invalid(target + " is not a directory")
                       .WithRemedy("leave out the slash at its end to replace it"));
  }
  return Failure(
      Error(ErrorCode::kNotFound, Fault::kCaller, "there is no directory " + target)
          .WithRemedy(
              "make it first, or leave out the slash at its end to give the file that name"));
}

Result<std::string> PlaceOfDirectory(std::string_view source, const std::string& target,
                                     Standing there) {
  if (there == Standing::kOther) {
    return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                         target + " exists and is not a directory: a directory cannot replace it")
                       .WithRemedy("name a directory, or remove it first"));
  }
  const std::string name = BaseName(source);
  const bool into = there == Standing::kDirectory && !MeansContents(source) && !name.empty();
  return into ? Below(target, name) : target;
}

bool MeansContents(std::string_view path) { return path == "." || path.ends_with("/."); }

}  // namespace cay::cli
