// Allowed types: which media types a project's files may have (projects.allowed_types). Pure.
//
//   const auto allowed = TRY(AllowedTypes::Parse({"text/*", "image/png"}));
//   TRY(allowed.Check("text/csv; charset=utf-8", "text/plain"));   // what the client says, what the content is
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::sandbox {

class AllowedTypes {
 public:
  static constexpr size_t kMaxTypes = 256;

  // Each "type/subtype" or "type/*". None: everything is allowed.
  static Result<AllowedTypes> Parse(const std::vector<std::string>& types);
  AllowedTypes() = default;

  bool everything() const { return types_.empty(); }
  // What the content is must be allowed, and so must what the client says it is, if it says more
  // than that it is bytes. `content`: "" for an empty file, which is of no type. The error is
  // kNotSupported with EMEDIUMTYPE, for 415.
  Result<void> Check(std::string_view client, std::string_view content) const;

 private:
  bool Allows(std::string_view type) const;
  std::vector<std::string> types_;  // lower case
};

}  // namespace cay::sandbox
