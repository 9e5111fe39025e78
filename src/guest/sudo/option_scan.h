// OptionScan: getopt_long(3) over strings, with its complaints as errors.
#pragma once

#include <getopt.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace cay::guest::sudo {

struct ScannedOption {
  int option;         // the letter, or the value of a long one
  const char* value;  // nullptr without one; as long as the scan lives
  // The option as it was written.
  std::string Words() const { return std::string("-") + static_cast<char>(option); }
};

// One at a time: getopt's state is the process's.
class OptionScan {
 public:
  OptionScan(std::string program, std::span<const std::string> arguments, const char* letters,
             const option* names);

  // Nothing at the end.
  Result<std::optional<ScannedOption>> Next();

  // What is no option, once the end was seen.
  std::vector<std::string> Rest() const;

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
  const char* letters_;
  const option* names_;
};

}  // namespace cay::guest::sudo
