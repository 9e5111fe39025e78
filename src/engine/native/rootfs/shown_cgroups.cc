#include "engine/native/rootfs/shown_cgroups.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "base/text.h"
#include "engine/native/rootfs/cover.h"

namespace cay::engine::native {
namespace {

constexpr size_t kMaxProcCgroups = 64 * kKiB;

}  // namespace

void AddClonedCgroups(const std::vector<CgroupView>& views, std::vector<PlacedMount>& mounts) {
  const auto root = sys::OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
  if (!root) return;
  for (const CgroupView& view : views) {
    auto clone = ReadOnlyClone(*root, view.source.c_str());
    if (!clone) continue;
    mounts.push_back({"/sys/fs/cgroup" + (view.target.empty() ? "" : "/" + view.target),
                      view.directory ? Place::kDirectory : Place::kFile, *std::move(clone)});
  }
}

std::string WithoutCounts(std::string_view proc_cgroups) {
  std::string text;
  for (const std::string_view line : Split(proc_cgroups, '\n')) {
    const auto words = Split(line, '\t');  // subsys_name, hierarchy, num_cgroups, enabled
    if (line.starts_with('#')) {
      text += std::string(line) + "\n";
    } else if (words.size() == 4) {
      text += std::string(words[0]) + "\t" + std::string(words[1]) + "\t1\t" +
              std::string(words[3]) + "\n";
    }
  }
  return text;
}

Result<std::string> ProcCgroupsWithoutCounts(const Fd& proc) {
  return WithoutCounts(
      TRY(ReadFile("/proc/self/fd/" + std::to_string(proc.get()) + "/cgroups", kMaxProcCgroups)));
}

}  // namespace cay::engine::native
