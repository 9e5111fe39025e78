#include "sandbox/builds/build_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/encoding.h"

namespace cay::sandbox {
namespace {

using build::BuildEvent;
using Kind = BuildEvent::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Bytes kAll = 1 << 30;

BuildEvent Output(std::string_view bytes, size_t step = 1) {
  BuildEvent event{.kind = Kind::kOutput, .step = {.id = step}};
  event.bytes = bytes;
  return event;
}

std::vector<std::string> Texts(const BuildLog& log, uint64_t after = 0) {
  std::vector<std::string> all;
  for (const LoggedEvent& event : log.After(after, kAll).events) all.push_back(event.json);
  return all;
}

TEST(BuildLog, EventsAreNumberedAndSayWhichStepTheyAreOf) {
  BuildLog log;
  log.Add({.kind = Kind::kBegan,
           .step = {.id = 3, .stage = "app", .number = 2, .of = 4, .text = "RUN make", .line = 7}});
  log.Add(Output("cc\n", 3));
  log.Add({.kind = Kind::kWriting, .text = "writing the template"});
  EXPECT_THAT(
      Texts(log),
      ElementsAre(R"({"step":3,"stage":"app","number":2,"of":4,"instruction":"RUN make","line":7})",
                  R"({"step":3,"stream":"stdout","text":"cc\n"})",
                  R"({"text":"writing the template"})"));
  const LoggedEvents rest = log.After(1, kAll);
  ASSERT_EQ(rest.events.size(), 2U);
  EXPECT_EQ(rest.events.front().number, 2U);
  EXPECT_EQ(rest.events.front().kind, "output");
  EXPECT_EQ(rest.dropped, 0U);
  EXPECT_EQ(log.newest(), 3U);
}

TEST(BuildLog, ACharacterIsNeverCutInTwo) {
  BuildLog log;
  log.Add(Output("a\xE2\x82"));
  log.Add(Output("\xAC."));
  EXPECT_THAT(Texts(log), ElementsAre(HasSubstr(R"("text":"a")"), HasSubstr("\xE2\x82\xAC.")));
}

TEST(BuildLog, WhatIsNoTextIsReplacedAndWhatWasNeverFinishedIsToldAtTheEnd) {
  BuildLog log;
  log.Add(Output("\xFF\xE2"));
  EXPECT_EQ(Texts(log).size(), 1U);
  log.Add({.kind = Kind::kEnded, .step = {.id = 1}});
  const std::vector<std::string> texts = Texts(log);
  ASSERT_EQ(texts.size(), 3U);
  for (const std::string& text : texts) EXPECT_TRUE(IsUtf8(text));
  EXPECT_THAT(texts[1], HasSubstr("\xEF\xBF\xBD"));
  EXPECT_THAT(texts[2], HasSubstr(R"("failed":false)"));
}

TEST(BuildLog, MuchOutputIsManyEventsAndNothingOfItIsLost) {
  BuildLog log;
  const std::string much(3 * BuildLog::kMaxOutput + 1, 'x');
  log.Add(Output(much));
  EXPECT_EQ(log.newest(), 4U);
  size_t count = 0;
  for (const std::string& text : Texts(log))
    count += static_cast<size_t>(std::ranges::count(text, 'x'));
  EXPECT_EQ(count, much.size() + 4) << "with those of the four \"text\"";
}

TEST(BuildLog, TheOldestGiveWayAndWhoReadsOnIsToldHowMany) {
  BuildLog log(4096);
  for (int i = 0; i < 200; ++i) log.Add(Output("some line of output\n"));
  const LoggedEvents page = log.After(10, kAll);
  ASSERT_FALSE(page.events.empty());
  EXPECT_GT(page.dropped, 0U);
  EXPECT_EQ(page.events.front().number, 10 + page.dropped + 1);
  EXPECT_EQ(page.events.back().number, 200U);
  EXPECT_EQ(log.After(199, kAll).dropped, 0U);
  EXPECT_TRUE(log.After(200, kAll).events.empty());
  EXPECT_TRUE(log.After(UINT64_MAX, kAll).events.empty());
}

TEST(BuildLog, APageIsBoundedAndHasAtLeastOne) {
  BuildLog log;
  for (int i = 0; i < 10; ++i) log.Add(Output("some line of output\n"));
  const LoggedEvents one = log.After(0, 1);
  ASSERT_EQ(one.events.size(), 1U);
  EXPECT_EQ(one.events.front().number, 1U);
  EXPECT_LT(log.After(0, 600).events.size(), 10U);
}

}  // namespace
}  // namespace cay::sandbox
