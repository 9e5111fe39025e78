#include "guest/spawn/spawn_error.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

namespace cay::guest {
namespace {

Error Command(ErrorCode code, const std::string& command, std::string_view what, int sys_errno) {
  Error error(code, Fault::kCaller, command + ": " + std::string(what));
  error.set_sys_errno(sys_errno);
  return error;
}

Error DescribeExec(const SpawnJob& job) {
  const std::string& file = job.candidates[job.failed_candidate];
  const std::string command = job.argv.front() == nullptr ? "" : job.argv.front();
  const bool searched = command.find('/') == std::string::npos;
  const std::string path = file.starts_with('/') ? file : job.cwd + "/" + file;
  struct stat info{};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  switch (job.sys_errno) {
    case ENOENT:
      if (searched) {
        return Command(ErrorCode::kCommandNotFound, command, "command not found", ENOENT);
      }
      if (exists) {
        return Command(ErrorCode::kNotExecutable, command,
                       "the interpreter or loader that it names does not exist", ENOENT);
      }
      return Command(ErrorCode::kCommandNotFound, command, "no such file", ENOENT);
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return Command(ErrorCode::kCommandNotFound, command, ErrnoText(job.sys_errno), job.sys_errno);
    case EACCES:
      return Command(ErrorCode::kNotExecutable, file,
                     exists && S_ISDIR(info.st_mode) ? "is a directory" : "permission denied",
                     EACCES);
    case ENOEXEC:
      return Command(ErrorCode::kNotExecutable, file,
                     "neither a program for this machine nor a script that starts with #!",
                     ENOEXEC);
    case ENOMEM:
    case EAGAIN:
      return Error::FromErrno("executing " + file, job.sys_errno);
    default:
      return Command(ErrorCode::kNotExecutable, file, ErrnoText(job.sys_errno), job.sys_errno);
  }
}

}  // namespace

Error DescribeSpawnFailure(const SpawnJob& job) {
  switch (job.failed) {
    case SpawnStage::kExec:
      return DescribeExec(job);
    case SpawnStage::kCwd:
      return Command(ErrorCode::kInvalidArgument, "working directory " + job.cwd,
                     ErrnoText(job.sys_errno), job.sys_errno);
    case SpawnStage::kFork:
      if (job.sys_errno == EAGAIN) {
        return Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                     "the sandbox is at its limit of processes")
            .WithRemedy("end some, or raise its pids limit");
      }
      return Error::FromErrno("starting a process", job.sys_errno);
    case SpawnStage::kIds:
      return Error::FromErrno("taking the user's identity", job.sys_errno);
    case SpawnStage::kLimits:
      return Error::FromErrno("setting a resource limit", job.sys_errno);
    case SpawnStage::kTerminal:
      return Error::FromErrno("taking the terminal", job.sys_errno);
    case SpawnStage::kNone:
    case SpawnStage::kSession:
    case SpawnStage::kStdio:
      break;
  }
  return Error::FromErrno("preparing a process", job.sys_errno);
}

}  // namespace cay::guest
