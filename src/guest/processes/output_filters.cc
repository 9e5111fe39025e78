#include "guest/processes/output_filters.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "guest/io/proc_files.h"

namespace cay::guest {
namespace {

struct Holder {
  pid_t pid = 0;
  bool holds_output = false;
  std::optional<PipeNumber> reads{};  // the pipe that is its standard input
  std::vector<PipeNumber> writes{};   // pipes, each as often as it is open
};

// One descriptor of another process: what it leads to, and for what it is open.
struct Link {
  std::optional<PipeNumber> pipe;
  std::optional<uint64_t> device;  // of a character device
  bool readable = false;
  bool writable = false;
};

// The link's own mode says for what the descriptor is open (proc(5)). Nothing where it has gone. No
// filesystem is waited for: what one remembers will do, and pipes and terminals are the kernel's
// own.
std::optional<Link> ReadLink(const Fd& proc, const std::string& path) {
  struct stat own{};
  struct statx target{};
  if (::fstatat(proc.get(), path.c_str(), &own, AT_SYMLINK_NOFOLLOW) < 0) return std::nullopt;
  if (::statx(proc.get(), path.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &target) < 0) {
    return std::nullopt;
  }
  Link link{.pipe = std::nullopt,
            .device = std::nullopt,
            .readable = (own.st_mode & S_IRUSR) != 0,
            .writable = (own.st_mode & S_IWUSR) != 0};
  if (S_ISFIFO(target.stx_mode)) {
    link.pipe = {.device = makedev(target.stx_dev_major, target.stx_dev_minor),
                 .inode = target.stx_ino};
  } else if (S_ISCHR(target.stx_mode)) {
    link.device = makedev(target.stx_rdev_major, target.stx_rdev_minor);
  }
  return link;
}

void Note(Holder& holder, const Link& link, bool is_input, const OutputEnds& output) {
  if (is_input && link.readable) holder.reads = link.pipe;
  if (!link.writable) return;
  if (!link.pipe) {
    holder.holds_output |= link.device && link.device == output.terminal;
  } else if (std::ranges::find(output.pipes, *link.pipe) != output.pipes.end()) {
    holder.holds_output = true;
  } else {
    holder.writes.push_back(*link.pipe);
  }
}

// Every process that has a descriptor; nothing when they have too many.
Result<std::optional<std::vector<Holder>>> FindHolders(const Fd& proc, const OutputEnds& output,
                                                       size_t most) {
  std::vector<Holder> holders;
  size_t seen = 0;
  TRY(ForEachNumber(proc, ".", [&](pid_t pid) {
    if (pid == ::getpid() || seen > most) return;
    const std::string directory = std::to_string(pid) + "/fd";
    Holder holder{.pid = pid};
    const auto look = [&](const std::string& name, bool is_input) {
      if (++seen > most) return;
      if (const auto link = ReadLink(proc, directory + "/" + name)) {
        Note(holder, *link, is_input, output);
      }
    };
    look("0", true);  // which is no pid, and so not among the numbers
    // A process that has ended meanwhile holds nothing.
    static_cast<void>(
        ForEachNumber(proc, directory, [&](pid_t number) { look(std::to_string(number), false); }));
    holders.push_back(std::move(holder));
  }));
  if (seen > most) return std::nullopt;
  return holders;
}

// Those whose input comes to its end by itself: from the first that nobody feeds on, in the order
// in which they come to it. Who feeds itself, or is fed in a circle, is not among them.
std::vector<const Holder*> FindEnding(const std::vector<Holder>& holders,
                                      const OutputEnds& output) {
  std::map<PipeNumber, size_t> feeders;
  std::multimap<PipeNumber, const Holder*> readers;
  for (const Holder& holder : holders) {
    for (const PipeNumber& pipe : holder.writes) ++feeders[pipe];
    if (holder.reads && holder.reads != output.input) readers.emplace(*holder.reads, &holder);
  }
  std::vector<const Holder*> ending;
  for (const auto& [pipe, reader] : readers) {
    if (!feeders.contains(pipe)) ending.push_back(reader);
  }
  for (size_t next = 0; next < ending.size(); ++next) {
    for (const PipeNumber& pipe : ending[next]->writes) {
      if (--feeders[pipe] > 0) continue;
      const auto [first, last] = readers.equal_range(pipe);
      for (auto reader = first; reader != last; ++reader) ending.push_back(reader->second);
    }
  }
  return ending;
}

// What is in the pipe that is its standard input; 0 when that is something else by now. Only what
// is known to be that pipe is opened: an open of anything else may wait, or do something.
uint64_t Unread(const Fd& proc, const Holder& holder) {
  const std::string theirs = std::to_string(holder.pid) + "/fd/0";
  const int path = ::openat(proc.get(), theirs.c_str(), O_PATH | O_CLOEXEC);
  if (path < 0) return 0;
  const Fd named = Fd::Adopt(path);
  if (NumberOfPipe(named) != holder.reads) return 0;
  const std::string ours = "self/fd/" + std::to_string(path);
  const int raw = ::openat(proc.get(), ours.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (raw < 0) return 0;
  return UnreadBytes(Fd::Adopt(raw));
}

}  // namespace

std::optional<PipeNumber> NumberOfPipe(const Fd& end) {
  struct stat info{};
  if (::fstat(end.get(), &info) < 0 || !S_ISFIFO(info.st_mode)) return std::nullopt;
  return PipeNumber{.device = info.st_dev, .inode = info.st_ino};
}

size_t UnreadBytes(const Fd& reading_end) {
  int there = 0;
  const bool known = ::ioctl(reading_end.get(), FIONREAD, &there) == 0 && there > 0;
  return known ? static_cast<size_t>(there) : 0;
}

Result<FiltersLeft> FindOutputFilters(const Fd& proc, const OutputEnds& output, size_t most) {
  const std::optional<std::vector<Holder>> holders = TRY(FindHolders(proc, output, most));
  FiltersLeft left;
  if (!holders) return left;
  const std::vector<const Holder*> ending = FindEnding(*holders, output);
  left.any = std::ranges::any_of(ending, &Holder::holds_output);
  if (!left.any) return left;
  for (const Holder* holder : ending) left.unread += Unread(proc, *holder);
  return left;
}

}  // namespace cay::guest
