#include "template/host/host_interpreter.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <chrono>
#include <map>
#include <mutex>

#include "base/os/fd.h"
#include "base/os/reap.h"
#include "base/units.h"

namespace cay::templates {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array kDirectories = {"/usr/local/bin/", "/usr/bin/", "/bin/"};
constexpr Millis kPatience{5000};
constexpr size_t kMaxOutput = 4096;

struct Known {
  int64_t modified_ns = 0;
  uint64_t inode = 0;
  std::optional<std::string> version;
};

// Everything up to the end of file, the deadline or the bound.
std::string ReadSome(const Fd& fd, Clock::time_point deadline) {
  std::string text;
  std::array<char, 1024> space{};
  while (text.size() < kMaxOutput) {
    const auto left = std::chrono::ceil<Millis>(deadline - Clock::now());
    pollfd wait{.fd = fd.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) break;
    const ssize_t count = ::read(fd.get(), space.data(), space.size());
    if (count <= 0) break;
    text.append(space.data(), static_cast<size_t>(count));
  }
  return text;
}

Result<std::string> RunForVersion(const std::string& path) {
  Pipe out = TRY(MakePipe());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), 2);
  std::string flag = "--version";
  std::string name = path;
  std::array<char*, 3> argv = {name.data(), flag.data(), nullptr};
  std::array<char*, 1> env = {nullptr};
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), env.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Failure(Error::FromErrno(path, failed));
  // Only the child's ends are left: its end is the end of the file.
  const Fd read = std::move(out.read);
  {
    const Fd closed = std::move(out.write);
  }
  std::string text = ReadSome(read, Clock::now() + kPatience);
  KillAndReap(pid);
  return text;
}

}  // namespace

std::optional<std::string> FirstVersion(std::string_view text) {
  const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  size_t begin = 0;
  while (begin < text.size() && !is_digit(text[begin])) ++begin;
  if (begin == text.size()) return std::nullopt;
  size_t end = begin;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
  while (text[end - 1] == '.') --end;
  return std::string(text.substr(begin, end - begin));
}

Result<std::optional<std::string>> HostInterpreterVersion(const std::string& program) {
  static std::mutex mutex;
  static std::map<std::string, Known> known;  // of the few programs that the callers name
  for (const char* directory : kDirectories) {
    const std::string path = directory + program;
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    const int64_t modified = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
    const std::lock_guard lock(mutex);
    Known& entry = known[path];
    if (entry.inode != info.st_ino || entry.modified_ns != modified) {
      auto version = FirstVersion(TRY(RunForVersion(path)));
      entry = {modified, info.st_ino, std::move(version)};
    }
    return entry.version;
  }
  return std::nullopt;
}

}  // namespace cay::templates
