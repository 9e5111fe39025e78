#include "guest/sudo/option_scan.h"

#include <utility>

namespace cay::guest::sudo {

OptionScan::OptionScan(std::string program, std::span<const std::string> arguments,
                       const char* letters, const option* names)
    : letters_(letters), names_(names) {
  words_.push_back(std::move(program));
  words_.insert(words_.end(), arguments.begin(), arguments.end());
  for (std::string& word : words_) pointers_.push_back(word.data());
  pointers_.push_back(nullptr);
  ::opterr = 0;
  ::optind = 0;  // glibc: begin anew
}

Result<std::optional<ScannedOption>> OptionScan::Next() {
  const int found =
      ::getopt_long(static_cast<int>(words_.size()), pointers_.data(), letters_, names_, nullptr);
  if (found == -1) return std::nullopt;
  if (found != '?') return ScannedOption{.option = found, .value = ::optarg};
  const std::string written = ::optind > 0 ? pointers_[static_cast<size_t>(::optind) - 1] : "";
  return Failure(Error::Invalid("no such option, or one without its value: " + written));
}

std::vector<std::string> OptionScan::Rest() const {
  std::vector<std::string> rest;
  for (size_t i = static_cast<size_t>(::optind); i + 1 < pointers_.size(); ++i)
    rest.emplace_back(pointers_[i]);
  return rest;
}

}  // namespace cay::guest::sudo
