// The file operations of the host, asked of a guest whose file system hostile code shapes. They
// must not lead out, must not do more than the requested user may, and must not hang.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "live_sandbox.h"

namespace cay::attacks {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kSecret = "only-root-may-read-this";

class FileApi : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (::geteuid() == 0) engine_ = StartEngine(Arena::Own());
  }
  static void TearDownTestSuite() { engine_.reset(); }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    sandbox_ = std::make_unique<LiveSandbox>(*engine_, HostTemplate(Arena::Own()));
  }

  const GuestChannel& guest() const { return sandbox_->guest(); }

  Result<std::string> Read(const std::string& path, const std::string& user = {},
                           uint64_t length = 1 << 20) {
    std::string text;
    TRY(guest().ReadFile({.user = user, .path = path, .length = length},
                         [&text](std::string_view bytes) -> Result<void> {
                           text += bytes;
                           return {};
                         }));
    return text;
  }
  Result<void> Write(const std::string& path, const std::string& text,
                     const std::string& user = {}) {
    TRY(guest().WriteFile({.user = user, .path = path, .mode = 0600}, TextSource(text)));
    return {};
  }
  // A directory that only the sandbox's root may enter, with a secret.
  void MakeRootsOwn() {
    ASSERT_TRUE(
        guest().MakeDirectory({.user = "0", .path = "/root/own", .mode = 0700, .parents = true}));
    ASSERT_TRUE(Write("/root/own/secret", kSecret, "0"));
  }

  static std::unique_ptr<engine::native::NativeEngine> engine_;
  std::unique_ptr<LiveSandbox> sandbox_;
};

std::unique_ptr<engine::native::NativeEngine> FileApi::engine_;

TEST_F(FileApi, ReadsAndWritesWhatTheUserMay) {
  ASSERT_TRUE(Write("/tmp/file", "text"));
  EXPECT_EQ(*Read("/tmp/file"), "text");
}

TEST_F(FileApi, ActsWithTheRightsOfTheUserAndNotOfTheGuest) {
  MakeRootsOwn();
  EXPECT_FALSE(Read("/root/own/secret"));
  EXPECT_FALSE(Write("/root/own/new", "x"));
  EXPECT_FALSE(Write("/etc/passwd", "x"));
  EXPECT_FALSE(guest().Remove({.user = "", .path = "/root/own/secret"}));
  EXPECT_FALSE(guest().Move({.user = "", .from = "/root/own/secret", .to = "/tmp/secret"}));
  EXPECT_FALSE(guest().ChangeMode({.user = "", .path = "/root/own/secret", .mode = 0777}));
  EXPECT_FALSE(guest().ChangeMode({.user = "", .path = "/etc/passwd", .mode = 0777}));
  EXPECT_EQ(*Read("/root/own/secret", "0"), kSecret);
}

TEST_F(FileApi, FollowsNoLinkToWhereTheUserMayNotGo) {
  MakeRootsOwn();
  ASSERT_EQ(sandbox_->Run("make_links /tmp/links"), "made");
  ASSERT_EQ(sandbox_->Execute({"ln", "-s", "/root/own/secret", "/tmp/links/secret"}).exit_code, 0);
  EXPECT_FALSE(Read("/tmp/links/secret"));
  EXPECT_FALSE(Write("/tmp/links/secret", "x"));
  ASSERT_EQ(sandbox_->Execute({"ln", "-s", "/root/own/new", "/tmp/links/new"}).exit_code, 0);
  EXPECT_FALSE(Write("/tmp/links/new", "x"));
  EXPECT_EQ(*Read("/root/own/secret", "0"), kSecret);
  EXPECT_FALSE(guest().Stat({.user = "0", .path = "/root/own/new", .follow = false}));
}

TEST_F(FileApi, FollowsNoMagicLinkOfProc) {
  ASSERT_EQ(sandbox_->Run("make_links /tmp/links"), "made");
  for (const char* user : {"", "0"}) {
    EXPECT_FALSE(Read("/tmp/links/guest_memory", user));
    EXPECT_FALSE(Read("/tmp/links/guest_root/etc/passwd", user));
    EXPECT_FALSE(Read("/tmp/links/own_root/etc/passwd", user));
    EXPECT_FALSE(Read("/tmp/links/descriptor", user));
    EXPECT_FALSE(Read("/proc/self/root/etc/passwd", user));
    EXPECT_FALSE(Write("/proc/self/exe", "x", user));
    EXPECT_FALSE(Write("/proc/1/exe", "x", user));
    EXPECT_FALSE(Write("/proc/1/mem", "x", user));
  }
}

TEST_F(FileApi, PathsWithDotsStayInside) {
  const std::string host = Arena::Own().victim();
  EXPECT_FALSE(Read("/../../../../../../../../.." + host));
  EXPECT_FALSE(Read("/tmp/../../../../.." + host));
  EXPECT_FALSE(Read(host));
  EXPECT_FALSE(Read("relative"));
  EXPECT_FALSE(Read(std::string("/tmp/a\0b", 8)));
  EXPECT_FALSE(Read("/" + std::string(5000, 'a')));
}

// The code swaps a directory for a symlink to a directory of root's as fast as it can.
TEST_F(FileApi, LosesNoRaceAgainstSwappedDirectories) {
  MakeRootsOwn();
  auto swapper = sandbox_->Start({"/attack/attack-victim", "swap_race", "/tmp/race", "/root/own"});
  const auto made = Clock::now() + std::chrono::seconds(10);
  while (!guest().Stat({.user = "", .path = "/tmp/race/l", .follow = false}) &&
         Clock::now() < made) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  // Where this one leads is decided while it is followed.
  ASSERT_EQ(sandbox_->Execute({"ln", "-s", "/tmp/race/d/followed", "/tmp/race/file"}).exit_code, 0);
  // 100,000 swaps take about a second; the host tries meanwhile.
  unsigned reads = 0;
  unsigned writes = 0;
  for (const auto end = Clock::now() + std::chrono::seconds(4); Clock::now() < end;) {
    if (const auto text = Read("/tmp/race/d/secret")) {
      ASSERT_NE(*text, kSecret);
    }
    ++reads;
    if (Write("/tmp/race/d/written", "x")) ++writes;
    if (Write("/tmp/race/file", "x")) ++writes;
    const auto moved = guest().Move(
        {.user = "", .from = "/tmp/race/d/written", .to = "/tmp/race/l/moved", .replace = true});
    if (moved) ++writes;
    const auto removed = guest().Remove({.user = "", .path = "/tmp/race/d/secret"});
    EXPECT_FALSE(removed);
  }
  ASSERT_TRUE(swapper.CloseStdin());
  const CommandResult result = Finish(swapper);
  const size_t swaps =
      std::strtoul(result.LastLine().c_str() + std::strlen("swapped "), nullptr, 10);
  EXPECT_GE(swaps, 100'000U) << result.out;
  EXPECT_GT(reads, 50U);
  EXPECT_GT(writes, 0U);
  EXPECT_FALSE(Read("/root/own/written", "0"));
  EXPECT_FALSE(Read("/root/own/moved", "0"));
  EXPECT_FALSE(Read("/root/own/followed", "0"));
  EXPECT_EQ(*Read("/root/own/secret", "0"), kSecret);
}

class HostileTree : public FileApi {
 protected:
  static constexpr int kDepth = 4096;
  void SetUp() override {
    FileApi::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(sandbox_->Run("hostile_tree /tmp/tree " + std::to_string(kDepth)), "made");
  }
  void TearDown() override {
    if (sandbox_) {
      EXPECT_TRUE(guest().Ping()) << "the guest is gone";
    }
  }
};

TEST_F(HostileTree, SpecialFilesAreNotReadAndDoNotBlock) {
  const auto begin = Clock::now();
  EXPECT_FALSE(Read("/tmp/tree/fifo"));
  EXPECT_FALSE(Read("/tmp/tree/socket"));
  EXPECT_FALSE(Read("/tmp/tree/loop"));
  EXPECT_FALSE(Read("/dev/zero"));
  EXPECT_FALSE(Read("/tmp/tree"));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
  const auto replaced = Write("/tmp/tree/fifo", "text");  // by a regular file, or refused
  if (replaced) {
    EXPECT_EQ(*Read("/tmp/tree/fifo"), "text");
  }
}

TEST_F(HostileTree, AHugeSparseFileIsReadOnlyAsFarAsAsked) {
  const auto info = guest().Stat({.user = "", .path = "/tmp/tree/sparse"});
  ASSERT_TRUE(info);
  EXPECT_GE(info->size, uint64_t{1} << 29);
  EXPECT_EQ(Read("/tmp/tree/sparse", "", 4096)->size(), 4096U);
}

TEST_F(HostileTree, IsListedWithinBounds) {
  uint64_t entries = 0;
  const auto count = [&entries](const protocol::FileInfo&) -> Result<void> {
    ++entries;
    return {};
  };
  EXPECT_TRUE(guest().List({.user = "", .path = "/tmp/tree", .depth = 1024}, count));
  EXPECT_GE(entries, 1000U);
  entries = 0;
  EXPECT_FALSE(
      guest().List({.user = "", .path = "/tmp/tree", .depth = 1024, .max_entries = 10}, count));
  EXPECT_LE(entries, 10U);
}

TEST_F(HostileTree, IsArchivedWithinBounds) {
  uint64_t bytes = 0;
  const auto count = [&bytes](std::string_view text) -> Result<void> {
    bytes += text.size();
    return {};
  };
  const auto archived =
      guest().ArchiveOut({.user = "", .path = "/tmp/tree", .max_bytes = 1 << 20}, count);
  EXPECT_LT(bytes, uint64_t{64} << 20);
  if (!archived) {
    EXPECT_EQ(archived.error().code(), ErrorCode::kLimitTooHigh);
  }
}

TEST_F(HostileTree, IsRemoved) {
  EXPECT_TRUE(guest().Remove({.user = "", .path = "/tmp/tree", .recursive = true}));
  EXPECT_FALSE(guest().Stat({.user = "", .path = "/tmp/tree"}));
}

// One entry of a tar, in the ustar format of POSIX.1-1988, with a given size field.
std::string TarEntry(const std::string& name, char type, const std::string& link = {},
                     const std::string& content = {}, unsigned mode = 0644,
                     const char* size_field = nullptr) {
  std::string block(512, '\0');
  std::memcpy(block.data(), name.data(), std::min<size_t>(name.size(), 100));
  std::snprintf(&block[100], 8, "%07o", mode);
  std::snprintf(&block[108], 8, "%07o", 0U);
  std::snprintf(&block[116], 8, "%07o", 0U);
  if (size_field != nullptr) {
    std::memcpy(&block[124], size_field, 12);
  } else {
    std::snprintf(&block[124], 12, "%011zo", content.size());
  }
  std::snprintf(&block[136], 12, "%011o", 0U);
  block[156] = type;
  std::memcpy(&block[157], link.data(), std::min<size_t>(link.size(), 100));
  std::memcpy(&block[257], "ustar\00000", 8);
  if (type == '3' || type == '4') {
    std::snprintf(&block[329], 8, "%07o", 1U);
    std::snprintf(&block[337], 8, "%07o", 1U);
  }
  std::memset(&block[148], ' ', 8);
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  std::snprintf(&block[148], 8, "%06o", sum);
  block += content;
  block.resize((block.size() + 511) / 512 * 512, '\0');
  return block;
}

std::string TarEnd() { return std::string(1024, '\0'); }

struct HostileArchive {
  const char* name;
  std::string (*make)();
};

const HostileArchive kArchives[] = {
    {"DotDot", [] { return TarEntry("../escaped", '0', "", "x") + TarEnd(); }},
    {"DotDotInTheMiddle", [] { return TarEntry("a/../../escaped", '0', "", "x") + TarEnd(); }},
    {"Absolute", [] { return TarEntry("/tmp/escaped", '0', "", "x") + TarEnd(); }},
    {"ThroughASymlink",
     [] {
       return TarEntry("link", '2', "/tmp") + TarEntry("link/escaped", '0', "", "x") + TarEnd();
     }},
    {"ThroughARelativeSymlink",
     [] {
       return TarEntry("link", '2', "..") + TarEntry("link/escaped", '0', "", "x") + TarEnd();
     }},
    {"HardLinkToSecret",
     [] {
       return TarEntry("escaped", '1', "/root/own/secret") +
              TarEntry("escaped", '0', "", "overwritten") + TarEnd();
     }},
    {"HardLinkThroughASymlink",
     [] {
       return TarEntry("link", '2', "/root/own") + TarEntry("hard", '1', "link/secret") + TarEnd();
     }},
    {"OverwritesThroughASymlink",
     [] {
       return TarEntry("file", '2', "/root/own/secret") + TarEntry("file", '0', "", "x") + TarEnd();
     }},
    {"CharacterDevice", [] { return TarEntry("device", '3') + TarEnd(); }},
    {"BlockDevice", [] { return TarEntry("device", '4') + TarEnd(); }},
    {"Fifo", [] { return TarEntry("fifo", '6') + TarEnd(); }},
    {"HugeSize", [] { return TarEntry("huge", '0', "", "x", 0644, "777777777777") + TarEnd(); }},
    {"NegativeSize",
     [] {
       return TarEntry("negative", '0', "", "x", 0644,
                       "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0");
     }},
    {"Garbage", [] { return std::string(100'000, '\xa5'); }},
    {"Cut", [] { return TarEntry("file", '0', "", std::string(4096, 'x')).substr(0, 1000); }},
};

void PrintTo(const HostileArchive& archive, std::ostream* out) { *out << archive.name; }

template <class T>
std::string ParameterName(const testing::TestParamInfo<T>& info) {
  return info.param.name;
}

class ArchiveIn : public FileApi, public testing::WithParamInterface<HostileArchive> {};

TEST_P(ArchiveIn, WritesNothingOutsideItsDirectory) {
  MakeRootsOwn();
  for (const char* user : {"", "0"}) {
    const std::string archive = GetParam().make();
    // Refused or done in part: only what it leads to matters.
    protocol::ArchiveInRequest request;
    request.user = user;
    request.path = "/tmp/into/here";
    (void)guest().ArchiveIn(request, TextSource(archive));
    EXPECT_FALSE(guest().Stat({.user = "0", .path = "/tmp/escaped", .follow = false}));
    EXPECT_FALSE(guest().Stat({.user = "0", .path = "/tmp/into/escaped", .follow = false}));
    EXPECT_EQ(*Read("/root/own/secret", "0"), kSecret);
    const auto device = guest().Stat({.user = "0", .path = "/tmp/into/here/device"});
    EXPECT_FALSE(device);
    EXPECT_TRUE(guest().Ping());
  }
}

INSTANTIATE_TEST_SUITE_P(Of, ArchiveIn, testing::ValuesIn(kArchives),
                         ParameterName<HostileArchive>);

TEST_F(FileApi, AnArchiveBringsNoSetuidBits) {
  const std::string archive = TarEntry("program", '0', "", "x", 06755) + TarEnd();
  protocol::ArchiveInRequest request;
  request.user = "0";
  request.path = "/tmp/in";
  ASSERT_TRUE(guest().ArchiveIn(request, TextSource(archive)));
  const auto info = guest().Stat({.user = "0", .path = "/tmp/in/program"});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->mode & 06000U, 0U);
}

}  // namespace

}  // namespace cay::attacks
