#include "template/host/skeleton.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "template/test_directory.h"

namespace cay::templates {
namespace {

class HostSkeletonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    host_.MakeDirectory("usr/bin");
    host_.MakeDirectory("etc/php/8.2/cli");
    host_.MakeDirectory("etc/php/8.2/mods-available");
    host_.Write("usr/bin/python3", "", 0755);
  }
  void Make() {
    const auto sources = HostSources::Scan(host_.path());
    ASSERT_TRUE(sources.has_value());
    auto tree = LayerTree::Open(layer_.path());
    ASSERT_TRUE(tree.has_value());
    const auto written = WriteHostSkeleton(*tree, *sources);
    ASSERT_TRUE(written.has_value()) << written.error().ToString();
  }

  TestDirectory host_;
  TestDirectory layer_;
};

TEST_F(HostSkeletonTest, SaysWhatASandboxIsCalled) {
  Make();
  EXPECT_NE(layer_.Read("etc/hosts").find("127.0.1.1\tcay\n"), std::string::npos);
  EXPECT_EQ(layer_.Read("etc/hostname"), "cay\n");
  EXPECT_NE(layer_.Read("etc/resolv.conf").find("no name servers"), std::string::npos);
}

TEST_F(HostSkeletonTest, NamesPythonAndHasPlacesForCgroups) {
  Make();
  EXPECT_TRUE(layer_.Exists("usr/local/bin/python"));
  EXPECT_TRUE(layer_.Exists("sys/fs/cgroup/memory"));
  EXPECT_TRUE(layer_.Exists("sys/fs/cgroup/cpuset/cpuset.cpus"));
}

TEST_F(HostSkeletonTest, TakesPhpsSettingsUnlessTheyHoldAPassword) {
  host_.Write("etc/php/8.2/cli/php.ini", "; mysqli.default_pw = x\nmysqli.default_pw =\na = b\n");
  host_.Write("etc/php/8.2/mods-available/own.ini", "  own.password = \"hunter2\"\n");
  Make();
  EXPECT_TRUE(layer_.Exists("etc/php/8.2/cli/php.ini"));
  EXPECT_FALSE(layer_.Exists("etc/php/8.2/mods-available/own.ini"));
}

// Its user may have another id than Cay's, and its files are where it looks for them.
TEST(ImportedSkeleton, LeavesTheDirectoriesOfAnImagesWorkspaceAsTheyAre) {
  TestDirectory layer;
  layer.MakeDirectory("bin");
  layer.Write("bin/sh", "", 0755);
  layer.MakeDirectory("etc");
  layer.MakeDirectory("workspace/project_files");
  const std::string files = layer.path() + "/workspace/project_files";
  ASSERT_EQ(::chmod(files.c_str(), 0750), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(files.c_str(), 999, 998), 0);
  }
  auto tree = LayerTree::Open(layer.path());
  ASSERT_TRUE(tree.has_value());
  const auto user = CompleteImported(*tree);
  ASSERT_TRUE(user.has_value()) << user.error().ToString();
  struct stat info{};
  ASSERT_EQ(::stat(files.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0750U);
  EXPECT_EQ(info.st_uid, ::geteuid() == 0 ? 999U : ::geteuid());
  EXPECT_TRUE(layer.Exists("workspace/agent_workspace"));
}

}  // namespace
}  // namespace cay::templates
