#include "network/cache/cache_turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/test_clock.h"
#include "network/cache/test_cache_directory.h"

namespace cay::network {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using State = CacheTurn::State;
using Taken = CacheTurn::Taken;

class CacheTurnTest : public ::testing::Test {
 protected:
  std::optional<CacheTurn> Begin(const http::Headers& headers = {}, std::string owner = "ann") {
    return CacheTurn::Begin({.directory = &cache_,
                             .place = {.owner = std::move(owner),
                                       .scheme = "https",
                                       .name = "registry.example",
                                       .port = 443}},
                            "GET", "/a", headers);
  }
  static Taken Answered(CacheTurn& turn, const http::Headers& headers, int status = 200,
                        std::optional<uint64_t> length = std::nullopt) {
    return turn.Answered({.status = status,
                          .headers = {},
                          .framing = length ? http::Framing::kLength : http::Framing::kChunked,
                          .content_length = length},
                         headers);
  }
  void Keep(const std::string& body,
            const http::Headers& headers = {{"Cache-Control", "max-age=60"}, {"ETag", "\"a\""}}) {
    auto turn = Begin();
    ASSERT_TRUE(turn);
    ASSERT_EQ(turn->state(), State::kAsking);
    (void)turn->Request();
    ASSERT_EQ(Answered(*turn, headers), Taken::kPassOn);
    turn->Add(body);
    turn->Complete();
  }
  // What is given; what it is asked with, where the server is asked.
  static std::string End(CacheTurn& turn) {
    while (turn.state() == State::kChecking) turn.CheckSome();
    if (turn.state() != State::kGiving) {
      const http::Headers request = turn.Request();
      std::string asked = "asked";
      for (const auto& [name, value] : request.fields()) asked += " " + name + "=" + value;
      return asked;
    }
    std::string body;
    do body += *turn.Read();
    while (!turn.given());
    return body;
  }
  std::string Get(const http::Headers& headers = {}) {
    auto turn = Begin(headers);
    return turn ? End(*turn) : "passes by";
  }

  FakeClock clock_;
  TestCacheDirectory files_;
  CacheDirectory cache_{files_.Open(), {.bytes = 64 << 20}};
};

TEST_F(CacheTurnTest, WhatIsFreshIsGivenWithItsAge) {
  Keep("body");
  clock_.Advance(Millis(59'000));
  auto turn = Begin();
  ASSERT_TRUE(turn);
  EXPECT_EQ(End(*turn), "body");
  EXPECT_THAT(turn->Head(true), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(turn->Head(true), HasSubstr("\r\nAge: 59\r\nContent-Length: 4\r\n\r\n"));
  EXPECT_THAT(turn->Head(false), HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(cache_.counts().hits, 1U);
  EXPECT_EQ(cache_.counts().hit_bytes, 4U);
  EXPECT_EQ(cache_.counts().misses, 1U);
}

TEST_F(CacheTurnTest, ALargeBodyIsCheckedInSlices) {
  const std::string body(3 * CacheTurn::kSlice + 1, 'a');
  Keep(body);
  auto turn = Begin();
  int slices = 0;
  for (; turn->state() == State::kChecking; ++slices) turn->CheckSome();
  EXPECT_EQ(slices, 4);
  EXPECT_EQ(End(*turn), body);
}

TEST_F(CacheTurnTest, WhatIsStaleIsAskedAbout) {
  Keep("body");
  clock_.Advance(Millis(60'000));
  auto turn = Begin();
  EXPECT_THAT(End(*turn), HasSubstr("If-None-Match=\"a\""));
  EXPECT_FALSE(turn->NoAnswer());
  EXPECT_EQ(Answered(*turn, {{"ETag", "\"a\""}}, 304), Taken::kGive);
  EXPECT_EQ(End(*turn), "body");
  EXPECT_EQ(cache_.counts().renewed, 1U);
  clock_.Advance(Millis(59'000));
  EXPECT_EQ(Get(), "body");
}

TEST_F(CacheTurnTest, ANewAnswerIsKeptInstead) {
  Keep("body");
  clock_.Advance(Millis(60'000));
  auto turn = Begin();
  EXPECT_THAT(End(*turn), StartsWith("asked"));
  EXPECT_EQ(Answered(*turn, {{"Cache-Control", "max-age=60"}}), Taken::kPassOn);
  turn->Add("other");
  turn->Complete();
  EXPECT_EQ(Get(), "other");
}

TEST_F(CacheTurnTest, AnAnswerThatIsNotToBeKeptEndsWhatWas) {
  Keep("body");
  auto turn = Begin({{"Cache-Control", "no-cache"}});
  EXPECT_THAT(End(*turn), StartsWith("asked"));
  EXPECT_EQ(Answered(*turn, {{"Cache-Control", "private"}}), Taken::kPassOn);
  EXPECT_THAT(Get(), testing::Not(HasSubstr("If-None-Match")));
}

TEST_F(CacheTurnTest, AFailureOfTheServerEndsNothing) {
  Keep("body");
  auto turn = Begin({{"Cache-Control", "no-cache"}});
  EXPECT_THAT(End(*turn), StartsWith("asked"));
  EXPECT_EQ(Answered(*turn, {}, 503), Taken::kPassOn);
  EXPECT_EQ(Get(), "body");
}

TEST_F(CacheTurnTest, A304OfAnotherThingIsUselessAndEndsWhatWas) {
  Keep("body");
  clock_.Advance(Millis(60'000));
  auto turn = Begin();
  EXPECT_THAT(End(*turn), StartsWith("asked"));
  EXPECT_EQ(Answered(*turn, {{"ETag", "\"b\""}}, 304), Taken::kUseless);
  EXPECT_THAT(Get(), testing::Not(HasSubstr("If-None-Match")));
}

TEST_F(CacheTurnTest, WhoWantsItCheckedGetsWhatIsFreshWhereThereIsNoServer) {
  Keep("body");
  auto turn = Begin({{"Cache-Control", "max-age=0"}});
  EXPECT_THAT(End(*turn), HasSubstr("If-None-Match=\"a\""));
  EXPECT_TRUE(turn->NoAnswer());
  EXPECT_EQ(End(*turn), "body");
  auto insists = Begin({{"Cache-Control", "no-cache"}});
  EXPECT_THAT(End(*insists), StartsWith("asked"));
  EXPECT_FALSE(insists->NoAnswer());
}

TEST_F(CacheTurnTest, WhatIsBrokenOffIsNotKept) {
  {
    auto turn = Begin();
    (void)turn->Request();
    EXPECT_EQ(Answered(*turn, {{"Cache-Control", "max-age=60"}}, 200, 100), Taken::kPassOn);
    turn->Add("half");
  }
  EXPECT_THAT(Get(), StartsWith("asked"));
  EXPECT_TRUE(files_.Names(".part").empty());
  EXPECT_TRUE(files_.Names(".body").empty());
}

TEST_F(CacheTurnTest, ADamagedBodyIsFetchedAnew) {
  Keep("body");
  TestCacheDirectory::Damage(files_.Only(".body"), 2);
  EXPECT_THAT(Get(), testing::Not(HasSubstr("If-None-Match")));
  EXPECT_EQ(cache_.counts().damaged, 1U);
  EXPECT_TRUE(files_.Names(".body").empty());
  Keep("body");
  EXPECT_EQ(Get(), "body");
}

TEST_F(CacheTurnTest, OwnersDoNotSeeEachOthersAnswers) {
  Keep("body");
  auto other = Begin({}, "bob");
  ASSERT_TRUE(other);
  EXPECT_THAT(End(*other), StartsWith("asked"));
}

TEST_F(CacheTurnTest, WhatCannotBeKeptIsPassedOnAllTheSame) {
  auto turn = Begin();
  (void)turn->Request();
  EXPECT_EQ(Answered(*turn, {{"Cache-Control", "max-age=60"}}, 200, uint64_t{1} << 40),
            Taken::kPassOn);
  turn->Add("body");
  turn->Complete();
  EXPECT_EQ(cache_.counts().failed, 1U);
  EXPECT_THAT(Get(), StartsWith("asked"));
}

}  // namespace
}  // namespace cay::network
