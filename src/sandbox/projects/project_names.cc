#include "sandbox/projects/project_names.h"

#include <algorithm>

#include "base/encoding.h"
#include "crypto/digest.h"
#include "protocol/cbor.h"
#include "protocol/messages.h"

namespace cay::sandbox {
namespace {

constexpr size_t kMaxProjectBytes = 128;
constexpr size_t kMaxOwnerBytes = 64;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetterOrDigit(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z') || IsDigit(c); }
// C0, DEL. C1 is two bytes in UTF-8 and is looked for apart.
bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool HasC1(std::string_view name) {
  for (size_t i = 0; i + 1 < name.size(); ++i) {
    const auto next = static_cast<unsigned char>(name[i + 1]);
    if (static_cast<unsigned char>(name[i]) == 0xc2 && next >= 0x80 && next < 0xa0) return true;
  }
  return false;
}

// The longest part from the front that has at most `max_bytes` and ends with a whole character.
std::string_view Cut(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

Result<void> CheckProjectName(std::string_view project) {
  const bool valid = !project.empty() && project.size() <= kMaxProjectBytes &&
                     IsLetterOrDigit(project.front()) && std::ranges::all_of(project, [](char c) {
                       return IsLetterOrDigit(c) || c == '.' || c == '_' || c == '-';
                     });
  if (valid) return {};
  return Failure(
      Error::Invalid("not a name of a project")
          .WithRemedy(
              "use 1 to 128 letters, digits, dots, underscores and dashes, beginning with a "
              "letter or a digit"));
}

Result<void> CheckFileName(std::string_view name) {
  const auto refuse = [](const char* why) {
    return Failure(Error::Invalid(std::string("the file's name ") + why)
                       .WithRemedy("use a plain name, without directories"));
  };
  if (name.empty()) return refuse("is empty");
  if (name == "." || name == "..") return refuse("is that of a directory");
  if (name.size() > protocol::kMaxNameBytes) return refuse("has more than 255 bytes");
  if (name.find('/') != std::string_view::npos) return refuse("has a slash in it");
  if (!IsUtf8(name)) return refuse("is not UTF-8");
  if (std::ranges::any_of(name, IsControl) || HasC1(name)) {
    return refuse("has a control character in it");
  }
  return {};
}

Result<std::string> OwnerComponent(std::string_view owner) {
  const bool plain =
      !owner.empty() && owner.size() <= kMaxOwnerBytes && std::ranges::all_of(owner, [](char c) {
        return IsLower(c) || IsDigit(c) || c == '_' || c == '-';
      });
  if (plain) return std::string(owner);
  return "=" + TRY(Sha256Hex(owner));
}

std::string NumberedName(std::string_view name, uint64_t number) {
  // ".profile" has no ending.
  size_t dot = name.rfind('.');
  if (dot == 0 || dot == std::string_view::npos) dot = name.size();
  const std::string mark = " (" + std::to_string(number) + ")";
  std::string_view ending = name.substr(dot);
  // An ending that would leave no room is none.
  if (ending.size() + mark.size() >= protocol::kMaxNameBytes) {
    ending = {};
    dot = name.size();
  }
  const std::string_view stem =
      Cut(name.substr(0, dot), protocol::kMaxNameBytes - mark.size() - ending.size());
  return std::string(stem).append(mark).append(ending);
}

std::string FreeName(const std::string& name,
                     const std::function<bool(const std::string&)>& taken) {
  std::string candidate = name;
  for (uint64_t number = 1; taken(candidate); ++number) candidate = NumberedName(name, number);
  return candidate;
}

}  // namespace cay::sandbox
