#include "api/request.h"

#include <gtest/gtest.h>

#include "api/sse.h"

namespace cay::api {
namespace {

TEST(Request, ParametersOfTheQueryHaveTypes) {
  http::Request request;
  request.query = {{"a", "true"}, {"b", "0"}, {"c", "12"}, {"d", "yes"}, {"e", "30s"}};
  EXPECT_TRUE(*QueryBool(request, "a", false));
  EXPECT_FALSE(*QueryBool(request, "b", true));
  EXPECT_TRUE(*QueryBool(request, "missing", true));
  EXPECT_FALSE(QueryBool(request, "d", true));
  EXPECT_EQ(**QueryNumber(request, "c", 100), 12U);
  EXPECT_FALSE(QueryNumber(request, "c", 11));
  EXPECT_EQ(**QueryDuration(request, "e"), Millis(30'000));
  EXPECT_FALSE(*QueryDuration(request, "missing"));
}

TEST(Request, ANameOfAFileCannotLeaveItsHeader) {
  EXPECT_EQ(AttachmentNamed("a b\"\r\nX: y\xC3\xA4.txt"),
            "attachment; filename*=UTF-8''a%20b%22%0D%0AX%3A%20y%C3%A4.txt");
}

TEST(Sse, AnEventIsItsFields) {
  EXPECT_EQ(FormatSseEvent("stdout", "{}", 7), "event: stdout\nid: 7\ndata: {}\n\n");
  EXPECT_EQ(FormatSseEvent("exited", "{}", std::nullopt), "event: exited\ndata: {}\n\n");
}

TEST(Sse, TheLastEventIdComesBeforeTheQuery) {
  http::Request request;
  request.query = {{"from", "3"}};
  EXPECT_EQ(**ResumePoint(request, "from"), 3U);
  request.headers.Add("Last-Event-ID", "9");
  EXPECT_EQ(**ResumePoint(request, "from"), 9U);
  request.headers.Set("Last-Event-ID", "x");
  EXPECT_FALSE(ResumePoint(request, "from"));
}

}  // namespace
}  // namespace cay::api
