// What is refused before a handler sees it: over real connections, since what counts is that the
// connection ends with it.
#include "http/wire/head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/server/test_server.h"
#include "http/wire/target.h"

namespace cay::http {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Refused {
  const char* name;
  std::string head;
  int status = 400;
};
class RefusedRequest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRequest, EndsTheConnection) {
  std::atomic<int> calls{0};
  const auto server = StartServer([&](Exchange& exchange) {
    ++calls;
    static_cast<void>(exchange.ReadWholeBody(1000));
    static_cast<void>(exchange.Respond({.status = 200}));
  });
  RawClient client(*server);
  // What would follow is never taken for a request.
  client.Send(GetParam().head + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 " + std::to_string(GetParam().status) + " "),
                            HasSubstr("application/problem+json"), HasSubstr("Connection: close"),
                            Not(HasSubstr("200 OK"))));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(server->counters().bad_requests, 1U);
}

std::string With(std::string_view fields) {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedRequest,
    testing::Values(
        Refused{"length_and_chunked", With("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
        Refused{"chunked_and_length", With("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
        Refused{"two_lengths", With("Content-Length: 5\r\nContent-Length: 6\r\n")},
        Refused{"the_same_length_twice", With("Content-Length: 5\r\nContent-Length: 5\r\n")},
        Refused{"list_of_lengths", With("Content-Length: 5, 5\r\n")},
        Refused{"negative_length", With("Content-Length: -1\r\n")},
        Refused{"signed_length", With("Content-Length: +5\r\n")},
        Refused{"hexadecimal_length", With("Content-Length: 0x5\r\n")},
        Refused{"length_of_nothing", With("Content-Length: \r\n")},
        Refused{"length_over_63_bits", With("Content-Length: 9223372036854775808\r\n")},
        Refused{"length_over_64_bits", With("Content-Length: 18446744073709551617\r\n")},
        Refused{"coding_other_than_chunked", With("Transfer-Encoding: gzip\r\n")},
        Refused{"coding_before_chunked", With("Transfer-Encoding: gzip, chunked\r\n")},
        Refused{"chunked_twice", With("Transfer-Encoding: chunked, chunked\r\n")},
        Refused{"two_codings",
                With("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")},
        Refused{"coding_that_looks_like_chunked", With("Transfer-Encoding: xchunked\r\n")},
        Refused{"coding_with_a_quote", With("Transfer-Encoding: \"chunked\"\r\n")},
        Refused{"coding_in_http_1_0",
                "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"},
        Refused{"space_before_the_colon", With("Content-Length : 5\r\n")},
        Refused{"space_before_the_name", "POST / HTTP/1.1\r\n Host: x\r\n\r\n"},
        Refused{"continued_line", With("X: a\r\n b\r\n")},
        Refused{"continued_line_with_a_tab", With("Transfer-Encoding:\r\n\tchunked\r\n")},
        Refused{"field_without_a_colon", With("X\r\n")},
        Refused{"field_without_a_name", With(": x\r\n")},
        Refused{"name_with_a_space", With("X Y: x\r\n")},
        Refused{"bare_lf", "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n"},
        Refused{"bare_lf_in_the_first_line", "GET / HTTP/1.1\nHost: x\r\n\r\n"},
        Refused{"bare_cr", With("X: a\rTransfer-Encoding: chunked\r\n")},
        Refused{"nul", With(std::string("X: a\0b\r\n", 8))},
        Refused{"control_character", With("X: a\x01\r\n")},
        Refused{"delete_character", With("X: a\x7f\r\n")},
        Refused{"no_host", "GET / HTTP/1.1\r\n\r\n"},
        Refused{"two_hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"},
        Refused{"host_with_a_path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"},
        Refused{"host_with_a_user", "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n"},
        Refused{"host_that_is_a_list", "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"},
        Refused{"no_version", "GET /\r\nHost: x\r\n\r\n"},
        Refused{"two_spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"space_in_the_target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"tab_in_the_first_line", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"fragment_in_the_target", "GET /#x HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"target_that_is_no_path", "GET x HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"target_of_another_scheme", "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"percent_of_nothing", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"encoded_nul", "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"encoded_nul_in_the_query", "GET /?a=%00 HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"star_of_get", "GET * HTTP/1.1\r\nHost: x\r\n\r\n"},
        Refused{"http_2", "PRI * HTTP/2.0\r\n\r\n", 505},
        Refused{"expectation", With("Content-Length: 1\r\nExpect: 200-ok\r\n"), 417},
        Refused{"long_target", "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n",
                414},
        Refused{"endless_target", "GET /" + std::string(40'000, 'x'), 414},
        Refused{"long_field", With("X: " + std::string(40'000, 'x') + "\r\n"), 431},
        Refused{"many_fields",
                [] {
                  std::string head = "GET / HTTP/1.1\r\nHost: x\r\n";
                  while (head.size() < 40'000) head += "a: b\r\n";
                  return head;
                }(),
                431}),
    [](const auto& tested) { return tested.param.name; });

// The body of a request that is under way.
class RefusedChunks : public testing::TestWithParam<std::pair<const char*, std::string>> {};

TEST_P(RefusedChunks, EndTheConnection) {
  std::atomic<int> calls{0};
  const auto server = StartServer([&](Exchange& exchange) {
    ++calls;
    const auto body = exchange.ReadWholeBody(1000);
    EXPECT_FALSE(body);
    static_cast<void>(exchange.Respond({.status = 400, .body = body.error().message()}));
  });
  RawClient client(*server);
  client.Send(With("Transfer-Encoding: chunked\r\n") + GetParam().second +
              "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("Connection: close")));
  EXPECT_EQ(calls, 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedChunks,
    testing::Values(std::pair{"no_size", std::string("\r\nx\r\n0\r\n\r\n")},
                    std::pair{"size_that_is_none", std::string("g\r\nx\r\n0\r\n\r\n")},
                    std::pair{"negative_size", std::string("-1\r\nx\r\n0\r\n\r\n")},
                    std::pair{"prefixed_size", std::string("0x1\r\nx\r\n0\r\n\r\n")},
                    std::pair{"size_over_64_bits",
                              std::string("10000000000000001\r\nx\r\n0\r\n\r\n")},
                    std::pair{"size_that_is_too_small", std::string("1\r\nxy\r\n0\r\n\r\n")},
                    std::pair{"bare_lf_after_the_size", std::string("1\nx\r\n0\r\n\r\n")},
                    std::pair{"bare_lf_after_the_data", std::string("1\r\nx\n0\r\n\r\n")},
                    std::pair{"endless_extension", "1;" + std::string(20'000, 'x')},
                    std::pair{"bad_trailer", std::string("0\r\nbad trailer\r\n\r\n")}),
    [](const auto& tested) { return std::string(tested.param.first); });

TEST(RequestHead, TakesTheHostOfAnAbsoluteTarget) {
  const auto head =
      ParseRequestHead("GET http://good:80/a?b=c HTTP/1.1\r\nHost: evil\r\n\r\n", 8192);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->request.headers.Find("Host"), "good:80");
  EXPECT_EQ(head->request.path, "/a");
  EXPECT_EQ(head->request.Query("b"), "c");
  EXPECT_EQ(ParseRequestHead("GET HTTP://h?x HTTP/1.1\r\nHost: h\r\n\r\n", 99)->request.path, "/");
}

TEST(RequestHead, DecodesTheQuery) {
  const auto target = ParseTarget("GET", "/p%20q?a=1+2&b=%2B%c3%BC&=x&c&&a=3");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/p%20q");
  EXPECT_EQ(target->query,
            (std::vector<std::pair<std::string, std::string>>{
                {"a", "1 2"}, {"b", "+\xc3\xbc"}, {"", "x"}, {"c", ""}, {"a", "3"}}));
}

TEST(RequestHead, TakesUtf8AsPeoplePasteIt) {
  EXPECT_EQ(ParseTarget("GET", "/\xc3\xbc")->path, "/\xc3\xbc");
}

TEST(RequestHead, KnowsTheOtherForms) {
  EXPECT_EQ(ParseTarget("OPTIONS", "*")->path, "*");
  EXPECT_EQ(ParseTarget("CONNECT", "host:80")->authority, "host:80");
  EXPECT_FALSE(ParseTarget("CONNECT", "/path"));
  EXPECT_FALSE(ParseTarget("GET", "http:///x"));
  EXPECT_FALSE(ParseTarget("GET", "http://u@h/x"));
}

TEST(ListenAddress, ReadsWhatPeopleWrite) {
  for (const std::string text :
       {"127.0.0.1:8888", "[::1]:0", "localhost:80", "0.0.0.0:65535", "unix:/run/cay.sock"}) {
    const auto address = ListenAddress::Parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->ToString(), text);
  }
  for (const std::string_view text :
       {"", "8888", ":8888", "127.0.0.1", "127.0.0.1:", "::1:80", "127.0.0.1:65536", "host:80",
        "unix:", "unix:x", "[::1]", "[127.0.0.1]:80", "1.2.3:80", "127.0.0.1:-1"}) {
    EXPECT_FALSE(ListenAddress::Parse(text)) << text;
  }
}

TEST(ListenAddress, KnowsWhatOnlyThisMachineReaches) {
  for (const std::string_view text :
       {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/x"}) {
    EXPECT_TRUE(ListenAddress::Parse(text)->loopback()) << text;
  }
  for (const std::string_view text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1"}) {
    EXPECT_FALSE(ListenAddress::Parse(text)->loopback()) << text;
  }
}

}  // namespace
}  // namespace cay::http
