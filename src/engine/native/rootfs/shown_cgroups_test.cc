#include "engine/native/rootfs/shown_cgroups.h"

#include <gtest/gtest.h>

#include "engine/engine.h"

namespace cay::engine::native {
namespace {

TEST(WithoutCounts, KeepsWhatRunTimesLookAt) {
  EXPECT_EQ(WithoutCounts("#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
                          "cpuset\t3\t1\t1\nmemory\t4\t931\t1\nhugetlb\t0\t80\t0\n"),
            "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
            "cpuset\t3\t1\t1\nmemory\t4\t1\t1\nhugetlb\t0\t1\t0\n");
}

TEST(WithoutCounts, LeavesOutWhatItDoesNotKnow) {
  EXPECT_EQ(WithoutCounts("memory 4 931 1\nmemory\t4\t931\t1\tnew\n\n"), "");
}

TEST(OwnerFor, RootByNameAndNumber) {
  for (const char* root : {"root", "0", "0:0", "root:audio"}) EXPECT_EQ(OwnerFor(root), 0U) << root;
  for (const char* other : {"", "user", "1000", "00", "rooty", "33:0"}) {
    EXPECT_EQ(OwnerFor(other), CreateRequest::kUsualOwner) << other;
  }
}

TEST(FileSizeLimit, IsTheDisksUnlessOneIsGiven) {
  EXPECT_EQ(FileSizeLimit({.disk = 2 * kGiB}), 2 * kGiB);
  EXPECT_EQ(FileSizeLimit({.disk = 2 * kGiB, .file_size = kMiB}), kMiB);
}

}  // namespace
}  // namespace cay::engine::native
