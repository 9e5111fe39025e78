// The pages of a layer's files are the machine's: what a sandbox does must not take them out of
// memory.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/os/file.h"
#include "live_sandbox.h"

namespace cay::attacks {
namespace {

constexpr size_t kPages = 64;
constexpr size_t kPage = 4096;

// A file whose pages the host has in memory, and whose owner can ask for them.
class ResidentFile {
 public:
  explicit ResidentFile(std::string path) : path_(std::move(path)) {
    EXPECT_TRUE(WriteFileAtomic(path_, std::string(kPages * kPage, 'x'), 0755, /*durable=*/true));
    EXPECT_TRUE(ReadFile(path_));
  }
  ~ResidentFile() { ::unlink(path_.c_str()); }
  ResidentFile(const ResidentFile&) = delete;
  ResidentFile& operator=(const ResidentFile&) = delete;

  size_t Resident() const {
    const Fd fd = Fd::Adopt(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    void* const start = ::mmap(nullptr, kPages * kPage, PROT_READ, MAP_SHARED, fd.get(), 0);
    std::vector<unsigned char> pages(kPages);
    EXPECT_EQ(::mincore(start, kPages * kPage, pages.data()), 0);
    ::munmap(start, kPages * kPage);
    return static_cast<size_t>(
        std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; }));
  }

 private:
  std::string path_;
};

class PageCache : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    std::filesystem::create_directories(root_ + "/usr");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  const std::string root_ = Arena::Own().directory() + "/page-cache-layer";
};

TEST_F(PageCache, NobodyInsideEvictsPagesOfALayer) {
  const ResidentFile file(root_ + "/usr/file");
  ASSERT_EQ(file.Resident(), kPages);
  const auto engine = StartEngine(Arena::Own());
  engine::HostLayers root = engine::HostLayersOf(HostTemplate(Arena::Own()));
  // On top of the host's own /usr, as any layer is.
  for (engine::Overlay& overlay : root.overlays) {
    if (overlay.target == "/usr") overlay.layers.insert(overlay.layers.begin(), root_ + "/usr");
  }
  const LiveSandbox sandbox(*engine, root);
  for (const char* user : {"", "0"}) {
    const std::string said =
        sandbox.Execute({"/attack/attack-victim", "evict", "/usr/file"}, user).LastLine();
    EXPECT_EQ(said, "cold refused EINVAL, pageout refused EINVAL, dontneed done") << user;
    EXPECT_EQ(file.Resident(), kPages) << user;
  }
}

TEST_F(PageCache, NobodyInsideEvictsPagesOfAMount) {
  const ResidentFile file(Arena::Own().directory() + "/bin/resident");
  ASSERT_EQ(file.Resident(), kPages);
  EXPECT_EQ(VerdictOf(Arena::Own().Attack("evict /attack/resident")->Wait()),
            "cold refused EINVAL, pageout refused EINVAL, dontneed done");
  EXPECT_EQ(file.Resident(), kPages);
}

TEST_F(PageCache, TheSameProgramOutsideDoes) {
  const ResidentFile file(root_ + "/usr/file");
  ASSERT_EQ(file.Resident(), kPages);
  EXPECT_EQ(VerdictOf(Arena::Own().Outside("evict " + root_ + "/usr/file")->Wait()),
            "cold done, pageout done, dontneed done");
  EXPECT_LT(file.Resident(), kPages);
}

}  // namespace
}  // namespace cay::attacks
