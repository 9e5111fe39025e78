// The WebSocket terminal.
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using http::WebSocket;
using ::testing::HasSubstr;

class TerminalApi : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    path_ = CreatePath();
  }

  std::unique_ptr<WebSocket> Open(const std::string& query) {
    auto client = http::Client::Open(url());
    if (!client) return nullptr;
    auto socket = (*client)->OpenWebSocket(path_ + "/terminal?" + query, {});
    EXPECT_TRUE(socket) << socket.error().ToString();
    return socket ? *std::move(socket) : nullptr;
  }

  // Reads until what was output has `wanted`, or the peer closes. Text messages go to texts_.
  std::string ReadUntil(WebSocket& socket, std::string_view wanted) {
    std::string output;
    while (output.find(wanted) == std::string::npos) {
      auto message = socket.Read();
      if (!message || !*message) {
        closed_ = true;
        break;
      }
      if ((*message)->kind == WebSocket::Kind::kBinary) {
        output += (*message)->bytes;
      } else {
        texts_.push_back((*message)->bytes);
      }
    }
    return output;
  }

  std::string path_;
  std::vector<std::string> texts_;
  bool closed_ = false;
};

TEST_F(TerminalApi, WhatIsTypedRunsAndTheEndIsSaid) {
  auto socket = Open("command=sh&rows=11&columns=22");
  ASSERT_TRUE(socket);
  ASSERT_TRUE(socket->Send(WebSocket::Kind::kBinary, "stty size\n"));
  EXPECT_THAT(ReadUntil(*socket, "11 22"), HasSubstr("11 22"));
  ASSERT_FALSE(texts_.empty());
  EXPECT_THAT(texts_[0], HasSubstr("\"type\":\"started\""));
  ASSERT_TRUE(socket->Send(WebSocket::Kind::kText, R"({"type":"resize","rows":33,"columns":44})"));
  ASSERT_TRUE(socket->Send(WebSocket::Kind::kText, R"({"type":"input","data":"stty size\n"})"));
  EXPECT_THAT(ReadUntil(*socket, "33 44"), HasSubstr("33 44"));
  ASSERT_TRUE(socket->Send(WebSocket::Kind::kBinary, "exit 6\n"));
  ReadUntil(*socket, "never comes");
  EXPECT_TRUE(closed_);
  EXPECT_THAT(texts_.back(), HasSubstr("\"type\":\"exited\""));
  EXPECT_THAT(texts_.back(), HasSubstr("\"exit_code\":6"));
}

TEST_F(TerminalApi, AShellStaysForWhoComesBack) {
  int64_t process = 0;
  {
    auto socket = Open("command=sh");
    ASSERT_TRUE(socket);
    ASSERT_TRUE(socket->Send(WebSocket::Kind::kBinary, "X=kept; echo re''ady\n"));
    ReadUntil(*socket, "ready");
    process = boost::json::parse(texts_.at(0)).at("process_id").to_number<int64_t>();
  }
  auto again = Open("process=" + std::to_string(process));
  ASSERT_TRUE(again);
  EXPECT_THAT(ReadUntil(*again, "ready"), HasSubstr("ready"));  // what is held is sent again
  ASSERT_TRUE(again->Send(WebSocket::Kind::kBinary, "echo still=$X\n"));
  EXPECT_THAT(ReadUntil(*again, "still=kept"), HasSubstr("still=kept"));
}

TEST_F(TerminalApi, AShellEndsWithItsClientWhenAsked) {
  int64_t process = 0;
  {
    auto socket = Open("command=sh&kill_on_close=true");
    ASSERT_TRUE(socket);
    ASSERT_TRUE(socket->Send(WebSocket::Kind::kBinary, "echo re''ady\n"));
    ReadUntil(*socket, "ready");
    process = boost::json::parse(texts_.at(0)).at("process_id").to_number<int64_t>();
  }
  EXPECT_TRUE(Eventually([&] {
    return Get(path_ + "/processes/" + std::to_string(process)).Text("state") == "exited";
  }));
}

TEST_F(TerminalApi, NonsenseIsAnsweredAndHarmless) {
  auto socket = Open("command=sh");
  ASSERT_TRUE(socket);
  for (const char* text : {"{", "[]", R"({"type":"dance"})", R"({"type":"resize","rows":0})",
                           R"({"type":"signal","signal":"SIGNO"})"}) {
    texts_.clear();
    ASSERT_TRUE(socket->Send(WebSocket::Kind::kText, text));
    while (texts_.empty() || texts_.back().find("error") == std::string::npos) {
      auto message = socket->Read();
      ASSERT_TRUE(message && *message) << text;
      if ((*message)->kind == WebSocket::Kind::kText) texts_.push_back((*message)->bytes);
    }
  }
  ASSERT_TRUE(socket->Send(WebSocket::Kind::kBinary, "echo al''ive\n"));
  EXPECT_THAT(ReadUntil(*socket, "alive"), HasSubstr("alive"));
}

TEST_F(TerminalApi, WhatIsNoWebSocketIs426) {
  EXPECT_EQ(Get(path_ + "/terminal").status, 426);
  const Reply process = Post(path_ + "/processes", R"({"command":["sleep","60"]})");
  auto client = http::Client::Open(url());
  ASSERT_TRUE(client);
  EXPECT_FALSE((*client)->OpenWebSocket(
      path_ + "/terminal?process=" + std::to_string(process.Number("process_id")), {}));
}

}  // namespace
}  // namespace cay::testing
