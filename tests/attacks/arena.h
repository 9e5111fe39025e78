// Arena: where the attacks of one test program happen: a directory of its own with the victim and
// Cay's state, for root or for an ordinary user, removed at the end.
//
//   Arena& arena = Arena::Root();
//   const Outcome outcome = arena.Attack("unshare user", "--memory 64m").Wait();
//   EXPECT_EQ(VerdictOf(outcome), "refused EPERM");
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/testing/sanitized.h"
#include "child_process.h"

namespace cay::attacks {

class Arena {
 public:
  static constexpr uid_t kOrdinaryUser = 65534;

  // Of the calling user, and (only when that is root) of kOrdinaryUser. Made when first used.
  static Arena& Own();
  static Arena& OrdinaryUser();

  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  const std::string& directory() const { return directory_; }
  std::string state_dir() const { return directory_ + "/state"; }
  std::string run_dir() const { return directory_ + "/state/run"; }
  std::string victim() const { return directory_ + "/bin/attack-victim"; }

  // `cay run OPTIONS -- /attack/attack-victim PROBE`; both are split at spaces.
  std::unique_ptr<ChildProcess> Attack(const std::string& probe,
                                       const std::string& options = {}) const;
  std::unique_ptr<ChildProcess> Cay(std::vector<std::string> arguments,
                                    std::vector<std::string> more_env = {}) const;

  // The probe without a sandbox, in namespaces of its own.
  std::unique_ptr<ChildProcess> Outside(const std::string& probe) const;

  // What `cay` is run with.
  std::vector<std::string> Environment() const;

  // Entries of state_dir/sandboxes: what has not been cleaned up.
  std::vector<std::string> Leftovers() const;

 private:
  explicit Arena(uid_t uid);

  uid_t uid_;
  std::string directory_;
};

std::vector<std::string> SplitWords(const std::string& text);

// The last line of what a probe wrote.
std::string VerdictOf(const Outcome& outcome);

}  // namespace cay::attacks
