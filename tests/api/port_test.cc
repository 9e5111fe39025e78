// Ports of sandboxes, by path and by host name.
#include <gmock/gmock.h>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// Answers each connection with the head of what it was sent, and how long the body was.
constexpr const char* kEchoServer = R"(
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', 3000))
s.listen(16)
print('listening', flush=True)
while True:
    c, _ = s.accept()
    head = b''
    while b'\r\n\r\n' not in head:
        piece = c.recv(65536)
        if not piece: break
        head += piece
    head, _, body = head.partition(b'\r\n\r\n')
    fields = dict(line.lower().split(b': ', 1) for line in head.split(b'\r\n')[1:])
    length = int(fields.get(b'content-length', 0))
    got = len(body)
    while got < length:
        piece = c.recv(65536)
        if not piece: break
        got += len(piece)
    head += b'\r\n\r\n%d bytes' % got
    c.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-App: yes\r\nConnection: close\r\n\r\n' % len(head) + head)
    c.close()
)";

class PortApi : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    path_ = CreatePath();
  }
  void StartServer() {
    ASSERT_EQ(Call("PUT", path_ + "/files?path=server.py", kEchoServer).status, 201);
    const Reply started = Post(path_ + "/processes", R"({"command":["python3","server.py"]})");
    ASSERT_EQ(started.status, 201) << started.body;
    const std::string output = path_ + "/processes/" +
                               std::to_string(started.Number("process_id")) +
                               "/output?follow=false";
    ASSERT_TRUE(Eventually([&] {
      return Joined(ParseSse(Get(output).body), "stdout") == "listening\n";
    })) << Get(output).body;
  }
  std::string path_;
};

TEST_F(PortApi, ARequestGoesOnAsItCame) {
  StartServer();
  const Reply reply = Call(
      "GET", path_ + "/ports/3000/a%20b/c?x=1%2F2", "",
      {{"Authorization", "Bearer cay_secret"}, {"X-API-Key", "cay_secret"}, {"X-Mine", "kept"}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Header("X-App"), "yes");
  EXPECT_THAT(reply.body, HasSubstr("GET /a%20b/c?x=1%2F2 HTTP/1.1\r\n"));
  EXPECT_THAT(reply.body, HasSubstr("X-Mine: kept"));
  EXPECT_THAT(reply.body, HasSubstr(path_ + "/ports/3000"));
  EXPECT_THAT(reply.body, Not(HasSubstr("cay_secret")));
  EXPECT_THAT(Get(path_ + "/ports/3000").body, HasSubstr("GET / HTTP/1.1\r\n"));
  EXPECT_THAT(Get(path_ + "/ports/3000?q=1").body, HasSubstr("GET /?q=1 HTTP/1.1\r\n"));
  EXPECT_THAT(Call("GET", path_ + "/ports/3000/", "", {{"Authorization", "Basic YTpi"}}).body,
              HasSubstr("Basic YTpi"));
}

TEST_F(PortApi, HowLargeABodyMayBeIsTheApplicationsToSay) {
  StartServer();
  constexpr size_t kLarge = 40 * kMiB;
  const Reply reply = Call("POST", path_ + "/ports/3000/upload", std::string(kLarge, 'x'));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(reply.body, EndsWith(std::to_string(kLarge) + " bytes"));
}

TEST_F(PortApi, WhatIsMissingIsSaid) {
  EXPECT_THAT(ExpectProblem(Get(path_ + "/ports/3999/"), 502, "unavailable"),
              HasSubstr("port 3999"));
  EXPECT_THAT(ExpectProblem(Get("/api/sandboxes/aaaaaaaaaaaaaaaaaaaa/ports/80/"), 502, "not_found"),
              HasSubstr("aaaaaaaaaaaaaaaaaaaa"));
  for (const char* port : {"0", "65536", "-1", "abc", "80x"}) {
    ExpectProblem(Get(path_ + "/ports/" + port + "/"), 400, "invalid_argument");
  }
  Post(path_ + "/stop");
  ExpectProblem(Get(path_ + "/ports/3000/"), 502, "illegal_state");
}

}  // namespace
}  // namespace cay::testing
