// Path lookup: which files execve is to try for a command, in order, as execvpe(3) does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cay::guest {

// Where commands are looked for when the environment has no PATH.
inline constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

// Directories of PATH beyond this are not looked in.
inline constexpr size_t kMaxPathDirectories = 128;

// `command` itself when it has a slash; otherwise it in each directory of PATH in `env` (the first
// that is there, as in getenv), where an empty directory is the working directory. Empty for an
// empty command. Candidates longer than PATH_MAX are left out.
std::vector<std::string> ExecCandidates(std::string_view command,
                                        const std::vector<std::string>& env);

}  // namespace cay::guest
