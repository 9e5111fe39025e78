#include "cli/client/target.h"

namespace cay::cli {

std::string EncodeComponent(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded.push_back(c);
    } else {
      encoded.append("%").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  return encoded;
}

Target Target::Add(std::string_view name, std::string_view value) && {
  text_.append(has_query_ ? "&" : "?").append(EncodeComponent(name)).append("=");
  text_.append(EncodeComponent(value));
  has_query_ = true;
  return std::move(*this);
}

Target Target::AddUnlessEmpty(std::string_view name, std::string_view value) && {
  if (value.empty()) return std::move(*this);
  return std::move(*this).Add(name, value);
}

std::string SandboxPath(std::string_view id, std::string_view rest) {
  return "/api/sandboxes/" + EncodeComponent(id) + std::string(rest);
}

std::string ProcessPath(std::string_view id, std::string_view process, std::string_view rest) {
  return SandboxPath(id, "/processes/") + EncodeComponent(process) + std::string(rest);
}

}  // namespace cay::cli
