// Target: a path of the API with its query, percent-encoded (RFC 3986).
//
//   Target(SandboxPath(id) + "/files").Add("path", "/a b").text()   -> ".../files?path=%2Fa%20b"
#pragma once

#include <string>
#include <string_view>

namespace cay::cli {

// All but unreserved letters as %XX.
std::string EncodeComponent(std::string_view text);

class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}
  Target Add(std::string_view name, std::string_view value) &&;
  Target AddUnlessEmpty(std::string_view name, std::string_view value) &&;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool has_query_ = false;
};

// /api/sandboxes/ID, and what is under it.
std::string SandboxPath(std::string_view id, std::string_view rest = {});
// /api/sandboxes/ID/processes/PROCESS, and what is under it.
std::string ProcessPath(std::string_view id, std::string_view process, std::string_view rest = {});

}  // namespace cay::cli
