// The secrets of one run: variables of this process's environment, which the command gets as
// placeholders (network/link/secret.h).
//
//   const RunSecrets secrets = TRY(RunSecrets::Take(options.secrets));   // before the launcher
//   network::Terms terms{.secrets = secrets.Copies()};                   // for the relay, after it
//
// What is forked after Take has none of the values: the launcher is, and of it the sandbox's guest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/link/secret.h"

namespace cay::cli {

// As typed: NAME=HOST[,HOST…].
struct RunSecret {
  std::string variable;
  std::vector<std::string> hosts;
};
Result<RunSecret> ParseRunSecret(std::string_view text);

class RunSecrets {
 public:
  // Takes them out of the environment, with placeholders made for them. kNotFound for a variable
  // that is not set.
  static Result<RunSecrets> Take(const std::vector<RunSecret>& wanted);
  RunSecrets(RunSecrets&& other) noexcept;
  RunSecrets& operator=(RunSecrets&&) = delete;
  ~RunSecrets();

  // For this process, when it has forked what has its limits: a core dump would have the values.
  static void LeaveNoCore();

  bool empty() const { return secrets_.empty(); }
  // Without their values.
  const std::vector<network::Secret>& told() const { return secrets_; }
  std::vector<network::Secret> Copies() const;

 private:
  RunSecrets() = default;

  std::vector<network::Secret> secrets_;
  std::vector<std::string_view> values_;  // in memory that forks do not have
  void* memory_ = nullptr;
  size_t size_ = 0;
};

}  // namespace cay::cli
