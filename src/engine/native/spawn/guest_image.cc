#include "engine/native/spawn/guest_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/os/file.h"

// NOLINTBEGIN(readability-identifier-naming): symbols of the assembler
extern "C" {
extern const char cay_guest_image_begin[];
extern const char cay_guest_image_end[];
}
// NOLINTEND(readability-identifier-naming)

namespace cay::engine::native {
namespace {

constexpr unsigned kMfdExec = 0x10;  // linux/memfd.h, Linux 6.3

int CreateMemfd() {
  const int exec = ::memfd_create("cay-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING | kMfdExec);
  if (exec >= 0 || errno != EINVAL) return exec;
  return ::memfd_create("cay-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

}  // namespace

std::string_view GuestProgram() {
  return {cay_guest_image_begin, static_cast<size_t>(cay_guest_image_end - cay_guest_image_begin)};
}

Result<Fd> MakeGuestImage() {
  const int raw = CreateMemfd();
  if (raw < 0) return Failure(Error::FromErrno("memfd_create"));
  Fd image = Fd::Adopt(raw);
  TRY(WriteAll(image.get(), GuestProgram()));
  // Not readable: then the kernel takes what it becomes for nobody's inside, and its files in /proc
  // belong to no id there, as long as it is not dumpable (would_dump in fs/exec.c).
  if (::fchmod(image.get(), 0111) < 0)
    return Failure(Error::FromErrno("fchmod of the guest's image"));
  if (::fcntl(image.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
      0) {
    return Failure(Error::FromErrno("sealing the guest's image"));
  }
  return image;
}

}  // namespace cay::engine::native
