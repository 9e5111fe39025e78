// The order in which stages are built, how many at once, and what a failure stops.
#include "build/stages/stage_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace cay::build {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST(StageQueue, EachIsBuiltAfterWhatItNeeds) {
  const std::vector<StageWork> works = {
      {.stage = 3, .needs = {1, 2}}, {.stage = 1}, {.stage = 2, .needs = {1}}};
  std::vector<size_t> order;
  std::mutex mutex;
  const auto built = BuildStages(works, 4, [&](size_t stage) -> Result<bool> {
    const std::lock_guard lock(mutex);
    order.push_back(stage);
    return true;
  });
  ASSERT_TRUE(built);
  EXPECT_TRUE(*built);
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(StageQueue, TwoThatDoNotNeedEachOtherAreBuiltAtOnce) {
  std::mutex mutex;
  std::condition_variable changed;
  size_t inside = 0;
  const std::vector<StageWork> works = {{.stage = 0}, {.stage = 1}};
  const auto built = BuildStages(works, 2, [&](size_t) -> Result<bool> {
    std::unique_lock lock(mutex);
    ++inside;
    changed.notify_all();
    // Each waits for the other: one at a time would never end.
    return changed.wait_for(lock, std::chrono::seconds(60), [&] { return inside == 2; });
  });
  ASSERT_TRUE(built);
  EXPECT_TRUE(*built);
}

TEST(StageQueue, NoMoreThanSoManyAtOnce) {
  std::mutex mutex;
  size_t inside = 0;
  size_t most = 0;
  std::vector<StageWork> works;
  for (size_t i = 0; i < 20; ++i) works.push_back({.stage = i});
  ASSERT_TRUE(BuildStages(works, 3, [&](size_t) -> Result<bool> {
    {
      const std::lock_guard lock(mutex);
      most = std::max(most, ++inside);
    }
    std::this_thread::yield();
    const std::lock_guard lock(mutex);
    --inside;
    return true;
  }));
  EXPECT_LE(most, 3U);
}

TEST(StageQueue, AfterAFailureNothingIsBegun) {
  const std::vector<StageWork> works = {
      {.stage = 0}, {.stage = 1, .needs = {0}}, {.stage = 2, .needs = {1}}};
  std::vector<size_t> begun;
  const auto built = BuildStages(works, 1, [&](size_t stage) -> Result<bool> {
    begun.push_back(stage);
    return stage != 1;
  });
  ASSERT_TRUE(built);
  EXPECT_FALSE(*built);
  EXPECT_THAT(begun, UnorderedElementsAre(0, 1));
}

TEST(StageQueue, TheFirstErrorIsTold) {
  const std::vector<StageWork> works = {{.stage = 0}, {.stage = 1, .needs = {0}}};
  const auto built = BuildStages(
      works, 2, [&](size_t) -> Result<bool> { return Failure(Error::Invalid("no such thing")); });
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().message(), "no such thing");
}

}  // namespace
}  // namespace cay::build
