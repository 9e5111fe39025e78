#include "guest_link/host_archive.h"

#include <array>

#include "archive/tar_writer.h"
#include "archive/test_directory.h"

namespace cay {
namespace {

using archive::TestDirectory;

class HostArchiveTest : public ::testing::Test {
 protected:
  static Result<std::string> PackAll(const std::string& source, const std::string& name) {
    PackStream stream = TRY(PackStream::Start(source, name, {}));
    std::string tar;
    std::array<char, 1000> buffer;
    while (const size_t got = TRY(stream.Read(buffer))) tar.append(buffer.data(), got);
    TRY(stream.Finish());
    return tar;
  }
  Result<archive::UnpackReport> UnpackAll(std::string_view tar,
                                          const archive::UnpackOptions& options) {
    UnpackStream stream = TRY(UnpackStream::Start(to_.path(), options));
    while (!tar.empty()) {
      TRY(stream.Write(tar.substr(0, 777)));
      tar.remove_prefix(std::min<size_t>(777, tar.size()));
    }
    return stream.Finish();
  }

  TestDirectory from_;
  TestDirectory to_;
};

TEST_F(HostArchiveTest, TreeComesOutAsItWentInButWritableByNobodyElse) {
  from_.MakeDir("app/sub");
  from_.Put("app/sub/file", std::string(500'000, 'x'));
  ASSERT_EQ(::chmod((from_ / "app/sub/file").c_str(), 0777), 0);
  const auto tar = PackAll(from_ / "app", "renamed");
  ASSERT_TRUE(tar) << tar.error().message();
  const auto report = UnpackAll(*tar, HostUnpackOptions(1 * kMiB));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->bytes, 500'000U);
  EXPECT_EQ(to_.Get("renamed/sub/file"), std::string(500'000, 'x'));
  EXPECT_EQ(to_.StatOf("renamed/sub/file").st_mode & 07777, 0755U);
}

TEST_F(HostArchiveTest, SourceIsFollowedWhenItIsASymlinkAndItsContentIsNot) {
  from_.MakeDir("real");
  ASSERT_EQ(::symlink("/etc/passwd", (from_ / "real/link").c_str()), 0);
  ASSERT_EQ(::symlink("real", (from_ / "alias").c_str()), 0);
  ASSERT_TRUE(UnpackAll(*PackAll(from_ / "alias", "."), HostUnpackOptions(1 * kMiB)));
  EXPECT_TRUE(S_ISLNK(to_.StatOf("link").st_mode));
}

TEST_F(HostArchiveTest, DirectoryThatEndsInADotIsItself) {
  from_.Put("file", "x");
  ASSERT_TRUE(UnpackAll(*PackAll(from_ / ".", "."), HostUnpackOptions(1 * kMiB)));
  EXPECT_EQ(to_.Get("file"), "x");
}

TEST_F(HostArchiveTest, MissingSourceIsNotFound) {
  const auto stream = PackStream::Start(from_ / "nothing", "x", {});
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kNotFound);
}

TEST_F(HostArchiveTest, PackingThatFailsIsAnErrorAndNotAnEnd) {
  from_.Put("file", std::string(5000, 'x'));
  auto stream =
      PackStream::Start(from_.path(), ".", {.max_bytes = 100, .leaves_out = {}, .on_progress = {}});
  ASSERT_TRUE(stream);
  std::array<char, 1000> buffer;
  Result<size_t> got = 1;
  while (got && *got > 0) got = stream->Read(buffer);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(HostArchiveTest, StreamThatIsDroppedEarlyEndsItsThread) {
  from_.Put("file", std::string(4'000'000, 'x'));
  for (int i = 0; i < 10; ++i) {
    auto stream = PackStream::Start(from_.path(), ".", {});
    ASSERT_TRUE(stream);
    std::array<char, 10> buffer;
    ASSERT_TRUE(stream->Read(buffer));
  }
  auto unpack = UnpackStream::Start(to_.path(), HostUnpackOptions(1 * kMiB));
  ASSERT_TRUE(unpack->Write("the beginning of something"));
}

TEST_F(HostArchiveTest, ArchiveThatLeavesTheDirectoryIsRefused) {
  archive::StringSink sink;
  archive::TarWriter writer(sink);
  archive::TarEntry entry;
  entry.path = "../evil";
  entry.mode = 0644;
  ASSERT_TRUE(writer.Begin(entry));
  ASSERT_TRUE(writer.End());
  ASSERT_TRUE(writer.Finish());
  const auto report = UnpackAll(sink.text(), HostUnpackOptions(1 * kMiB));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message(), "archive: the name \"../evil\" has \"..\" in it");
}

TEST_F(HostArchiveTest, StreamThatGoesOnAfterAnErrorGetsTheError) {
  auto stream = UnpackStream::Start(to_.path(), HostUnpackOptions(1 * kMiB));
  ASSERT_TRUE(stream);
  Result<void> written;
  for (int i = 0; written && i < 10'000; ++i) written = stream->Write(std::string(4096, 'x'));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_FALSE(stream->Finish());
}

TEST_F(HostArchiveTest, CutStreamIsAnError) {
  from_.Put("file", std::string(5000, 'x'));
  const auto tar = PackAll(from_.path(), ".");
  EXPECT_FALSE(UnpackAll(tar->substr(0, tar->size() - 1024), HostUnpackOptions(1 * kMiB)));
}

}  // namespace
}  // namespace cay
