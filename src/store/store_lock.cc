#include "store/store_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <array>

#include "base/os/file.h"
#include "base/os/sys.h"

namespace cay::store {
namespace {

constexpr const char* kName = "/server.lock";
constexpr size_t kMaxText = 256;

// "process 4711, since 2026-01-31 12:00:00 UTC"
std::string Self() {
  const time_t now = ::time(nullptr);
  tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> since{};
  const size_t length = ::strftime(since.data(), since.size(), "%Y-%m-%d %H:%M:%S UTC", &utc);
  return "process " + std::to_string(::getpid()) + ", since " + std::string(since.data(), length);
}

Error Taken(const std::string& state_dir, const std::string& path) {
  const auto who = ReadFile(path, kMaxText);
  const std::string named = who && !who->empty() ? " (" + *who + ")" : "";
  return Error(ErrorCode::kAlreadyExists, Fault::kCaller,
               "another server" + named + " has the state directory " + state_dir)
      .WithRemedy("stop that one, or give this one its own with --state-dir");
}

}  // namespace

Result<StoreLock> StoreLock::Take(const std::string& state_dir) {
  const std::string path = state_dir + kName;
  auto file = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (!file) {
    return Failure(std::move(file)
                       .error()
                       .WithContext("the server's lock " + path)
                       .WithRemedy("the server must be able to write its state directory"));
  }
  if (::flock(file->get(), LOCK_EX | LOCK_NB) < 0) {
    if (errno == EWOULDBLOCK) return Failure(Taken(state_dir, path));
    return Failure(Error::FromErrno("locking " + path));
  }
  if (::ftruncate(file->get(), 0) < 0) return Failure(Error::FromErrno("writing " + path));
  // Who has it is a help, not a need: a full disk does not keep a server from starting.
  (void)WriteAll(file->get(), Self());
  return StoreLock(std::move(*file));
}

}  // namespace cay::store
