// Processes of the host, for peers and comparisons.
#pragma once

#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::bench {

// vfork + execve + wait, standard streams on /dev/null: what starting a program costs without any
// sandbox. argv[0] is an absolute path. kIo when it does not exit with 0.
Result<void> RunQuietly(const std::vector<std::string>& argv);

// Starts a program whose standard output is the write end of a new pipe. The caller reads `output`
// to its end and then calls WaitFor.
struct Started {
  pid_t pid = -1;
  Fd output;
};
Result<Started> StartWithOutput(const std::vector<std::string>& argv);

// Starts a program in the background, its output appended to the file `log`.
Result<pid_t> StartLogged(const std::vector<std::string>& argv, const std::string& log);

Result<void> WaitFor(pid_t pid, const std::string& name);

// The absolute path of a program in PATH; nothing when there is none.
std::string FindProgram(const std::string& name);

}  // namespace cay::bench
