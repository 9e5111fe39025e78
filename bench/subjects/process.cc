#include "subjects/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <sstream>

extern char** environ;

namespace cay::bench {
namespace {

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void Open(int fd, const char* path, int flags) {
    posix_spawn_file_actions_addopen(&actions_, fd, path, flags, 0600);
  }
  void Duplicate(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

// posix_spawn of glibc is clone(CLONE_VM | CLONE_VFORK).
Result<pid_t> Spawn(const std::vector<std::string>& argv, const FileActions& actions) {
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, arguments[0], actions.get(), nullptr, arguments.data(), environ);
  if (error != 0) return Failure(Error::FromErrno("cannot start " + argv[0], error));
  return pid;
}

}  // namespace

Result<void> RunQuietly(const std::vector<std::string>& argv) {
  FileActions actions;
  actions.Open(0, "/dev/null", O_RDONLY);
  actions.Open(1, "/dev/null", O_WRONLY);
  actions.Open(2, "/dev/null", O_WRONLY);
  const pid_t pid = TRY(Spawn(argv, actions));
  return WaitFor(pid, argv[0]);
}

Result<Started> StartWithOutput(const std::vector<std::string>& argv) {
  Pipe pipe = TRY(MakePipe());
  FileActions actions;
  actions.Open(0, "/dev/null", O_RDONLY);
  actions.Duplicate(pipe.write.get(), 1);
  const pid_t pid = TRY(Spawn(argv, actions));
  return Started{.pid = pid, .output = std::move(pipe.read)};
}

Result<pid_t> StartLogged(const std::vector<std::string>& argv, const std::string& log) {
  FileActions actions;
  actions.Open(0, "/dev/null", O_RDONLY);
  actions.Open(1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND);
  actions.Duplicate(1, 2);
  return Spawn(argv, actions);
}

Result<void> WaitFor(pid_t pid, const std::string& name) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return Failure(Error::FromErrno("waiting for " + name));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       name + " ended with wait status " + std::to_string(status)));
}

std::string FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string candidate = directory + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace cay::bench
