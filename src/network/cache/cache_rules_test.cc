#include "network/cache/cache_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::network {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr int64_t kNow = 1'780'000'000'000;  // Thu, 28 May 2026 20:26:40 GMT
const CachePlace kPlace = {
    .owner = "ann", .scheme = "https", .name = "registry.example", .port = 443};

std::optional<CachePlan> Plan(const http::Headers& headers, std::string_view target = "/a",
                              std::string_view method = "GET", const CachePlace& place = kPlace) {
  auto plan = PlanRequest(place, method, target, headers);
  EXPECT_TRUE(plan);
  return *std::move(plan);
}

std::optional<StoredAnswer> Judge(const http::Headers& headers, int status = 200,
                                  http::Framing framing = http::Framing::kLength) {
  return JudgeAnswer({.text = "key", .file = {}},
                     {.status = status, .headers = {}, .framing = framing, .content_length = 3},
                     headers, kNow, kNow);
}

TEST(PlanRequest, TheServerIsSentNothingThatIsNotInTheKey) {
  const auto plan = Plan({{"Host", "Registry.Example"},
                          {"User-Agent", "pip/24"},
                          {"accept", "a/b"},
                          {"Accept", "c/d"},
                          {"npm-session", "1"},
                          {"Accept-Encoding", "gzip"}});
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->headers.fields(),
              ElementsAre(Pair("Host", "registry.example"), Pair("User-Agent", "cay-package-cache"),
                          Pair("Accept", "a/b, c/d"), Pair("Accept-Encoding", "gzip")));
  for (const auto& [name, value] : plan->headers.fields())
    EXPECT_THAT(plan->key.text, HasSubstr(name + ": " + value + "\n"));
}

TEST(PlanRequest, KeysDifferWhereAnswersCould) {
  const auto key = [](const http::Headers& headers, std::string_view target = "/a",
                      const CachePlace& place = kPlace) {
    const auto plan = Plan(headers, target, "GET", place);
    return plan ? plan->key.file : "none";
  };
  const std::string one = key({{"Accept", "a"}});
  EXPECT_EQ(one.size(), 64U);
  EXPECT_EQ(one, key({{"User-Agent", "x"}, {"ACCEPT", "a"}}));
  EXPECT_NE(one, key({{"Accept", "b"}}));
  EXPECT_NE(one, key({}));
  EXPECT_NE(one, key({{"Accept", "a"}, {"Accept-Encoding", "br"}}));
  EXPECT_NE(one, key({{"Accept", "a"}}, "/A"));
  EXPECT_NE(one, key({{"Accept", "a"}}, "/%61"));
  for (const auto& change : std::vector<std::function<void(CachePlace&)>>{
           [](CachePlace& place) { place.owner = "bob"; },
           [](CachePlace& place) { place.name = "other.example"; },
           [](CachePlace& place) { place.port = 80; },
           [](CachePlace& place) { place.scheme = "http"; }}) {
    CachePlace place = kPlace;
    change(place);
    EXPECT_NE(one, key({{"Accept", "a"}}, "/a", place));
  }
}

TEST(PartsOf, AreThoseOfTheKey) {
  const KeyParts parts = PartsOf(Plan({{"Accept", "x"}}, "/a/b")->key.text);
  EXPECT_EQ(parts.owner, "ann");
  EXPECT_EQ(parts.url, "https://registry.example/a/b");
  EXPECT_EQ(PartsOf("nothing").url, "");
}

TEST(PlanRequest, WhatCouldMakeAnotherAnswerPassesBy) {
  for (const char* name :
       {"Authorization", "Cookie", "Range", "If-Range", "If-None-Match", "If-Modified-Since",
        "X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "X-HTTP-Method-Override",
        "X-Original-URL", "Origin", "Expect", "X-Unknown", "Npm", "Accept-Charset"}) {
    EXPECT_FALSE(Plan({{name, "x"}})) << name;
  }
  EXPECT_FALSE(Plan({}, "/a?b=c"));
  EXPECT_FALSE(Plan({}, "*"));
  EXPECT_FALSE(Plan({}, "/" + std::string(2048, 'a')));
  EXPECT_TRUE(Plan({}, "/" + std::string(2047, 'a')));
  EXPECT_FALSE(Plan({{"Accept", std::string(1025, 'a')}}));
  for (const char* method : {"HEAD", "POST", "get", "DELETE"}) EXPECT_FALSE(Plan({}, "/a", method));
}

TEST(PlanRequest, WhatTheClientSaysToCachesIsHeard) {
  const auto wish = [](const char* value) {
    const auto plan = Plan({{"Cache-Control", value}});
    return plan ? std::optional(plan->wish) : std::nullopt;
  };
  EXPECT_EQ(wish("max-age=0"), Wish::kChecked);
  EXPECT_EQ(wish("no-cache"), Wish::kAsked);
  EXPECT_EQ(wish("max-stale=5"), Wish::kStored);
  EXPECT_EQ(wish("no-store"), std::nullopt);
  EXPECT_EQ(wish("only-if-cached"), std::nullopt);
  EXPECT_EQ(wish("max-age=x"), std::nullopt);
  EXPECT_EQ(Plan({{"Pragma", "no-cache"}})->wish, Wish::kAsked);
  EXPECT_EQ(Plan({})->wish, Wish::kStored);
}

TEST(JudgeAnswer, KeepsWhatIsSaidToBeGoodForATime) {
  const auto stored = Judge({{"Cache-Control", "max-age=600, public"},
                             {"ETag", "\"a\""},
                             {"Age", "100"},
                             {"Content-Length", "3"},
                             {"Content-Type", "text/plain"}});
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->fresh_s, 600U);
  EXPECT_EQ(stored->age_s, 100U);
  EXPECT_EQ(stored->Find("content-type") == nullptr, false);
  EXPECT_EQ(stored->Find("Age"), nullptr);
  EXPECT_EQ(stored->Find("Content-Length"), nullptr);
  EXPECT_TRUE(IsFresh(*stored, kNow + 499'000));
  EXPECT_FALSE(IsFresh(*stored, kNow + 500'000));
  EXPECT_FALSE(IsFresh(*stored, kNow - 1)) << "a clock that went backwards";
}

TEST(JudgeAnswer, TheTimeOfSharedCachesComesFirst) {
  const auto stored = Judge({{"Cache-Control", "max-age=600, s-maxage=5"}});
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->fresh_s, 5U);
}

TEST(JudgeAnswer, KeepsNothingElse) {
  const http::Headers::Field fresh = {"Cache-Control", "max-age=600"};
  EXPECT_TRUE(Judge({fresh}));
  EXPECT_FALSE(Judge({}));
  EXPECT_FALSE(Judge({{"Expires", "Thu, 28 May 2027 20:26:40 GMT"}, {"ETag", "\"a\""}}));
  EXPECT_FALSE(Judge({{"Cache-Control", "public"}, {"ETag", "\"a\""}}));
  EXPECT_FALSE(Judge({{"Cache-Control", "max-age=600, no-store"}}));
  EXPECT_FALSE(Judge({{"Cache-Control", "max-age=600, private"}}));
  EXPECT_FALSE(Judge({{"Cache-Control", "max-age=600, private=\"x\""}}));
  EXPECT_FALSE(Judge({fresh, {"Cache-Control", "max-age=601"}}));
  for (const http::Headers::Field& field : {http::Headers::Field{"Set-Cookie", "a=b"},
                                            {"set-cookie2", "a=b"},
                                            {"Vary", "*"},
                                            {"Vary", "accept, *"},
                                            {"Vary", "User-Agent"},
                                            {"Content-Range", "bytes 0-2/9"},
                                            {"Age", "x"},
                                            {"Date", "yesterday"},
                                            {"WWW-Authenticate", "Basic"}}) {
    EXPECT_FALSE(Judge({fresh, field})) << field.first << ": " << field.second;
  }
  EXPECT_FALSE(Judge({fresh, {"Age", "1"}, {"Age", "1"}}));
  for (const int status : {201, 203, 204, 206, 301, 304, 404, 500})
    EXPECT_FALSE(Judge({fresh}, status)) << status;
  EXPECT_FALSE(Judge({fresh}, 200, http::Framing::kUntilClose));
  EXPECT_FALSE(Judge({fresh, {"A", std::string(16'384, 'a')}}));
}

TEST(JudgeAnswer, VaryIsHeldByTheKey) {
  const http::Headers::Field fresh = {"Cache-Control", "max-age=600"};
  for (const char* vary :
       {"Accept", "accept-encoding, Accept-Language", "Cookie, Authorization", ""})
    EXPECT_TRUE(Judge({fresh, {"Vary", vary}})) << vary;
}

TEST(JudgeAnswer, WhatIsNotFreshIsKeptWhereTheServerCanBeAsked) {
  EXPECT_FALSE(Judge({{"Cache-Control", "max-age=0"}}));
  EXPECT_FALSE(Judge({{"Cache-Control", "no-cache"}}));
  EXPECT_FALSE(Judge({{"Cache-Control", "max-age=5"}, {"Age", "5"}}));
  const auto stored = Judge({{"Cache-Control", "no-cache, max-age=60"}, {"ETag", "\"a\""}});
  ASSERT_TRUE(stored);
  EXPECT_FALSE(IsFresh(*stored, kNow));
  EXPECT_THAT(ConditionsOf(*stored), ElementsAre(Pair("If-None-Match", "\"a\"")));
  const auto dated = Judge({{"Cache-Control", "max-age=0"}, {"Last-Modified", "then"}});
  ASSERT_TRUE(dated);
  EXPECT_THAT(ConditionsOf(*dated), ElementsAre(Pair("If-Modified-Since", "then")));
}

TEST(JudgeAnswer, TheAgeIsTheWorstOfWhatIsKnown) {
  const auto age = [](const http::Headers& more, int64_t asked) {
    http::Headers headers = {{"Cache-Control", "max-age=9999"}};
    for (const auto& [name, value] : more.fields()) headers.Add(name, value);
    const auto stored = JudgeAnswer(
        {.text = "key", .file = {}},
        {.status = 200, .headers = {}, .framing = http::Framing::kChunked, .content_length = {}},
        headers, asked, kNow);
    return stored ? stored->age_s : 123'456;
  };
  EXPECT_EQ(age({}, kNow - 3000), 3U);
  EXPECT_EQ(age({{"Age", "10"}}, kNow - 3000), 13U);
  EXPECT_EQ(age({{"Date", "Thu, 28 May 2026 20:26:00 GMT"}}, kNow), 40U);
  EXPECT_EQ(age({{"Date", "Thu, 28 May 2026 20:27:00 GMT"}, {"Age", "1"}}, kNow), 1U);
}

TEST(Renew, TakesOverWhatTheServerSaysNow) {
  auto stored = *Judge({{"Cache-Control", "max-age=5"},
                        {"ETag", "W/\"a\""},
                        {"Content-Type", "text/plain"},
                        {"X", "old"}});
  stored.digest = "d";
  stored.size = 3;
  const auto renewal = Renew(
      stored, {.status = 304, .headers = {}, .content_length = {}},
      {{"Cache-Control", "max-age=7"}, {"ETag", "\"a\""}, {"Content-Type", "other"}, {"X", "new"}},
      kNow + 9000, kNow + 9000);
  EXPECT_TRUE(renewal.good);
  ASSERT_TRUE(renewal.keep);
  EXPECT_EQ(renewal.answer.fresh_s, 7U);
  EXPECT_EQ(*renewal.answer.Find("X"), "new");
  EXPECT_EQ(*renewal.answer.Find("Content-Type"), "text/plain");
  EXPECT_EQ(*renewal.answer.Find("ETag"), "W/\"a\"");
  EXPECT_EQ(renewal.answer.digest, "d");
  EXPECT_EQ(renewal.answer.size, 3U);
  EXPECT_TRUE(IsFresh(renewal.answer, kNow + 15'000));
}

TEST(Renew, IsNotOfAnotherThing) {
  const auto stored = *Judge({{"Cache-Control", "max-age=5"}, {"ETag", "\"a\""}});
  const http::ResponseHead head = {.status = 304, .headers = {}, .content_length = {}};
  EXPECT_FALSE(Renew(stored, head, {{"ETag", "\"b\""}}, kNow, kNow).good);
  EXPECT_FALSE(
      Renew(stored, {.status = 200, .headers = {}, .content_length = {}}, {}, kNow, kNow).good);
  const auto private_now = Renew(stored, head, {{"Cache-Control", "private"}}, kNow, kNow);
  EXPECT_TRUE(private_now.good);
  EXPECT_FALSE(private_now.keep);
  const auto cookie = Renew(stored, head, {{"Set-Cookie", "a=b"}}, kNow, kNow);
  EXPECT_FALSE(cookie.keep);
}

}  // namespace
}  // namespace cay::network
