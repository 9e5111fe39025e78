// What happens, as a list and as a stream.
#include <gmock/gmock.h>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EventApi : public ApiFixture {
 protected:
  static std::string Types(const Reply& reply) {
    std::string types;
    for (const auto& event : reply.json().at("events").as_array()) {
      types += std::string(event.at("type").as_string()) + " ";
    }
    return types;
  }
};

TEST_F(EventApi, ALifeIsToldInOrder) {
  const int64_t before = Get("/api/events?wait=false").Number("last_id");
  const std::string id = Create();
  const std::string path = "/api/sandboxes/" + id;
  Post(path + "/execute", R"({"command":"true"})");
  Post(path + "/pause");
  Post(path + "/resume");
  const std::string types = Types(Get(path + "/events?wait=false"));
  EXPECT_THAT(types, HasSubstr("sandbox.created"));
  EXPECT_LT(types.find("execution.started"), types.find("execution.completed"));
  EXPECT_LT(types.find("sandbox.paused"), types.find("sandbox.resumed"));
  Call("DELETE", path);
  const Reply all = Get("/api/events?wait=false&after=" + std::to_string(before));
  EXPECT_THAT(Types(all), HasSubstr("sandbox.destroyed"));
  for (const auto& event : all.json().at("events").as_array()) {
    EXPECT_GT(event.at("id").to_number<int64_t>(), before);
  }
  EXPECT_EQ(Types(Get("/api/events?wait=false&after=" + std::to_string(all.Number("last_id")))),
            "");
}

TEST_F(EventApi, AListIsAsLongAsItIsAskedToBe) {
  constexpr int kProcesses = 120;
  const std::string path = CreatePath();
  std::string commands;
  for (int i = 0; i < 60; ++i) commands += i == 0 ? R"("true")" : R"(,"true")";
  for (int i = 0; i < kProcesses / 60; ++i) {
    EXPECT_EQ(Post(path + "/execute", R"({"commands":[)" + commands + "]}").status, 200);
  }
  const std::string events = path + "/events?wait=false";
  ASSERT_TRUE(Eventually(
      [&] { return Get(events).json().at("events").as_array().size() > 2 * kProcesses; }));
  const Reply all = Get(events);
  const auto& list = all.json().at("events").as_array();
  for (size_t i = 1; i < list.size(); ++i) {
    EXPECT_GT(list[i].at("id").to_number<int64_t>(), list[i - 1].at("id").to_number<int64_t>());
  }
  EXPECT_GE(all.Number("last_id"), list.back().at("id").to_number<int64_t>());
  const Reply some = Get(events + "&limit=150");
  ASSERT_EQ(some.json().at("events").as_array().size(), 150U);
  EXPECT_EQ(some.json().at("events").as_array().back(), list[149]);
  EXPECT_EQ(some.Number("last_id"), list[149].at("id").to_number<int64_t>());
}

TEST_F(EventApi, AStreamEndsWithItsSandbox) {
  const std::string path = CreatePath();
  auto client = http::Client::Open(url());
  ASSERT_TRUE(client);
  http::ClientRequest request;
  request.target = path + "/events?after=0";
  auto response = (*client)->Send(std::move(request));
  ASSERT_TRUE(response);
  EXPECT_EQ((*response)->status(), 200);
  Call("DELETE", path);
  const auto text = (*response)->ReadAll(1 * kMiB);
  ASSERT_TRUE(text) << text.error().ToString();
  const auto events = ParseSse(*text);
  EXPECT_EQ(events.front().type, "sandbox.created");
  EXPECT_EQ(events.back().type, "end");
  EXPECT_NE(events.front().id, "");
}

TEST_F(EventApi, OthersEventsAreNotSeen) {
  const std::string id = Create();
  const Reply mine = CallAs("somebody", "GET", "/api/events?wait=false");
  EXPECT_THAT(mine.body, Not(HasSubstr(id)));
  ExpectProblem(CallAs("somebody", "GET", "/api/sandboxes/" + id + "/events?wait=false"), 404,
                "not_found");
  ExpectProblem(Get("/api/events?after=x"), 400, "invalid_argument");
}

}  // namespace
}  // namespace cay::testing
