#include "build/stages/told.h"

#include <gtest/gtest.h>

namespace cay::build {
namespace {

TEST(OutputEnd, AShortOneIsWhole) {
  OutputEnd output;
  output.Add("one\n");
  output.Add("two");
  EXPECT_EQ(output.Text(), "one\ntwo");
}

TEST(OutputEnd, OfALongOneTheLastWholeLinesAreKept) {
  OutputEnd output;
  for (int i = 0; i < 10'000; ++i) output.Add("line " + std::to_string(i) + "\n");
  const std::string text = output.Text();
  EXPECT_LE(text.size(), kMaxOutputEnd);
  EXPECT_GT(text.size(), kMaxOutputEnd / 2);
  EXPECT_TRUE(text.starts_with("line "));
  EXPECT_TRUE(text.ends_with("line 9999\n"));
}

TEST(OutputEnd, OnePieceCanBeLargerThanWhatIsKept) {
  OutputEnd output;
  output.Add("before\n");
  output.Add(std::string(3 * kMaxOutputEnd, 'x') + "\nlast\n");
  EXPECT_EQ(output.Text(), "last\n");
}

TEST(Told, TheFirstFailureCounts) {
  const BuildWatch none;
  Told told(none, "Dockerfile");
  told.Fail({.step = {.id = 1}});
  told.Fail({.step = {.id = 2}});
  told.CountStep(true);
  told.CountStep(false);
  BuildEnd end;
  told.TakeInto(end);
  ASSERT_TRUE(end.failure);
  EXPECT_EQ(end.failure->step.id, 1U);
  EXPECT_EQ(end.steps, 2U);
  EXPECT_EQ(end.cached, 1U);
}

TEST(Told, APlaceIsTheFilesLine) {
  const BuildWatch none;
  const Told told(none, "docker/app");
  EXPECT_EQ(told.PlaceOf({.text = "RUN make", .line = 7}), "docker/app:7: RUN make");
  EXPECT_EQ(told.PlaceOf({.text = "RUN make"}), "ONBUILD of the image: RUN make");
}

}  // namespace
}  // namespace cay::build
