#include "template/host/host_sources.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "template/test_directory.h"

namespace cay::templates {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

class HostSourcesTest : public ::testing::Test {
 protected:
  // A small machine: merged /usr, some of /etc, and secrets beside it.
  void SetUp() override {
    dir_.MakeDirectory("usr");
    dir_.MakeDirectory("usr/local");
    dir_.MakeDirectory("etc/ssl/certs");
    dir_.MakeDirectory("etc/ssl/private");
    dir_.MakeDirectory("etc/python3.11");
    dir_.MakeDirectory("etc/ssh");
    dir_.Symlink("bin", "usr/bin");
    dir_.Write("etc/ld.so.cache", "cache");
    dir_.Write("etc/shadow", "root:secret", 0640);
    dir_.Write("etc/machine-id", "0123", 0444);
    dir_.Write("etc/ssl/private/key.pem", "private", 0644);
    dir_.Write("etc/ssl/certs/a.pem", "certificate");
    dir_.Write("etc/ssh/ssh_host_rsa_key", "private", 0600);
    dir_.Write("etc/services", "not for all", 0640);
    dir_.Write("etc/python3.11/sitecustomize.py", "");
    dir_.Symlink("etc/localtime", "/usr/share/zoneinfo/UTC");
  }

  HostSources Scan() {
    Result<HostSources> sources = HostSources::Scan(dir_.path());
    EXPECT_TRUE(sources.has_value());
    return *std::move(sources);
  }

  std::vector<std::string> Paths() {
    std::vector<std::string> paths;
    for (const HostFile& file : Scan().files) paths.push_back(file.path);
    return paths;
  }

  TestDirectory dir_;
};

TEST_F(HostSourcesTest, APatternMayStandInTheMiddle) {
  for (const char* file : {"php/8.2/cli/php.ini", "php/8.2/fpm/pool.d/www.conf", "maven/m2.conf",
                           "maven/settings.xml"}) {
    const std::string path = std::string("etc/") + file;
    dir_.MakeDirectory(path.substr(0, path.rfind('/')));
    dir_.Write(path, "x=1\n");
  }
  EXPECT_THAT(Paths(), Contains("etc/php/8.2/cli/php.ini"));
  EXPECT_THAT(Paths(), Contains("etc/maven/m2.conf"));
  EXPECT_THAT(Paths(), Not(Contains("etc/php/8.2/fpm/pool.d/www.conf")));
  EXPECT_THAT(Paths(), Not(Contains("etc/maven/settings.xml")));
}

TEST_F(HostSourcesTest, PythonIsNamedWhereThereIsOnlyPython3) {
  EXPECT_EQ(Scan().python3, "");
  dir_.MakeDirectory("usr/bin");
  dir_.Write("usr/bin/python3", "", 0755);
  EXPECT_EQ(Scan().python3, "/usr/bin/python3");
  EXPECT_EQ(Python3Of(StampOf(Scan())), "/usr/bin/python3");
  const std::string before = StampOf(Scan());
  dir_.Symlink("usr/bin/python", "python3");
  EXPECT_EQ(Scan().python3, "");
  EXPECT_FALSE(StampHolds(dir_.path(), before));
}

TEST_F(HostSourcesTest, PythonIsNotNamedWhereThatWouldHideSomething) {
  dir_.MakeDirectory("usr/bin");
  dir_.Write("usr/bin/python3", "", 0755);
  dir_.MakeDirectory("opt/local");
  ASSERT_EQ(::rmdir((dir_.path() + "/usr/local").c_str()), 0);
  dir_.Symlink("usr/local", "../opt/local");
  EXPECT_EQ(Scan().python3, "");
}

TEST_F(HostSourcesTest, PublicFilesAreTaken) {
  EXPECT_THAT(Paths(), Contains("etc/ld.so.cache"));
  EXPECT_THAT(Paths(), Contains("etc/ssl/certs/a.pem"));
  EXPECT_THAT(Paths(), Contains("etc/localtime"));
}

TEST_F(HostSourcesTest, NamesWithAPatternAreTaken) {
  EXPECT_THAT(Paths(), Contains("etc/python3.11/sitecustomize.py"));
}

TEST_F(HostSourcesTest, SecretsAreNotTaken) {
  for (const char* path : {"etc/shadow", "etc/machine-id", "etc/ssl/private",
                           "etc/ssl/private/key.pem", "etc/ssh", "etc/ssh/ssh_host_rsa_key"}) {
    EXPECT_THAT(Paths(), Not(Contains(path)));
  }
}

TEST_F(HostSourcesTest, AWantedFileThatNotEverybodyMayReadIsNotTaken) {
  EXPECT_THAT(Paths(), Not(Contains("etc/services")));
}

TEST_F(HostSourcesTest, AWantedDirectoryBehindASymlinkIsNotFollowed) {
  dir_.MakeDirectory("secret/certs");
  dir_.Write("secret/certs/x", "x");
  dir_.Rename("etc/ssl", "etc/old");
  dir_.Symlink("etc/ssl", "../secret");
  EXPECT_THAT(Paths(), Not(Contains("etc/ssl/certs/x")));
}

TEST_F(HostSourcesTest, ADirectoryComesBeforeItsFiles) {
  const std::vector<std::string> paths = Paths();
  EXPECT_LT(std::ranges::find(paths, "etc/ssl/certs"),
            std::ranges::find(paths, "etc/ssl/certs/a.pem"));
}

TEST_F(HostSourcesTest, SetIdAndWriteBitsAreDropped) {
  dir_.Write("etc/magic", "x", 04777);
  for (const HostFile& file : Scan().files) {
    if (file.path == "etc/magic") {
      EXPECT_EQ(file.mode, 0755U);
    }
  }
}

TEST_F(HostSourcesTest, ASymlinkedTopIsToldFromADirectory) {
  const HostSources sources = Scan();
  ASSERT_EQ(sources.tops.size(), 2U);
  EXPECT_EQ(sources.tops[0].symlink_target, "");
  EXPECT_EQ(sources.tops[1].symlink_target, "usr/bin");
  EXPECT_THAT(DirectoryTops(StampOf(sources)), ElementsAre("usr"));
}

TEST_F(HostSourcesTest, TheStampHoldsWhileNothingChanges) {
  EXPECT_TRUE(StampHolds(dir_.path(), StampOf(Scan())));
}

TEST_F(HostSourcesTest, TheStampBreaksWhenAFileIsReplaced) {
  const std::string stamp = StampOf(Scan());
  dir_.Write("etc/new", "cachE");
  dir_.Rename("etc/new", "etc/ld.so.cache");
  EXPECT_FALSE(StampHolds(dir_.path(), stamp));
}

TEST_F(HostSourcesTest, TheStampBreaksWhenAFileIsWrittenInPlace) {
  const std::string stamp = StampOf(Scan());
  dir_.Write("etc/ld.so.cache", "another cache");
  EXPECT_FALSE(StampHolds(dir_.path(), stamp));
}

TEST_F(HostSourcesTest, TheStampBreaksWhenAFileIsAddedToADirectory) {
  const std::string stamp = StampOf(Scan());
  dir_.Write("etc/ssl/certs/b.pem", "certificate");
  EXPECT_FALSE(StampHolds(dir_.path(), stamp));
}

TEST_F(HostSourcesTest, TheStampBreaksWhenAWantedFileAppears) {
  const std::string stamp = StampOf(Scan());
  dir_.Write("etc/protocols", "tcp 6 TCP\n");
  EXPECT_FALSE(StampHolds(dir_.path(), stamp));
}

TEST_F(HostSourcesTest, TheStampBreaksWhenATopBecomesADirectory) {
  const std::string stamp = StampOf(Scan());
  dir_.Remove("bin");
  dir_.MakeDirectory("bin");
  EXPECT_FALSE(StampHolds(dir_.path(), stamp));
}

TEST_F(HostSourcesTest, ADamagedStampDoesNotHold) {
  const std::string stamp = StampOf(Scan());
  for (size_t length = 0; length < stamp.size(); length += 7) {
    const std::string_view cut = std::string_view(stamp).substr(0, length);
    // A cut at a line's end is a shorter list; the layer's id and the list are written together.
    if (!cut.empty() && cut.back() == '\n') continue;
    EXPECT_FALSE(StampHolds(dir_.path(), cut)) << length;
  }
}

}  // namespace
}  // namespace cay::templates
