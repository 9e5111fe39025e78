#include "child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace cay::attacks {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxOutput = 16 << 20;

// In the child. The probes' target "process 1" is a stand-in: a process that only waits.
void EnterOwnNamespaces() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    ::_exit(126);
  }
  const pid_t first = ::fork();
  if (first < 0) ::_exit(126);
  if (first > 0) {
    int status = 0;
    ::waitpid(first, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) ::_exit(126);
  const pid_t second = ::fork();
  if (second < 0) ::_exit(126);
  if (second > 0) {
    int status = 0;
    ::waitpid(second, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

[[noreturn]] void Exec(const ChildProcess::Options& options, const std::array<int, 3>& streams) {
  for (int fd = 0; fd < 3; ++fd) ::dup2(streams[static_cast<size_t>(fd)], fd);
  const int keep = options.inherit.value_or(2);
  ::close_range(3, keep > 3 ? static_cast<unsigned>(keep) - 1 : 3, 0);
  ::close_range(static_cast<unsigned>(std::max(keep, 2)) + 1, ~0U, 0);
  if (options.inherit) ::fcntl(*options.inherit, F_SETFD, 0);
  if (options.own_namespaces) {
    ::setsid();  // what a probe does to its process group is not done to who runs the tests
    EnterOwnNamespaces();
  }
  if (options.uid) {
    const uid_t uid = *options.uid;
    if (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 ||
        ::setresuid(uid, uid, uid) != 0) {
      ::_exit(126);
    }
  }
  std::vector<std::string> texts = options.env;
  texts.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  std::vector<char*> env;
  for (std::string& text : texts) env.push_back(text.data());
  env.push_back(nullptr);
  std::vector<char*> argv;
  for (const std::string& text : options.argv) argv.push_back(const_cast<char*>(text.c_str()));
  argv.push_back(nullptr);
  if (::chdir("/") == 0) ::execvpe(argv[0], argv.data(), env.data());
  ::_exit(127);
}

Pipe MustMakePipe() {
  auto pipe = MakePipe();
  if (!pipe) std::abort();
  return std::move(*pipe);
}

}  // namespace

ChildProcess::ChildProcess(const Options& options) : started_(Clock::now()) {
  Pipe input = MustMakePipe();
  Pipe output = MustMakePipe();
  Pipe error = MustMakePipe();
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) Exec(options, {input.read.get(), output.write.get(), error.write.get()});
  input_ = std::move(input.write);
  output_ = std::move(output.read);
  error_ = std::move(error.read);
}

ChildProcess::~ChildProcess() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::Kill(int signal) const { ::kill(pid_, signal); }

// One poll of the two outputs; false when both ended or the time is over.
bool ChildProcess::ReadSome(Clock::time_point until) {
  if (!output_ && !error_) return false;
  std::array<pollfd, 2> wait = {
      {{output_ ? output_->get() : -1, POLLIN, 0}, {error_ ? error_->get() : -1, POLLIN, 0}}};
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
  if (left.count() <= 0 || ::poll(wait.data(), wait.size(), static_cast<int>(left.count())) <= 0) {
    return false;
  }
  const auto take = [](std::optional<Fd>& from, const pollfd& ready, std::string& to) {
    if (ready.revents == 0) return;
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(from->get(), buffer.data(), buffer.size());
    if (got <= 0) {
      from.reset();
    } else if (to.size() < kMaxOutput) {
      to.append(buffer.data(), static_cast<size_t>(got));
    }
  };
  take(output_, wait[0], out_);
  take(error_, wait[1], err_);
  return true;
}

bool ChildProcess::WaitForLine(std::string_view line, std::chrono::milliseconds deadline) {
  const auto until = Clock::now() + deadline;
  const std::string wanted = std::string(line) + "\n";
  while (!out_.starts_with(wanted) && out_.find("\n" + wanted) == std::string::npos) {
    if (!ReadSome(until)) return false;
  }
  return true;
}

Outcome ChildProcess::Wait(std::chrono::milliseconds deadline) {
  const auto until = Clock::now() + deadline;
  while (ReadSome(until)) {
  }
  int status = 0;
  pid_t waited = 0;
  while ((waited = ::waitpid(pid_, &status, WNOHANG)) == 0 && Clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const bool ended = waited == pid_;
  if (!ended) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
  }
  reaped_ = true;
  Outcome outcome;
  outcome.out = std::move(out_);
  outcome.err = std::move(err_);
  outcome.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_);
  if (ended) outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace cay::attacks
