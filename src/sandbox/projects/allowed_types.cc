#include "sandbox/projects/allowed_types.h"

#include <algorithm>

namespace cay::sandbox {
namespace {

constexpr size_t kMaxTypeBytes = 127;
constexpr std::string_view kAnyBytes = "application/octet-stream";

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return lower;
}

// Without parameters.
std::string EssenceOf(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  while (type.starts_with(' ') || type.starts_with('\t')) type.remove_prefix(1);
  return Lower(type);
}

// RFC 6838, 4.2: restricted-name.
bool IsName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$&-^_.+").find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<AllowedTypes> AllowedTypes::Parse(const std::vector<std::string>& types) {
  if (types.size() > kMaxTypes) {
    return Failure(
        Error::Invalid("more than the maximum of " + std::to_string(kMaxTypes) + " types"));
  }
  AllowedTypes allowed;
  for (const std::string& text : types) {
    std::string type = Lower(text);
    const size_t slash = std::min(type.find('/'), type.size());
    const std::string_view subtype =
        std::string_view(type).substr(std::min(slash + 1, type.size()));
    if (type.size() > kMaxTypeBytes || !IsName(std::string_view(type).substr(0, slash)) ||
        (subtype != "*" && !IsName(subtype))) {
      return Failure(
          Error::Invalid("not a type of files: \"" + text.substr(0, kMaxTypeBytes) + "\"")
              .WithRemedy("as in text/csv or image/*"));
    }
    allowed.types_.push_back(std::move(type));
  }
  return allowed;
}

bool AllowedTypes::Allows(std::string_view type) const {
  return std::ranges::any_of(types_, [&](std::string_view allowed) {
    if (!allowed.ends_with("/*")) return type == allowed;
    return type.starts_with(allowed.substr(0, allowed.size() - 1));
  });
}

Result<void> AllowedTypes::Check(std::string_view client, std::string_view content) const {
  if (everything()) return {};
  const auto refused = [&](std::string_view what, const std::string& type) {
    Error error(ErrorCode::kNotSupported, Fault::kCaller,
                "files of the type " + type + ", which " + std::string(what) + ", are not allowed");
    error.set_sys_errno(EMEDIUMTYPE);
    return Failure(std::move(error).WithRemedy(
        "upload files of a type in projects.allowed_types of the server's "
        "configuration, or add the type there"));
  };
  const std::string is = EssenceOf(content);
  if (!is.empty() && !Allows(is)) return refused("its content is", is);
  const std::string says = EssenceOf(client);
  if (!says.empty() && says != kAnyBytes && !Allows(says))
    return refused("the client says it is", says);
  return {};
}

}  // namespace cay::sandbox
