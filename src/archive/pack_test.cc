#include "archive/pack.h"

#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "archive/tar_reader.h"
#include "archive/test_directory.h"
#include "archive/unpack.h"

namespace cay::archive {
namespace {

class PackTest : public ::testing::Test {
 protected:
  std::string PackAll(const std::string& archive_name = ".") {
    StringSink sink;
    const auto report = Pack(from_.Open(), ".", archive_name, sink, options_);
    EXPECT_TRUE(report) << report.error().message();
    if (report) report_ = *report;
    return sink.text();
  }
  static std::vector<TarEntry> Entries(const std::string& tar) {
    StringSource source(tar);
    TarReader reader(source);
    std::vector<TarEntry> entries;
    while (true) {
      auto entry = reader.Next();
      EXPECT_TRUE(entry) << entry.error().message();
      if (!entry || !*entry) return entries;
      entries.push_back(**std::move(entry));
    }
  }
  static std::vector<std::string> Names(const std::string& tar) {
    std::vector<std::string> names;
    for (const TarEntry& entry : Entries(tar)) names.push_back(entry.path);
    return names;
  }
  void UnpackTo(const TestDirectory& to, const std::string& tar) {
    StringSource source(tar);
    const auto report = Unpack(source, to.Open(), {});
    ASSERT_TRUE(report) << report.error().message();
  }

  TestDirectory from_;
  PackOptions options_;
  PackReport report_;
};

TEST_F(PackTest, NamesStandUnderTheGivenName) {
  from_.MakeDir("b/c");
  from_.Put("a", "");
  EXPECT_EQ(Names(PackAll(".")), (std::vector<std::string>{"./", "./a", "./b/", "./b/c/"}));
  EXPECT_EQ(Names(PackAll("x")), (std::vector<std::string>{"x/", "x/a", "x/b/", "x/b/c/"}));
  StringSink file;
  ASSERT_TRUE(Pack(from_.Open(), "a", "renamed", file, options_));
  EXPECT_EQ(Names(file.text()), (std::vector<std::string>{"renamed"}));
}

TEST_F(PackTest, TreeSurvivesTheRoundTrip) {
  from_.MakeDir("dir/sub");
  from_.Put("dir/file", std::string(300'000, 'x') + "end");
  from_.Put("dir/caf\xc3\xa9 e\xcc\x81 \xff\n", "odd name");
  from_.Put("dir/" + std::string(200, 'n'), "long name");
  ASSERT_EQ(::symlink("/etc/passwd", (from_ / "dir/abs").c_str()), 0);
  ASSERT_EQ(::symlink(std::string(3000, 's').c_str(), (from_ / "dir/long").c_str()), 0);
  ASSERT_EQ(::link((from_ / "dir/file").c_str(), (from_ / "hard").c_str()), 0);
  ASSERT_EQ(::chmod((from_ / "dir/sub").c_str(), 0700), 0);
  const timespec times[2] = {{.tv_sec = 1, .tv_nsec = 1}, {.tv_sec = -5, .tv_nsec = 123'456'789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (from_ / "dir/file").c_str(), times, 0), 0);
  const TestDirectory to;
  UnpackTo(to, PackAll());
  EXPECT_EQ(to.Get("dir/file"), from_.Get("dir/file"));
  EXPECT_EQ(to.Get("dir/caf\xc3\xa9 e\xcc\x81 \xff\n"), "odd name");
  EXPECT_EQ(to.Get("dir/" + std::string(200, 'n')), "long name");
  EXPECT_EQ(to.StatOf("hard").st_ino, to.StatOf("dir/file").st_ino);
  EXPECT_EQ(to.StatOf("dir/long").st_size, 3000);
  EXPECT_EQ(to.StatOf("dir/sub").st_mode & 07777, 0700U);
  EXPECT_EQ(to.StatOf("dir/file").st_mtim.tv_sec, -5);
  EXPECT_EQ(to.StatOf("dir/file").st_mtim.tv_nsec, 123'456'789);
}

TEST_F(PackTest, SocketsFifosAndDevicesAreLeftOutAndCounted) {
  ASSERT_EQ(::mkfifo((from_ / "fifo").c_str(), 0666), 0);
  ASSERT_EQ(::mknod((from_ / "socket").c_str(), S_IFSOCK | 0666, 0), 0);
  from_.Put("file", "x");
  EXPECT_EQ(Names(PackAll()), (std::vector<std::string>{"./", "./file"}));
  EXPECT_EQ(report_.skipped_special, 2U);
  EXPECT_EQ(report_.first_problem, "./fifo");
}

TEST_F(PackTest, SparseFileOfExbibytesTakesAKilobyte) {
  from_.Put("sparse", "");
  const int raw = ::open((from_ / "sparse").c_str(), O_WRONLY | O_CLOEXEC);
  const Fd file = Fd::Adopt(raw);
  if (::ftruncate(raw, INT64_MAX - 4096) < 0) GTEST_SKIP() << "no such files here";
  ASSERT_EQ(::pwrite(raw, "data", 4, 1LL << 40), 4);
  const std::string tar = PackAll();
  EXPECT_LT(tar.size(), 64U * 1024);
  const auto entries = Entries(tar);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].size, static_cast<uint64_t>(INT64_MAX - 4096));
  EXPECT_EQ(entries[1].path, "./sparse");
}

TEST_F(PackTest, SparseFileComesOutTheSame) {
  from_.Put("sparse", "");
  const Fd file = Fd::Adopt(::open((from_ / "sparse").c_str(), O_RDWR | O_CLOEXEC));
  for (off_t at : {off_t{0}, off_t{1 << 20}, off_t{5 << 20}}) {
    ASSERT_EQ(::pwrite(file.get(), "data", 4, at), 4);
  }
  ASSERT_EQ(::ftruncate(file.get(), 9 << 20), 0);
  const TestDirectory to;
  UnpackTo(to, PackAll());
  EXPECT_EQ(to.Get("sparse"), from_.Get("sparse"));
  EXPECT_LT(to.StatOf("sparse").st_blocks, (1 << 20) / 512);
}

TEST_F(PackTest, TreeOfFourThousandLevelsSurvivesTheRoundTrip) {
  Fd at = from_.Open();
  for (int i = 0; i < 4096; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0755), 0);
    at = Fd::Adopt(::openat(at.get(), "d", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  const Fd leaf = Fd::Adopt(::openat(at.get(), "leaf", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  ASSERT_EQ(::write(leaf.get(), "leaf", 4), 4);
  const std::string tar = PackAll();
  EXPECT_EQ(report_.entries, 4098U);
  const TestDirectory to;
  UnpackTo(to, tar);
  Fd down = to.Open();
  for (int i = 0; i < 4096; ++i) {
    down = Fd::Adopt(::openat(down.get(), "d", O_PATH | O_DIRECTORY | O_CLOEXEC));
    ASSERT_GE(down.get(), 0) << i;
  }
  EXPECT_EQ(ReadFileAt(down.get(), "leaf"), "leaf");
}

TEST_F(PackTest, FileThatShrinksAndGrowsMeanwhileLeavesTheTarWellFormed) {
  from_.Put("a", std::string(1 << 20, 'x'));
  from_.Put("b", "last");
  std::atomic<bool> stop = false;
  std::thread changer([&] {
    for (off_t size = 0; !stop; size = (size + 12'345) % (2 << 20)) {
      if (::truncate((from_ / "a").c_str(), size) < 0) break;
    }
  });
  for (int i = 0; i < 50; ++i) {
    const auto names = Names(PackAll());
    ASSERT_TRUE(std::ranges::find(names, "./b") != names.end());
  }
  stop = true;
  changer.join();
}

TEST_F(PackTest, FilesThatMayNotBeReadAreLeftOutAndCounted) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  from_.Put("secret", "x");
  from_.Put("open", "x");
  from_.MakeDir("closed");
  ASSERT_EQ(::chmod((from_ / "secret").c_str(), 0), 0);
  ASSERT_EQ(::chmod((from_ / "closed").c_str(), 0), 0);
  ASSERT_EQ(::chmod(from_.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresgid(1000, 1000, 1000) < 0 || ::setresuid(1000, 1000, 1000) < 0) ::_exit(2);
    const auto names = Names(PackAll());
    ::_exit(names == std::vector<std::string>{"./", "./open"} && report_.skipped_unreadable == 2
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(PackTest, MoreThanAllowedIsAnErrorAndLeavesNoEndMarker) {
  from_.Put("a", std::string(5000, 'x'));
  from_.Put("b", "y");
  const auto fails = [&] {
    StringSink sink;
    const auto report = Pack(from_.Open(), ".", ".", sink, options_);
    EXPECT_EQ(report.error().code(), ErrorCode::kLimitTooHigh);
    StringSource source(sink.text());
    TarReader reader(source);
    while (true) {
      const auto entry = reader.Next();
      if (!entry) return;
      ASSERT_TRUE(*entry) << "a cut archive was taken for a whole one";
    }
  };
  options_.max_entries = 2;
  fails();
  options_.max_entries = 3;
  options_.max_bytes = 5000;
  fails();
}

TEST_F(PackTest, NothingThereIsNotFound) {
  StringSink sink;
  EXPECT_EQ(Pack(from_.Open(), "nothing", "x", sink, options_).error().code(),
            ErrorCode::kNotFound);
}

// What other programs write: every format of GNU tar, read by our reader.
TEST_F(PackTest, ArchivesOfGnuTarAreUnderstood) {
  if (std::system("tar --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "tar is not installed";
  from_.MakeDir("dir");
  from_.Put("dir/" + std::string(150, 'n'), "long name");
  from_.Put("dir/sparse", "");
  const Fd file = Fd::Adopt(::open((from_ / "dir/sparse").c_str(), O_RDWR | O_CLOEXEC));
  for (off_t i = 0; i < 40; ++i) ASSERT_EQ(::pwrite(file.get(), "data", 4, i << 16), 4);
  ASSERT_EQ(::ftruncate(file.get(), 4 << 20), 0);
  for (const std::string_view options :
       {"-S -H gnu", "-S -H oldgnu", "-S -H pax --sparse-version=0.0",
        "-S -H pax --sparse-version=0.1", "-S -H pax --sparse-version=1.0"}) {
    const TestDirectory work;
    const std::string command =
        "tar " + std::string(options) + " -C " + from_.path() + " -cf " + (work / "a.tar") + " .";
    ASSERT_EQ(std::system(command.c_str()), 0);
    const TestDirectory to;
    UnpackTo(to, *ReadFile(work / "a.tar", 128 << 20));
    EXPECT_EQ(to.Get("dir/" + std::string(150, 'n')), "long name") << options;
    EXPECT_EQ(to.Get("dir/sparse"), from_.Get("dir/sparse")) << options;
  }
}

// And what we write, read by GNU tar.
TEST_F(PackTest, ArchivesAreUnderstoodByGnuTar) {
  if (std::system("tar --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "tar is not installed";
  from_.MakeDir("dir");
  from_.Put("dir/" + std::string(150, 'n'), "long name");
  from_.Put("caf\xc3\xa9", "x");
  from_.Put("sparse", "");
  ASSERT_EQ(::truncate((from_ / "sparse").c_str(), 3 << 20), 0);
  const TestDirectory to;
  to.MakeDir("out");
  ASSERT_TRUE(WriteFileAtomic(to / "a.tar", PackAll(), 0600));
  const std::string command = "tar -C " + (to / "out") + " -xf " + (to / "a.tar") + " && diff -r " +
                              from_.path() + " " + (to / "out");
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace cay::archive
