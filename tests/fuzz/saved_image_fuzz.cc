// Archives of images that somebody else made: whatever the bytes, looking for the image in one ends
// in an image or an error, and a layer that it gives lies inside the archive.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/file.h"
#include "tar_checksums.h"
#include "template/saved/open_archive.h"
#include "template/saved/saved_image.h"

namespace {

using cay::Fd;

void Look(std::string_view bytes) {
  const int raw = ::memfd_create("archive", MFD_CLOEXEC);
  if (raw < 0) std::abort();
  Fd file = Fd::Adopt(raw);
  if (!cay::WriteAll(raw, bytes)) std::abort();
  static const Fd spool = Fd::Adopt(::open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto opened = cay::templates::OpenArchive(std::move(file), spool, {.max_spooled = 1 << 20});
  if (!opened) return;
  if (!opened->images) {
    if (!opened->tar) std::abort();
    return;
  }
  for (const char* tag : {"", "app:1.2", "1"}) {
    const auto found = cay::templates::FindSavedImage(
        *opened->images,
        {.tag = tag, .platform = *cay::templates::oci::Platform::Parse("linux/amd64")});
    if (!found) continue;
    if (found->layers.size() != found->config.diff_ids.size()) std::abort();
    for (const auto& layer : found->layers) {
      std::vector<char> buffer(4096);
      const auto source = layer.file.Open();
      uint64_t sum = 0;
      while (const size_t got = source->Read(buffer).value_or(0)) sum += got;
      if (sum > layer.file.size || layer.blob.size != layer.file.size) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Look(bytes);
  Look(cay::fuzz::WithChecksums(bytes));
  return 0;
}
