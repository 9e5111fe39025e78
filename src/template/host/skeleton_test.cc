#include "template/host/skeleton.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

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

}  // namespace
}  // namespace cay::templates
