#include "guest/files/inotify.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

namespace cay::guest {
namespace {

constexpr size_t kBufferBytes = size_t{64} * 1024;

}  // namespace

Result<Inotify> Inotify::Open() {
  const int raw = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (raw < 0) return Failure(Error::FromErrno("inotify_init1"));
  return Inotify(Fd::Adopt(raw));
}

Result<std::optional<int>> Inotify::Watch(const Fd& directory, uint32_t mask) {
  // inotify_add_watch(2) takes a path alone; this one is the descriptor.
  const std::string link = "/proc/self/fd/" + std::to_string(directory.get());
  const int watch = ::inotify_add_watch(fd_.get(), link.c_str(), mask);
  if (watch >= 0) return watch;
  if (errno == ENOSPC) return std::nullopt;
  return Failure(Error::FromErrno("watching a directory"));
}

void Inotify::Unwatch(int watch) { ::inotify_rm_watch(fd_.get(), watch); }

Result<std::vector<Inotify::Event>> Inotify::Read() {
  std::vector<Event> events;
  std::vector<char> buffer(kBufferBytes);
  const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return events;
    return Failure(Error::FromErrno("reading inotify events"));
  }
  std::string_view rest(buffer.data(), static_cast<size_t>(got));
  while (rest.size() >= sizeof(inotify_event)) {
    inotify_event event{};
    std::memcpy(&event, rest.data(), sizeof event);
    const std::string_view name = rest.substr(sizeof event, event.len);  // padded with NULs
    events.push_back({.watch = event.wd,
                      .mask = event.mask,
                      .cookie = event.cookie,
                      .name = std::string(name.substr(0, name.find('\0')))});
    rest.remove_prefix(sizeof event + name.size());
  }
  return events;
}

bool Inotify::Waits() const {
  int bytes = 0;
  return ::ioctl(fd_.get(), FIONREAD, &bytes) == 0 && bytes > 0;
}

}  // namespace cay::guest
