// The secrets of one run, which the command gets as placeholders (network/link/secret.h): variables
// of this process's environment, and what the state directory keeps
// (sandbox/secrets/secret_book.h).
//
//   RunSecrets secrets = TRY(RunSecrets::Take(options.secrets));   // before the launcher
//   TRY(secrets.AddKept(options.secrets, paths.state_dir));        // after it
//   network::Terms terms{.secrets = secrets.Copies()};             // for the relay
//
// What is forked after Take has none of the values: the launcher is, and of it the sandbox's guest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/frame/argument_values.h"
#include "network/link/secret.h"

namespace cay::cli {

// As typed: NAME=HOST[,HOST…], or NAME of one that is kept.
struct RunSecret {
  std::string name;
  std::vector<std::string> hosts;  // none: one that is kept
};
Result<RunSecret> ParseRunSecret(std::string_view text);

class RunSecrets {
 public:
  // Takes those with hosts out of the environment, with placeholders made for them. kNotFound for a
  // variable that is not set.
  static Result<RunSecrets> Take(const std::vector<RunSecret>& wanted);
  RunSecrets(RunSecrets&& other) noexcept;
  RunSecrets& operator=(RunSecrets&&) = delete;
  ~RunSecrets();

  // For this process, when it has forked what has its limits: a core dump would have the values.
  static void LeaveNoCore();

  // Those without hosts. kNotFound for one that is not kept.
  Result<void> AddKept(const std::vector<RunSecret>& wanted, const std::string& state_dir);

  bool empty() const { return variables_.empty(); }
  // What the command has of them.
  const std::vector<EnvChange>& variables() const { return variables_; }
  std::vector<network::Secret> Copies() const;

 private:
  RunSecrets() = default;

  std::vector<network::Secret> secrets_;  // the first of them without their values
  std::vector<std::string_view> values_;  // of those, in memory that forks do not have
  std::vector<EnvChange> variables_;
  void* memory_ = nullptr;
  size_t size_ = 0;
};

}  // namespace cay::cli
