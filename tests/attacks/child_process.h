// ChildProcess: a program that a test runs, with its three streams, and a deadline on every wait.
//
//   ChildProcess child({.argv = {"cay", "run", "--", "true"}});
//   child.CloseInput();
//   const Outcome outcome = child.Wait();
//   EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
//
// Ends with the test: what is still running is killed by the destructor. A program that cannot be
// started exits with 127, as in a shell.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"

namespace cay::attacks {

struct Outcome {
  int exit_code = -1;  // 128 + signal; -1 when the deadline passed and it was killed
  std::string out;
  std::string err;
  std::chrono::milliseconds elapsed{0};
};

class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> argv;
    std::vector<std::string> env;  // in addition to PATH
    std::optional<uid_t> uid;      // becomes this user and its group, without others
    bool own_namespaces = false;   // all but user and cgroup; and a session: for probes outside
    std::optional<int> inherit;    // this descriptor stays open over exec
  };
  explicit ChildProcess(const Options& options);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }

  void CloseInput() { input_.reset(); }

  // Reads stdout until it has a line equal to `line`; false when it ended or the deadline passed.
  bool WaitForLine(std::string_view line, std::chrono::milliseconds deadline = kDeadline);

  // Reads both outputs to their end and waits for the process.
  Outcome Wait(std::chrono::milliseconds deadline = kDeadline);

  void Kill(int signal) const;

  static constexpr std::chrono::milliseconds kDeadline{30'000};

 private:
  bool ReadSome(std::chrono::steady_clock::time_point until);

  pid_t pid_ = -1;
  bool reaped_ = false;
  std::optional<Fd> input_;
  std::optional<Fd> output_;
  std::optional<Fd> error_;
  std::string out_;
  std::string err_;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace cay::attacks
