#include "cli/client/copy_paths.h"

namespace cay::cli {

Result<CopyEnd> ParseCopyEnd(std::string_view text) {
  if (text.empty()) return Failure(Error::Invalid("an empty path"));
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
  Copy copy{TRY(ParseCopyEnd(source)), TRY(ParseCopyEnd(target))};
  const bool from = !copy.source.sandbox.empty();
  const bool to = !copy.target.sandbox.empty();
  if (from && to) {
    return Failure(
        Error::Invalid("from one sandbox to another")
            .WithRemedy("cay cp " + std::string(source) + " - | cay cp - " + std::string(target)));
  }
  if (!from && !to) {
    return Failure(Error::Invalid("neither of the two is in a sandbox")
                       .WithRemedy("write SANDBOX:PATH for the one that is"));
  }
  return copy;
}

std::string BaseName(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name == "." || name == "..") return "";
  return std::string(name);
}

bool MeansContents(std::string_view path) { return path == "." || path.ends_with("/."); }

}  // namespace cay::cli
