#include "engine/native/cgroup/cgroup_knobs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/os/fd.h"
#include "base/os/file.h"

namespace cay::engine::native {
namespace {

// A directory of plain files stands for a group.
class CgroupKnobs : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(path_), nullptr);
    parent_ = ::open(path_, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(::mkdirat(parent_, "group", 0700), 0);
    Set("cgroup.procs", "");
  }
  void TearDown() override {
    ::close(parent_);
    EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_).has_value());
  }

  std::string PathOf(const std::string& knob) const {
    return std::string(path_) + "/group/" + knob;
  }
  void Set(const std::string& knob, std::string_view text, mode_t mode = 0600) {
    ASSERT_TRUE(WriteFileAtomic(PathOf(knob), text, mode).has_value());
  }
  CgroupDir Dir() const { return {parent_, "group"}; }

  char path_[32] = "/tmp/cay-knobs-XXXXXX";
  int parent_ = -1;
};

TEST_F(CgroupKnobs, ReadsNumbersAndFields) {
  Set("memory.current", "4096\n");
  Set("memory.events", "low 0\noom 3\noom_kill 2\n");
  EXPECT_EQ(Dir().ReadNumber("memory.current").value(), 4096U);
  EXPECT_EQ(Dir().ReadField("memory.events", "oom_kill").value(), 2U);
  EXPECT_EQ(Dir().ReadField("memory.events", "oom").value(), 3U);
  EXPECT_EQ(Dir().ReadField("memory.events", "max").value(), std::nullopt);
}

TEST_F(CgroupKnobs, HasNothingForAKnobThatThisKernelDoesNotHave) {
  EXPECT_EQ(Dir().ReadNumber("memory.peak").value(), std::nullopt);
}

TEST_F(CgroupKnobs, FailsForAGroupThatIsGone) {
  EXPECT_FALSE(CgroupDir(parent_, "gone").ReadNumber("memory.peak").has_value());
}

TEST_F(CgroupKnobs, TakesEarlierChangesBackWhenOneFails) {
  Set("first", "1");
  Set("second", "2");
  KnobChanges changes(KnobChanges::Undo::kYes);
  ASSERT_TRUE(changes.Write(Dir(), "first", "7").has_value());
  ASSERT_TRUE(changes.Write(Dir(), "second", "8").has_value());
  EXPECT_FALSE(changes.Write(Dir(), "missing", "9").has_value());
  EXPECT_EQ(ReadFile(PathOf("first")).value(), "1");
  EXPECT_EQ(ReadFile(PathOf("second")).value(), "2");
}

TEST_F(CgroupKnobs, LeavesChangesAloneThatNeedNoUndo) {
  Set("first", "1");
  KnobChanges changes(KnobChanges::Undo::kNo);
  ASSERT_TRUE(changes.Write(Dir(), "first", "7").has_value());
  EXPECT_FALSE(changes.Write(Dir(), "missing", "9").has_value());
  EXPECT_EQ(ReadFile(PathOf("first")).value(), "7");
}

TEST(FindField, WantsTheWholeName) {
  EXPECT_EQ(FindField("oom_kill_disable 0\noom_kill 5\n", "oom_kill"), 5U);
  EXPECT_EQ(FindField("oom_kill", "oom_kill"), std::nullopt);
  EXPECT_EQ(FindField("usage_usec x\n", "usage_usec"), std::nullopt);
}

}  // namespace
}  // namespace cay::engine::native
