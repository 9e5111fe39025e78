// ModeChange: --chmod of COPY and ADD, as a value: "0755", "u=rwX,go=rX" (chmod(1)). Pure.
//
//   const ModeChange change = TRY(ModeChange::Parse("u=rwX,go=rX"));
//   change.Apply(0600, /*is_directory=*/true)     // 0755
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::build {

class ModeChange {
 public:
  // Octal digits up to 07777; or clauses with commas between them: who ("u", "g", "o", "a"; none is
  // all), then "+", "-" or "=", then permissions ("rwxXst", or one of "ugo" to copy), the last two
  // as often as one likes. There is no umask. kInvalidArgument.
  static Result<ModeChange> Parse(std::string_view text);

  // Of the twelve bits.
  mode_t Apply(mode_t mode, bool is_directory) const;

 private:
  struct Step {
    char operation = '=';
    mode_t who = 0;               // of 07777: which bits it may touch
    mode_t bits = 0;              // for all of `who`
    bool execute_if_any = false;  // X
    char copy_of = 0;             // 'u', 'g', 'o'; 0: none
  };
  std::vector<Step> steps_{};
};

}  // namespace cay::build
