#include "archive/unpack.h"

#include <sys/xattr.h>

#include <atomic>
#include <thread>

#include "archive/compression.h"
#include "archive/tar_writer.h"
#include "archive/test_directory.h"

namespace cay::archive {
namespace {

TarEntry File(std::string path, std::string_view content) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.mode = 0644;
  entry.size = content.size();
  return entry;
}

TarEntry Other(EntryType type, std::string path, std::string target = {}) {
  TarEntry entry;
  entry.type = type;
  entry.path = std::move(path);
  entry.link_target = std::move(target);
  entry.mode = 0755;
  return entry;
}

// An archive as a test wants it, hostile or not.
class Archive {
 public:
  Archive& Add(const TarEntry& entry, std::string_view content = {}) {
    EXPECT_TRUE(writer_.Begin(entry));
    EXPECT_TRUE(writer_.WriteData(content));
    EXPECT_TRUE(writer_.End());
    return *this;
  }
  Archive& AddFile(const std::string& path, std::string_view content) {
    return Add(File(path, content), content);
  }
  std::string Finish() {
    EXPECT_TRUE(writer_.Finish());
    return sink_.text();
  }

 private:
  StringSink sink_;
  TarWriter writer_{sink_};
};

class UnpackTest : public ::testing::Test {
 protected:
  Result<UnpackReport> Into(const TestDirectory& directory, const std::string& tar) {
    StringSource source(tar);
    return Unpack(source, directory.Open(), options_);
  }
  // The error of unpacking into `to_`.
  std::string Refusal(Archive& archive) {
    const auto report = Into(to_, archive.Finish());
    EXPECT_FALSE(report);
    return report ? "" : report.error().message();
  }

  TestDirectory to_;
  TestDirectory outside_;
  UnpackOptions options_;
};

TEST_F(UnpackTest, FilesDirectoriesAndLinksComeOutAsTheyWere) {
  Archive archive;
  TarEntry script = File("dir/run.sh", "#!/bin/sh\n");
  script.mode = 0750;
  script.mtime = {.seconds = 1'600'000'000, .nanoseconds = 5};
  archive.Add(Other(EntryType::kDirectory, "dir/"))
      .Add(script, "#!/bin/sh\n")
      .Add(Other(EntryType::kSymlink, "dir/link", "run.sh"))
      .Add(Other(EntryType::kHardLink, "hard", "dir/run.sh"));
  const auto report = Into(to_, archive.Finish());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->entries, 4U);
  EXPECT_EQ(to_.Get("dir/link"), "#!/bin/sh\n");
  EXPECT_EQ(to_.StatOf("dir/run.sh").st_mode & 07777, 0750U);
  EXPECT_EQ(to_.StatOf("dir/run.sh").st_mtim.tv_nsec, 5);
  EXPECT_EQ(to_.StatOf("hard").st_ino, to_.StatOf("dir/run.sh").st_ino);
}

TEST_F(UnpackTest, NamesThatLeaveTheDirectoryAreRefused) {
  for (const char* const name : {"../evil", "a/../../evil", "/tmp/cay-evil", "..", "a/.."}) {
    Archive archive;
    archive.AddFile(name, "x");
    EXPECT_NE(Refusal(archive), "");
  }
  EXPECT_FALSE(to_.Exists("../evil"));
}

TEST_F(UnpackTest, SymlinkOfTheArchiveIsNotWrittenThrough) {
  Archive archive;
  archive.Add(Other(EntryType::kSymlink, "out", outside_.path())).AddFile("out/evil", "x");
  EXPECT_EQ(Refusal(archive),
            "archive: \"out\" is a symlink or a file, and the archive would go through it");
  EXPECT_FALSE(outside_.Exists("evil"));
}

TEST_F(UnpackTest, DirectoryOverASymlinkIsRefused) {
  outside_.MakeDir("sub");
  Archive archive;
  archive.Add(Other(EntryType::kSymlink, "out", outside_ / "sub"));
  TarEntry directory = Other(EntryType::kDirectory, "out/");
  directory.mode = 0777;
  archive.Add(directory);
  EXPECT_EQ(Refusal(archive), "archive: \"out/\" is there already and is not a directory");
  EXPECT_EQ(outside_.StatOf("sub").st_mode & 0777, 0755U);
}

TEST_F(UnpackTest, FileOverASymlinkReplacesTheSymlink) {
  outside_.Put("victim", "keep");
  Archive archive;
  archive.Add(Other(EntryType::kSymlink, "name", outside_ / "victim")).AddFile("name", "new");
  ASSERT_TRUE(Into(to_, archive.Finish()));
  EXPECT_EQ(outside_.Get("victim"), "keep");
  EXPECT_EQ(to_.Get("name"), "new");
}

TEST_F(UnpackTest, HardlinkToTheOutsideIsRefused) {
  outside_.Put("victim", "keep");
  for (const std::string& target : {outside_ / "victim", std::string("../victim")}) {
    Archive archive;
    archive.Add(Other(EntryType::kHardLink, "hard", target));
    EXPECT_NE(Refusal(archive), "");
  }
  Archive archive;
  archive.Add(Other(EntryType::kSymlink, "out", outside_.path()))
      .Add(Other(EntryType::kHardLink, "hard", "out/victim"));
  EXPECT_NE(Refusal(archive), "");
  EXPECT_EQ(outside_.StatOf("victim").st_nlink, 1U);
}

TEST_F(UnpackTest, HardlinkToASymlinkOrDirectoryIsRefused) {
  Archive archive;
  archive.Add(Other(EntryType::kSymlink, "s", "/etc/passwd"))
      .Add(Other(EntryType::kHardLink, "hard", "s"));
  EXPECT_NE(Refusal(archive).find("is not a regular file"), std::string::npos);
}

TEST_F(UnpackTest, FileThatIsALinkOfAnotherIsReplacedAndNotWrittenThrough) {
  to_.Put("precious", "keep");
  Archive archive;
  archive.Add(Other(EntryType::kHardLink, "alias", "precious")).AddFile("alias", "new");
  ASSERT_TRUE(Into(to_, archive.Finish()));
  EXPECT_EQ(to_.Get("precious"), "keep");
  EXPECT_EQ(to_.Get("alias"), "new");
}

TEST_F(UnpackTest, HardlinkToItselfLosesNothing) {
  Archive archive;
  archive.AddFile("a", "x").Add(Other(EntryType::kHardLink, "a", "./a"));
  ASSERT_TRUE(Into(to_, archive.Finish()));
  EXPECT_EQ(to_.Get("a"), "x");
}

TEST_F(UnpackTest, SetuidSetgidAndStickyAreStrippedAndCounted) {
  Archive archive;
  for (const mode_t mode : {04755U, 02755U, 01755U}) {
    TarEntry entry = File("f" + std::to_string(mode), "");
    entry.mode = mode;
    archive.Add(entry);
  }
  TarEntry directory = Other(EntryType::kDirectory, "tmp/");
  directory.mode = 07777;
  archive.Add(directory);
  const std::string tar = archive.Finish();
  const auto report = Into(to_, tar);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->stripped_modes, 4U);
  EXPECT_EQ(to_.StatOf("f" + std::to_string(04755)).st_mode & 07777, 0755U);
  EXPECT_EQ(to_.StatOf("tmp").st_mode & 07777, 0777U);
  options_.keep_sticky_directories = true;
  ASSERT_TRUE(Into(to_, tar));
  EXPECT_EQ(to_.StatOf("tmp").st_mode & 07777, 01777U);
}

TEST_F(UnpackTest, DevicesAndFifosAreSkippedAndCountedOrRefused) {
  TarEntry device = Other(EntryType::kCharDevice, "null");
  device.device_major = 1;
  device.device_minor = 3;
  Archive archive;
  archive.Add(device)
      .Add(Other(EntryType::kFifo, "fifo"))
      .Add(Other(EntryType::kCharDevice, "whiteout"))
      .AddFile("after", "x");
  const std::string tar = archive.Finish();
  const auto report = Into(to_, tar);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->skipped_special, 2U);
  EXPECT_EQ(report->skipped_whiteouts, 1U);
  EXPECT_FALSE(to_.Exists("null"));
  EXPECT_TRUE(to_.Exists("after"));
  options_.special_files = SpecialFiles::kRefuse;
  EXPECT_FALSE(Into(to_, tar));
}

TEST_F(UnpackTest, WhiteoutNamesAreSkippedOnRequest) {
  Archive archive;
  archive.AddFile("a/.wh.b", "").AddFile(".wh..wh..opq", "").AddFile("c", "");
  const std::string tar = archive.Finish();
  EXPECT_EQ(Into(to_, tar)->skipped_whiteouts, 0U);
  options_.skip_whiteout_names = true;
  TestDirectory other;
  EXPECT_EQ(Into(other, tar)->skipped_whiteouts, 2U);
  EXPECT_FALSE(other.Exists("a/.wh.b"));
}

TEST_F(UnpackTest, OnlyHarmlessUserAttributesAreKept) {
  TarEntry entry = File("f", "");
  entry.xattrs = {{"user.note", "kept"},
                  {"trusted.overlay.opaque", "y"},
                  {"security.capability", "x"},
                  {"user.overlay.redirect", "/etc"},
                  {"system.posix_acl_access", "x"}};
  Archive archive;
  archive.Add(entry);
  const auto report = Into(to_, archive.Finish());
  ASSERT_TRUE(report);
  std::string names(256, '\0');
  const ssize_t length = ::listxattr((to_ / "f").c_str(), names.data(), names.size());
  if (report->dropped_xattrs == 5) GTEST_SKIP() << "no user attributes on this filesystem";
  EXPECT_EQ(report->dropped_xattrs, 4U);
  ASSERT_GT(length, 0);
  EXPECT_STREQ(names.c_str(), "user.note");
}

TEST_F(UnpackTest, EntriesBytesAndFileSizesAreBounded) {
  Archive archive;
  for (int i = 0; i < 10; ++i) archive.AddFile(std::to_string(i), std::string(1000, 'x'));
  const std::string tar = archive.Finish();
  options_.max_entries = 9;
  EXPECT_EQ(Into(to_, tar).error().code(), ErrorCode::kLimitTooHigh);
  options_.max_entries = 10;
  options_.max_bytes = 9999;
  EXPECT_EQ(Into(to_, tar).error().code(), ErrorCode::kLimitTooHigh);
  options_.max_bytes = 10'000;
  EXPECT_TRUE(Into(to_, tar));
  options_.max_file_bytes = 999;
  EXPECT_EQ(Into(to_, tar).error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(UnpackTest, SparseFileOfExbibytesIsRefusedAndAModestOneStaysSparse) {
  TarEntry entry = File("sparse", "");
  entry.sparse = true;
  entry.size = INT64_MAX;
  Archive huge;
  huge.Add(entry);
  EXPECT_EQ(Into(to_, huge.Finish()).error().code(), ErrorCode::kLimitTooHigh);
  entry.size = 1 * kGiB;
  entry.segments = {{.offset = 512 * kMiB, .length = 4}};
  Archive modest;
  modest.Add(entry, "data");
  const auto report = Into(to_, modest.Finish());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->bytes, 4U);
  EXPECT_EQ(static_cast<uint64_t>(to_.StatOf("sparse").st_size), 1 * kGiB);
  EXPECT_LT(to_.StatOf("sparse").st_blocks, 1000);
}

TEST_F(UnpackTest, SkippedMemberThatUnfoldsWithoutEndIsBounded) {
  TarEntry entry = File("big", "");
  entry.type = EntryType::kFile;
  entry.size = 64 * kMiB;
  StringSink tar;
  TarWriter writer(tar);
  ASSERT_TRUE(writer.Begin(entry));
  const std::string zeros(1 * kMiB, '\0');
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(writer.WriteData(zeros));
  ASSERT_TRUE(writer.Finish());
  std::string text = tar.text();
  text[156] = 'V';  // a vendor's type: its data is skipped. 'V' - '0' changes the checksum by 38
  std::string sum = text.substr(148, 6);
  const long value = std::stol(sum, nullptr, 8) + ('V' - '0');
  for (size_t i = 0; i < 6; ++i) {
    text[153 - i] = static_cast<char>('0' + ((value >> (3 * i)) & 7));
  }
  options_.max_bytes = 1 * kMiB;
  EXPECT_EQ(Into(to_, text).error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(UnpackTest, CutArchiveIsNeverTakenForAWholeOne) {
  Archive archive;
  archive.AddFile("a", std::string(2000, 'x')).AddFile("b", "y");
  const std::string tar = archive.Finish();
  const size_t without_marker = tar.size() - 2 * 512;
  for (size_t length = 0; length <= without_marker; length += 100) {
    EXPECT_FALSE(Into(to_, tar.substr(0, length))) << length;
  }
  EXPECT_FALSE(Into(to_, tar.substr(0, without_marker)));
}

TEST_F(UnpackTest, DirectoriesGetTheirModeAndTimeAtTheEnd) {
  TarEntry directory = Other(EntryType::kDirectory, "closed/");
  directory.mode = 0555;
  directory.mtime = {.seconds = 1000, .nanoseconds = 0};
  Archive archive;
  archive.Add(directory).AddFile("closed/file", "x");
  ASSERT_TRUE(Into(to_, archive.Finish()));
  EXPECT_EQ(to_.StatOf("closed").st_mode & 07777, 0555U);
  EXPECT_EQ(to_.StatOf("closed").st_mtim.tv_sec, 1000);
}

TEST_F(UnpackTest, OwnersAreTheArchivesOnRequestAndBounded) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  TarEntry one = File("one", "");
  one.uid = 33;
  one.gid = 44;
  TarEntry two = File("two", "");
  two.uid = 3'000'000'000;
  Archive archive;
  archive.Add(one).Add(two);
  options_.ownership = Ownership::kArchive;
  const auto report = Into(to_, archive.Finish());
  ASSERT_TRUE(report);
  EXPECT_EQ(to_.StatOf("one").st_uid, 33U);
  EXPECT_EQ(to_.StatOf("one").st_gid, 44U);
  EXPECT_EQ(to_.StatOf("two").st_uid, 65'534U);
  EXPECT_EQ(report->replaced_owners, 1U);
}

TEST_F(UnpackTest, RacingCodeThatSwapsDirectoriesForSymlinksGetsNothingOutside) {
  Archive archive;
  for (int i = 0; i < 500; ++i) {
    archive.AddFile((i % 2 == 0 ? "d/" : "e/") + std::to_string(i), "x");
  }
  const std::string tar = archive.Finish();
  to_.MakeDir("d");
  ASSERT_EQ(::symlink(outside_.path().c_str(), (to_ / "other").c_str()), 0);
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    while (!stop) {
      ::renameat2(AT_FDCWD, (to_ / "d").c_str(), AT_FDCWD, (to_ / "other").c_str(),
                  RENAME_EXCHANGE);
    }
  });
  for (int round = 0; round < 20; ++round) static_cast<void>(Into(to_, tar));
  stop = true;
  swapper.join();
  EXPECT_EQ(::rmdir(outside_.path().c_str()), 0) << "something was written outside";
  ASSERT_EQ(::mkdir(outside_.path().c_str(), 0700), 0);
}

TEST_F(UnpackTest, ProgressMayEndIt) {
  Archive archive;
  archive.AddFile("a", "x").AddFile("b", "x");
  options_.on_progress = [](const UnpackReport& report) -> Result<void> {
    if (report.entries == 1) return {};
    return Failure(Error(ErrorCode::kTimeout, Fault::kCaller, "enough"));
  };
  EXPECT_EQ(Into(to_, archive.Finish()).error().message(), "enough");
}

TEST(CompressionTest, WhatIsPackedIsUnpackedInEveryFormat) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919);
  for (const Compression format : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    StringSink packed;
    auto sink = Compress(packed, format);
    ASSERT_TRUE(sink);
    ASSERT_TRUE((*sink)->Write(text));
    ASSERT_TRUE((*sink)->Finish());
    StringSource source(packed.text());
    auto plain = Decompress(source, format);
    ASSERT_TRUE(plain);
    std::string out(text.size() + 10, '\0');
    size_t used = 0;
    while (true) {
      const auto got = (*plain)->Read(std::span(out).subspan(used));
      ASSERT_TRUE(got);
      if (*got == 0) break;
      used += *got;
    }
    EXPECT_EQ(std::string_view(out).substr(0, used), text);
  }
}

TEST(CompressionTest, CutOrDamagedStreamsAreErrors) {
  for (const Compression format : {Compression::kGzip, Compression::kZstd}) {
    StringSink packed;
    auto sink = Compress(packed, format);
    ASSERT_TRUE((*sink)->Write(std::string(100'000, 'x') + "end"));
    ASSERT_TRUE((*sink)->Finish());
    const auto read = [&](std::string_view bytes) -> Result<size_t> {
      StringSource source(bytes);
      auto plain = TRY(Decompress(source));
      std::string out(4096, '\0');
      size_t sum = 0;
      while (const size_t got = TRY(plain->Read(out))) sum += got;
      return sum;
    };
    EXPECT_EQ(read(packed.text()), 100'003U);
    EXPECT_EQ(read(packed.text() + packed.text()), 200'006U);
    EXPECT_FALSE(read(packed.text().substr(0, packed.text().size() - 1)));
    std::string damaged = packed.text();
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
    EXPECT_FALSE(read(damaged));
  }
}

TEST(CompressionTest, OtherFormatsAreNamed) {
  StringSource source("BZh91AY&SY");
  EXPECT_EQ(Decompress(source).error().message(),
            "archive: it is compressed with bzip2; tar, plain or with gzip or zstd, is understood");
}

}  // namespace
}  // namespace cay::archive
