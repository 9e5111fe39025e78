#include "network/transfer/proxy_talk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::network {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::string_literals;

// Sends all that there is to send, and returns it.
std::string Sent(ProxyTalk& talk) {
  std::string sent(talk.unsent());
  talk.Sent(sent.size());
  return sent;
}

struct Heard {
  std::string left;  // of what was said
  bool done = false;
  std::string error{};
};

// What comes of an answer, so many bytes of it at a time.
Heard Hear(ProxyTalk& talk, std::string answer, size_t at_a_time) {
  (void)Sent(talk);
  while (!answer.empty() && !talk.done()) {
    const auto own = talk.Read(std::string_view(answer).substr(0, at_a_time));
    if (!own) return {.left = answer, .error = own.error().message()};
    if (*own == 0 && talk.unsent().empty()) return {.left = answer, .error = "nothing was taken"};
    answer.erase(0, *own);
    (void)Sent(talk);
  }
  return {.left = answer, .done = talk.done()};
}

const Proxy kPlain{.kind = Proxy::Kind::kHttp, .host = "proxy.example", .port = 3128};
const Proxy kSocks{.kind = Proxy::Kind::kSocks5, .host = "proxy.example", .port = 1080};

Proxy WithUser(Proxy proxy) {
  proxy.user = "me";
  proxy.password = "hunter2";
  return proxy;
}

const Proxy kPlainWithUser = WithUser(kPlain);
const Proxy kSocksWithUser = WithUser(kSocks);

Heard HearConnect(const std::string& answer, size_t at_a_time = SIZE_MAX) {
  ProxyTalk talk(kPlain, "example.com", 443);
  return Hear(talk, answer, at_a_time);
}

TEST(ProxyTalk, AsksByConnect) {
  ProxyTalk talk(kPlain, "example.com", 443);
  EXPECT_EQ(Sent(talk), "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
  EXPECT_FALSE(talk.done());
  ProxyTalk v6(kPlain, "2001:db8::7", 22);
  EXPECT_EQ(Sent(v6), "CONNECT [2001:db8::7]:22 HTTP/1.1\r\nHost: [2001:db8::7]:22\r\n\r\n");
  ProxyTalk user(kPlainWithUser, "example.com", 443);
  EXPECT_THAT(Sent(user), HasSubstr("\r\nProxy-Authorization: Basic bWU6aHVudGVyMg==\r\n"));
}

TEST(ProxyTalk, LeavesWhatComesAfterTheAnswer) {
  const std::string answer = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
  for (const size_t at_a_time : {size_t{1}, size_t{7}, SIZE_MAX}) {
    const Heard heard = HearConnect(answer + "SSH-2.0-x\r\n", at_a_time);
    EXPECT_TRUE(heard.done) << heard.error;
    EXPECT_EQ(heard.left, "SSH-2.0-x\r\n");
  }
  EXPECT_TRUE(HearConnect("HTTP/1.0 200\r\n\r\n").done);
  EXPECT_TRUE(HearConnect("HTTP/1.1 204 \r\n\r\n").done);
  EXPECT_TRUE(HearConnect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 5).done);
}

TEST(ProxyTalk, SaysWhyAProxyDoesNotConnect) {
  EXPECT_THAT(HearConnect("HTTP/1.1 407 x\r\n\r\n").error, HasSubstr("password"));
  EXPECT_THAT(HearConnect("HTTP/1.1 403 x\r\n\r\n").error, HasSubstr("403"));
  EXPECT_THAT(HearConnect("HTTP/1.1 502 x\r\n\r\n").error, HasSubstr("502"));
  EXPECT_THAT(HearConnect("HTTP/1.1 101 x\r\n\r\n").error, HasSubstr("101"));
  EXPECT_THAT(HearConnect("HTTP/1.1 302 x\r\nLocation: y\r\n\r\n").error, HasSubstr("302"));
}

TEST(ProxyTalk, IsNotMisledByWhatIsNoAnswer) {
  for (const std::string answer :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 +20 OK\r\n\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"}) {
    EXPECT_THAT(HearConnect(answer).error, HasSubstr("does not answer")) << answer;
    EXPECT_THAT(HearConnect(answer, 1).error, HasSubstr("does not answer")) << answer;
  }
  // At its first wrong byte.
  EXPECT_THAT(HearConnect("S").error, HasSubstr("does not answer"));
}

TEST(ProxyTalk, ReadsNoMoreThanSoMuch) {
  const std::string head = "HTTP/1.1 200 OK\r\nX: " + std::string(ProxyTalk::kMaxHead, 'x');
  EXPECT_THAT(HearConnect(head).error, HasSubstr("8192"));
  EXPECT_THAT(HearConnect(head, 1000).error, HasSubstr("8192"));
  std::string interim;
  for (int i = 0; i < ProxyTalk::kMaxInterim + 1; ++i) interim += "HTTP/1.1 102 x\r\n\r\n";
  EXPECT_NE(HearConnect(interim + "HTTP/1.1 200 OK\r\n\r\n").error, "");
  // The largest that is taken.
  std::string largest = "HTTP/1.1 200 OK\r\nX: ";
  largest += std::string(ProxyTalk::kMaxHead - largest.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_TRUE(HearConnect(largest + "more").done);
  EXPECT_EQ(HearConnect(largest + "more").left, "more");
}

TEST(ProxyTalk, AsksBySocks) {
  ProxyTalk talk(kSocks, "example.com", 443);
  EXPECT_EQ(Sent(talk), "\x05\x01\x00"s);
  EXPECT_EQ(talk.Read("\x05\x00"s).value(), 2U);
  EXPECT_EQ(Sent(talk), "\x05\x01\x00\x03\x0b"s + "example.com" + "\x01\xbb"s);
  EXPECT_EQ(talk.Read("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00SSH"s).value(), 10U);
  EXPECT_TRUE(talk.done());
  ProxyTalk v4(kSocks, "192.0.2.7", 22);
  (void)Hear(v4, "\x05"s, 1);
  EXPECT_EQ(v4.Read("\x00"s).value(), 1U);
  EXPECT_EQ(Sent(v4), "\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x16"s);
  ProxyTalk v6(kSocks, "2001:db8::7", 22);
  (void)Sent(v6);
  EXPECT_TRUE(v6.Read("\x05\x00"s));
  EXPECT_EQ(Sent(v6), "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"s +
                          "\x00\x07\x00\x16"s);
}

TEST(ProxyTalk, AuthenticatesBySocks) {
  ProxyTalk talk(kSocksWithUser, "example.com", 443);
  EXPECT_EQ(Sent(talk), "\x05\x02\x00\x02"s);
  EXPECT_TRUE(talk.Read("\x05\x02"s));
  EXPECT_EQ(Sent(talk), "\x01\x02me\x07hunter2"s);
  EXPECT_TRUE(talk.Read("\x01\x00"s));
  EXPECT_THAT(Sent(talk), HasSubstr("example.com"));
  ProxyTalk refused(kSocksWithUser, "example.com", 443);
  EXPECT_THAT(Hear(refused, "\x05\x02\x01\x01"s, 1).error, HasSubstr("password"));
  // One that does not want to know is told nothing.
  ProxyTalk open(kSocksWithUser, "example.com", 443);
  (void)Sent(open);
  EXPECT_TRUE(open.Read("\x05\x00"s));
  EXPECT_THAT(Sent(open), Not(HasSubstr("hunter2")));
}

TEST(ProxyTalk, LeavesWhatComesAfterAnAnswerBySocks) {
  const std::vector<std::string> replies = {
      "\x05\x00\x00\x01\x01\x02\x03\x04\x00\x50"s,
      "\x05\x00\x00\x03\x00\x00\x50"s,
      "\x05\x00\x00\x03\x03ghi\x00\x50"s,
      "\x05\x00\x00\x04"s + std::string(16, 'x') + "\x00\x50"s,
  };
  for (const std::string& reply : replies) {
    for (const size_t at_a_time : {size_t{1}, size_t{3}, SIZE_MAX}) {
      ProxyTalk talk(kSocks, "example.com", 443);
      const Heard heard = Hear(talk, "\x05\x00"s + reply + "220 hello", at_a_time);
      EXPECT_TRUE(heard.done) << heard.error;
      EXPECT_EQ(heard.left, "220 hello");
    }
  }
}

TEST(ProxyTalk, SaysWhyAProxyDoesNotConnectBySocks) {
  const auto heard = [](const std::string& answer) {
    ProxyTalk talk(kSocks, "example.com", 443);
    return Hear(talk, answer, SIZE_MAX).error;
  };
  EXPECT_THAT(heard("\x05\x00\x05\x02\x00\x01\x00"s), HasSubstr("rules"));
  EXPECT_THAT(heard("\x05\x00\x05\x05\x00\x01\x00"s), HasSubstr("refused"));
  EXPECT_THAT(heard("\x05\x00\x05\xff\x00\x01\x00"s), HasSubstr("no name"));
  EXPECT_THAT(heard("\x05\xff"s), HasSubstr("password"));
  EXPECT_THAT(heard("\x05\x02"s), HasSubstr("password"));  // that was not offered
  EXPECT_THAT(heard("\x05\x01"s), HasSubstr("password"));
  EXPECT_THAT(heard("\x04\x00"s), HasSubstr("does not answer"));
  EXPECT_THAT(heard("HTTP/1.1 400 x"), HasSubstr("does not answer"));
  EXPECT_THAT(heard("\x05\x00\x04\x00\x00\x01\x00"s), HasSubstr("does not answer"));
  EXPECT_THAT(heard("\x05\x00\x05\x00\x00\x02\x00"s), HasSubstr("does not answer"));
}

}  // namespace
}  // namespace cay::network
