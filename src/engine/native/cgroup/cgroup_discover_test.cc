#include "engine/native/cgroup/cgroup_discover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::engine::native {
namespace {

using ::testing::ElementsAre;

ControllerSet Set(std::initializer_list<Controller> controllers) {
  ControllerSet set;
  for (Controller controller : controllers) set.Add(controller);
  return set;
}

const CgroupPlace* PlaceOf(const CgroupMap& map, Controller controller) {
  for (const CgroupPlace& place : map.places) {
    if (place.controllers.Contains(controller)) return &place;
  }
  return nullptr;
}

const CgroupPlace* PlaceV2(const CgroupMap& map) {
  for (const CgroupPlace& place : map.places) {
    if (place.v2) return &place;
  }
  return nullptr;
}

// A machine with systemd and cgroup v2 only, seen from a login session.
constexpr std::string_view kSystemdV2Mounts =
    "22 28 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
    "26 22 0:23 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
    "rw,nsdelegate,memory_recursiveprot\n"
    "28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n";
constexpr std::string_view kSystemdV2Own = "0::/user.slice/user-1000.slice/session-3.scope\n";

// systemd's legacy layout: cpu and cpuacct in one tree, a v2 tree without controllers beside.
constexpr std::string_view kSystemdHybridMounts =
    "31 24 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:10 - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:11 - cgroup2 cgroup2 rw,nsdelegate\n"
    "33 31 0:28 / /sys/fs/cgroup/systemd rw,nosuid shared:12 - cgroup cgroup "
    "rw,xattr,name=systemd\n"
    "36 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct\n"
    "37 31 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:16 - cgroup cgroup rw,memory\n"
    "38 31 0:33 / /sys/fs/cgroup/pids rw,nosuid shared:17 - cgroup cgroup rw,pids\n"
    "39 31 0:34 / /sys/fs/cgroup/net_cls,net_prio rw shared:18 - cgroup cgroup "
    "rw,net_cls,net_prio\n"
    "40 31 0:35 / /sys/fs/cgroup/freezer rw,nosuid shared:19 - cgroup cgroup rw,freezer\n"
    "41 31 0:36 / /sys/fs/cgroup/blkio rw,nosuid shared:20 - cgroup cgroup rw,blkio\n";
constexpr std::string_view kSystemdHybridOwn =
    "11:blkio:/user.slice\n"
    "9:pids:/user.slice/user-0.slice/session-1.scope\n"
    "7:memory:/user.slice/user-0.slice/session-1.scope\n"
    "6:freezer:/\n"
    "4:cpu,cpuacct:/user.slice\n"
    "1:name=systemd:/user.slice/user-0.slice/session-1.scope\n"
    "0::/user.slice/user-0.slice/session-1.scope\n";

TEST(CgroupDiscover, FindsTheOneTreeOfAPureV2Machine) {
  const auto map = DescribeCgroups(kSystemdV2Mounts, kSystemdV2Own);
  ASSERT_TRUE(map.has_value()) << map.error().ToString();
  EXPECT_EQ(map->layout, CgroupLayout::kV2);
  ASSERT_EQ(map->places.size(), 1U);
  EXPECT_EQ(map->places[0].mount_point, "/sys/fs/cgroup");
  EXPECT_FALSE(map->places[0].read_only);
  EXPECT_EQ(map->places[0].own, "/user.slice/user-1000.slice/session-3.scope");
}

TEST(CgroupDiscover, FindsEachControllerOfAHybridMachineWhereItIs) {
  const auto map = DescribeCgroups(kSystemdHybridMounts, kSystemdHybridOwn);
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->layout, CgroupLayout::kHybrid);
  ASSERT_NE(PlaceV2(*map), nullptr);
  EXPECT_EQ(PlaceV2(*map)->mount_point, "/sys/fs/cgroup/unified");
  ASSERT_NE(PlaceOf(*map, Controller::kFreezer), nullptr);
  EXPECT_EQ(PlaceOf(*map, Controller::kFreezer)->own, "");
  EXPECT_NE(PlaceOf(*map, Controller::kIo), nullptr);
}

TEST(CgroupDiscover, TakesControllersMountedTogetherAsOneTree) {
  const auto map = DescribeCgroups(kSystemdHybridMounts, kSystemdHybridOwn);
  ASSERT_TRUE(map.has_value());
  const CgroupPlace* cpu = PlaceOf(*map, Controller::kCpu);
  ASSERT_NE(cpu, nullptr);
  EXPECT_EQ(cpu, PlaceOf(*map, Controller::kCpuacct));
  EXPECT_EQ(cpu->controllers, Set({Controller::kCpu, Controller::kCpuacct}));
  EXPECT_EQ(cpu->own, "/user.slice");
}

TEST(CgroupDiscover, CallsALayoutWithoutAV2TreeV1) {
  const auto map = DescribeCgroups(
      "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n",
      "2:memory:/\n1:cpu:/\n");
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->layout, CgroupLayout::kV1);
  EXPECT_EQ(map->places.size(), 2U);
}

TEST(CgroupDiscover, LooksAtTheOwnGroupThroughAMountThatShowsAPartOfTheTree) {
  // Docker on v1 without a cgroup namespace.
  const auto map = DescribeCgroups(
      "700 690 0:32 /docker/4f1c /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n"
      "701 690 0:33 /docker/4f1c /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids\n"
      "702 690 0:34 /docker/4f1c /sys/fs/cgroup/cpu rw,nosuid - cgroup cgroup rw,cpu\n",
      "5:memory:/docker/4f1c\n4:pids:/docker/4f1c/inner\n3:cpu:/docker/4f1cother\n");
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(PlaceOf(*map, Controller::kMemory)->own, "");
  EXPECT_TRUE(PlaceOf(*map, Controller::kMemory)->read_only);
  EXPECT_EQ(PlaceOf(*map, Controller::kPids)->own, "/inner");
  EXPECT_EQ(PlaceOf(*map, Controller::kCpu)->own, std::nullopt);
}

TEST(CgroupDiscover, SeesTheTopOfACgroupNamespaceAsItsOwnGroup) {
  const auto map =
      DescribeCgroups("600 590 0:23 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n", "0::/\n");
  ASSERT_TRUE(map.has_value());
  ASSERT_EQ(map->places.size(), 1U);
  EXPECT_EQ(map->places[0].own, "");
  EXPECT_TRUE(map->places[0].read_only);
}

TEST(CgroupDiscover, HasNoOwnGroupWhenItIsOutsideTheNamespace) {
  const auto outside =
      DescribeCgroups("600 590 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/../other\n");
  ASSERT_TRUE(outside.has_value());
  EXPECT_EQ(outside->places[0].own, std::nullopt);
  const auto above =
      DescribeCgroups("600 590 0:23 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/\n");
  ASSERT_TRUE(above.has_value());
  EXPECT_EQ(above->places[0].own, std::nullopt);
}

std::string PlaceOfOneTree(std::string_view mountinfo, std::string_view own = "0::/\n") {
  const auto map = DescribeCgroups(mountinfo, own);
  if (!map || map->places.size() != 1U) return "not one tree";
  return map->places[0].mount_point;
}

TEST(CgroupDiscover, IsNotMisledByASecondMountOfATree) {
  constexpr std::string_view kUsual = "26 22 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  const std::string usual(kUsual);
  for (const std::string_view other : {
           "90 22 0:23 / /mnt/a\\040b rw - cgroup2 cgroup2 rw\n",
           "90 22 0:23 / /var/lib/box/rootfs/sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n",
           "90 22 0:23 /box /var/lib/box/rootfs/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
           "90 22 0:23 /system.slice /sys/fs/cgroup2 rw - cgroup2 cgroup2 rw\n",
       }) {
    EXPECT_EQ(PlaceOfOneTree(usual + std::string(other)), "/sys/fs/cgroup") << other;
    EXPECT_EQ(PlaceOfOneTree(std::string(other) + usual), "/sys/fs/cgroup") << other;
  }
}

TEST(CgroupDiscover, TakesASecondMountWhereTheFirstServesLess) {
  EXPECT_EQ(PlaceOfOneTree("26 22 0:23 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
                           "90 22 0:23 / /run/cgroup rw - cgroup2 cgroup2 rw\n"),
            "/run/cgroup");
  EXPECT_EQ(PlaceOfOneTree("26 22 0:23 /other /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
                           "90 22 0:23 / /run/cgroup rw - cgroup2 cgroup2 rw\n",
                           "0::/mine\n"),
            "/run/cgroup");
}

TEST(CgroupDiscover, PassesOverMountsThatNoPathLeadsTo) {
  constexpr std::string_view kSys = "22 1 0:20 / /sys rw - sysfs sysfs rw\n";
  constexpr std::string_view kTree = "26 22 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  constexpr std::string_view kElsewhere = "90 1 0:23 / /run/cgroup rw - cgroup2 cgroup2 rw\n";
  const std::string both = std::string(kSys) + std::string(kTree) + std::string(kElsewhere);
  EXPECT_EQ(PlaceOfOneTree(both), "/sys/fs/cgroup");
  EXPECT_EQ(PlaceOfOneTree(both + "91 26 0:50 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"),
            "/run/cgroup");
  EXPECT_EQ(PlaceOfOneTree(both + "91 22 0:50 / /sys rw - tmpfs tmpfs rw\n"), "/run/cgroup");
  EXPECT_EQ(PlaceOfOneTree(both + "91 22 0:50 / /sys/fs/cgr rw - tmpfs tmpfs rw\n"),
            "/sys/fs/cgroup");
}

TEST(CgroupDiscover, SaysNoneWhereNothingIsMounted) {
  const auto map = DescribeCgroups("28 1 254:1 / / rw - ext4 /dev/vda1 rw\n", "0::/\n");
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->layout, CgroupLayout::kNone);
  EXPECT_TRUE(map->places.empty());
}

TEST(CgroupDiscover, RefusesTextThatIsNotWhatTheKernelWrites) {
  EXPECT_FALSE(DescribeCgroups("nonsense\n", "0::/\n").has_value());
  EXPECT_FALSE(DescribeCgroups("", "0:no second colon\n").has_value());
}

TEST(CgroupDiscover, KeepsColonsInTheOwnPath) {
  const auto map = DescribeCgroups("26 22 0:23 / /c rw - cgroup2 cgroup2 rw\n", "0::/a:b\n");
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->places[0].own, "/a:b");
}

TEST(CgroupDiscover, PassesOverControllersItDoesNotKnow) {
  EXPECT_EQ(ParseControllers("cpuset cpu io memory hugetlb pids rdma misc\n"),
            Set({Controller::kCpu, Controller::kIo, Controller::kMemory, Controller::kPids}));
  EXPECT_TRUE(ParseControllers("\n").empty());
}

TEST(CgroupDiscover, WalksUpFromTheOwnGroupAndLeavesTheOwnersLeaf) {
  EXPECT_THAT(OwnAndAbove("/a/b", "cay-owner"), ElementsAre("/a/b", "/a", ""));
  EXPECT_THAT(OwnAndAbove("/a/b/cay-owner", "cay-owner"), ElementsAre("/a/b", "/a", ""));
  EXPECT_THAT(OwnAndAbove("", "cay-owner"), ElementsAre(""));
}

}  // namespace
}  // namespace cay::engine::native
