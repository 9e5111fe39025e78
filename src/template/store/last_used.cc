#include "template/store/last_used.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "template/store/template_name.h"

namespace cay::templates {
namespace {

constexpr int64_t kGranularityMs = 60LL * 60 * 1000;

std::string Directory(const LayerStore& layers) { return layers.directory() + "/.used"; }

std::string PathOfUse(const LayerStore& layers, const std::string& name) {
  return Directory(layers) + "/" + FileNameOf(name);
}

}  // namespace

int64_t LastUseOf(const LayerStore& layers, const std::string& name) {
  struct stat info{};
  if (::lstat(PathOfUse(layers, name).c_str(), &info) < 0) return 0;
  return int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

void NoteUse(const LayerStore& layers, const std::string& name) {
  const int64_t age = UnixMs() - LastUseOf(layers, name);
  if (age >= 0 && age < kGranularityMs) return;
  if (!MakeDirectories(Directory(layers), 0700)) return;
  const auto file = sys::OpenAt(AT_FDCWD, PathOfUse(layers, name).c_str(),
                                O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  if (file) ::futimens(file->get(), nullptr);
}

void ForgetUse(const LayerStore& layers, const std::string& name) {
  ::unlink(PathOfUse(layers, name).c_str());
}

}  // namespace cay::templates
