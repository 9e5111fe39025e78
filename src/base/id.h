// SandboxId: [a-z0-9]{20}, 103 random bits. The only form in which an id goes into a path.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay {

class SandboxId {
 public:
  static constexpr size_t kLength = 20;

  // From getrandom(2).
  static Result<SandboxId> Generate();

  // kInvalidArgument unless `text` is exactly [a-z0-9]{20}.
  static Result<SandboxId> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  auto operator<=>(const SandboxId&) const = default;

 private:
  explicit SandboxId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace cay
