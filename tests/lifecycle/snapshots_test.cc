// Snapshots that fail, at each step: the sandbox goes on, is what it was, and nothing of them is
// there.
#include "sandbox/lifecycle/snapshots.h"

#include "lifecycle_fixture.h"

namespace cay::sandbox {
namespace {

using templates::TemplateInfo;
using ::testing::IsEmpty;

class SnapshotsTest : public LifecycleTest {
 protected:
  SnapshotsTest() : sandbox_(Create({.name = "web"})), before_(Take()) {}
  ~SnapshotsTest() override {
    for (const std::string& name : Names()) EXPECT_TRUE(snapshots_.Remove(everybodys_, name));
  }

  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto list = snapshots_.List(everybodys_);
    EXPECT_TRUE(list) << list.error().ToString();
    for (const TemplateInfo& info : list.value_or(std::vector<TemplateInfo>{}))
      names.push_back(info.name);
    return names;
  }
  Result<TemplateInfo> TakeOne(bool replace = false) {
    return snapshots_.Take(sandbox_, {.name = "kept", .replace = replace});
  }
  // As many as were held still went on, and nobody's state changed.
  void ExpectGoesOn() {
    EXPECT_EQ(engine_->calls(Call::kGoOn), engine_->calls(Call::kHoldStill));
    EXPECT_EQ(Take(), before_);
  }

  const Caller everybodys_{.owner = "root", .admin = true};
  Snapshots snapshots_{heart_->core};
  Sandbox& sandbox_;
  const Standings before_;
};

TEST_F(SnapshotsTest, WhatRunsGoesOnAfterOne) {
  const auto taken = TakeOne();
  ASSERT_TRUE(taken) << taken.error().ToString();
  EXPECT_EQ(taken->name, "@me/kept");
  EXPECT_EQ(engine_->calls(Call::kHoldStill), 1U);
  ExpectGoesOn();
}

TEST_F(SnapshotsTest, OneThatCannotBeHeldStillIsNotCopied) {
  engine_->Fail(Call::kHoldStill, Broken());
  EXPECT_THAT(TakeOne(), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(engine_->calls(Call::kOpenWritten), 0U);
  EXPECT_THAT(Names(), IsEmpty());
  EXPECT_EQ(Take(), before_);
}

TEST_F(SnapshotsTest, OneWhoseFilesCannotBeOpenedGoesOn) {
  engine_->Fail(Call::kOpenWritten, Broken());
  EXPECT_THAT(TakeOne(), FailsWith(ErrorCode::kIo));
  EXPECT_THAT(Names(), IsEmpty());
  ExpectGoesOn();
}

TEST_F(SnapshotsTest, ANameThatIsTakenChangesNothing) {
  ASSERT_TRUE(TakeOne());
  EXPECT_THAT(TakeOne(), FailsWith(ErrorCode::kAlreadyExists));
  ASSERT_TRUE(TakeOne(/*replace=*/true));
  EXPECT_EQ(Names(), std::vector<std::string>{"@me/kept"});
  ExpectGoesOn();
}

TEST_F(SnapshotsTest, WhatIsStoppedNeedNotBeHeld) {
  ASSERT_TRUE(transitions().Stop(sandbox_, "requested"));
  ASSERT_TRUE(TakeOne());
  EXPECT_EQ(engine_->calls(Call::kHoldStill), 0U);
}

TEST_F(SnapshotsTest, WhatHasFailedIsRefused) {
  engine_->EndGuest(sandbox_.id(), {.reason = engine::ExitReason::kOomKilled});
  EXPECT_TRUE(heart_->sweeper.OnGone(sandbox_.id()));
  EXPECT_THAT(TakeOne(), FailsWith(ErrorCode::kIllegalState));
  EXPECT_EQ(engine_->calls(Call::kOpenWritten), 0U);
}

TEST_F(SnapshotsTest, ARestoreThatFailsLeavesItAsItWas) {
  ASSERT_TRUE(TakeOne());
  const std::string made_from = sandbox_.View().spec.template_name;
  const auto base = core().templates.Find("@me/kept");
  ASSERT_TRUE(base) << base.error().ToString();
  engine_->Fail(Call::kReset, Broken(), 2);  // it is tried twice
  EXPECT_THAT(transitions().Reset(sandbox_, &*base), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(Take(), before_);
  EXPECT_EQ(sandbox_.View().spec.template_name, made_from);
  const auto restored = transitions().Reset(sandbox_, &*base);
  ASSERT_TRUE(restored) << restored.error().ToString();
  EXPECT_EQ(restored->spec.template_name, "@me/kept");
  EXPECT_EQ(restored->reason, "restored");
}

// An engine that cannot is not asked.
class NoSnapshotsTest : public LifecycleTest {
 protected:
  NoSnapshotsTest() {
    Close();
    engine_options_.can.snapshot = false;
    EXPECT_TRUE(Open());
  }
};

TEST_F(NoSnapshotsTest, TheyAreRefused) {
  Sandbox& sandbox = Create();
  Snapshots snapshots(core());
  EXPECT_THAT(snapshots.Take(sandbox, {.name = "kept"}), FailsWith(ErrorCode::kNotSupported));
  EXPECT_EQ(engine_->calls(Call::kHoldStill), 0U);
}

}  // namespace
}  // namespace cay::sandbox
