#include "network/wire/http_head.h"

#include <gtest/gtest.h>

namespace cay::network {
namespace {

using std::string_literals::operator""s;

// Asked about each beginning of the bytes as well, as they come one by one: the first answer that
// is no kMore stays.
Peek ReadAtEachByte(std::string_view bytes, RequestHead& head) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    RequestHead early{.host = "as it was"};
    const Peek peek = ReadRequestHead(bytes.substr(0, i), early);
    if (peek == Peek::kMore) {
      EXPECT_EQ(early.host, "as it was") << i;
      continue;
    }
    EXPECT_EQ(ReadRequestHead(bytes, head), peek) << i;
    EXPECT_TRUE(peek != Peek::kFound || early.host == head.host) << i;
    return peek;
  }
  return ReadRequestHead(bytes, head);
}

void ExpectHost(std::string_view bytes, std::string_view host) {
  RequestHead head{.host = "as it was"};
  EXPECT_EQ(ReadAtEachByte(bytes, head), Peek::kFound) << bytes;
  EXPECT_EQ(head.host, host) << bytes;
}

void Expect(std::string_view bytes, Peek peek) {
  RequestHead head{.host = "as it was"};
  EXPECT_EQ(ReadAtEachByte(bytes, head), peek) << bytes;
  EXPECT_EQ(head.host, "as it was") << bytes;
}

std::string Get(std::string_view host) {
  return "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

TEST(RequestHead, IsReadWhenItsLastByteIsThere) {
  // Of curl, of Python's urllib, and of Java.
  for (const std::string& bytes :
       {"GET /a?b HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"s,
        "GET / HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: example.com:8080\r\n"
        "User-Agent: Python-urllib/3.11\r\nConnection: close\r\n\r\n"s,
        "POST /x HTTP/1.1\r\nUser-Agent: Java/17.0.15\r\nHost: example.com\r\n"
        "Accept: text/html, image/gif, *; q=.2, */*; q=.2\r\nConnection: keep-alive\r\n"
        "Content-type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\n"s}) {
    RequestHead head;
    for (size_t i = 0; i < bytes.size(); ++i) {
      ASSERT_EQ(ReadRequestHead(bytes.substr(0, i), head), Peek::kMore) << i;
    }
    ASSERT_EQ(ReadRequestHead(bytes, head), Peek::kFound);
    EXPECT_EQ(head.host, "example.com");
    EXPECT_EQ(ReadRequestHead(bytes + "a=b", head), Peek::kFound);
    EXPECT_EQ(ReadRequestHead(bytes + "\0\n"s, head), Peek::kFound);
  }
}

TEST(RequestHead, HasTheHostWithoutItsPortInLowerCase) {
  ExpectHost(Get("Example.COM"), "example.com");
  ExpectHost(Get("example.com:80"), "example.com");
  ExpectHost(Get("example.com:65535"), "example.com");
  ExpectHost(Get("example.com:"), "example.com");
  ExpectHost(Get("example.com."), "example.com.");
  ExpectHost(Get("_a-b.example"), "_a-b.example");
  ExpectHost(Get("192.0.2.7:8080"), "192.0.2.7");
  ExpectHost(Get("[2001:DB8::7]"), "2001:db8::7");
  ExpectHost(Get("[::1]:8080"), "::1");
  ExpectHost(Get("[::ffff:192.0.2.7]:"), "::ffff:192.0.2.7");
  ExpectHost(Get(" \t example.com \t "), "example.com");
  ExpectHost("GET / HTTP/1.1\r\nhOsT:example.com\r\n\r\n", "example.com");
  ExpectHost(Get(std::string(255, 'x')), std::string(255, 'x'));
}

TEST(RequestHead, CanNameNoHost) {
  ExpectHost(Get(""), "");
  ExpectHost(Get(" \t "), "");
  ExpectHost("GET / HTTP/1.0\r\n\r\n", "");
  ExpectHost("GET / HTTP/1.0\r\nAccept: */*\r\n\r\n", "");
  ExpectHost("GET / HTTP/1.0\r\nHost: example.com\r\n\r\n", "example.com");
}

TEST(RequestHead, HasTheHostOfAnAbsoluteTarget) {
  ExpectHost("GET http://Example.com/ HTTP/1.1\r\nHost: example.COM\r\n\r\n", "example.com");
  ExpectHost("GET HTTP://example.com HTTP/1.1\r\nHost: example.com:80\r\n\r\n", "example.com");
  ExpectHost("GET http://example.com:8080?a HTTP/1.1\r\nHost: example.com\r\n\r\n", "example.com");
  ExpectHost("GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]\r\n\r\n", "::1");
  ExpectHost("GET http://example.com/ HTTP/1.0\r\n\r\n", "example.com");
  ExpectHost("OPTIONS http://example.com HTTP/1.1\r\nHost: example.com\r\n\r\n", "example.com");
  // What is in a path or a query is no host.
  ExpectHost("GET //a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", "b.example");
  ExpectHost("GET /http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", "b.example");
  ExpectHost("GET http://b.example/@a.example HTTP/1.1\r\nHost: b.example\r\n\r\n", "b.example");
  ExpectHost("GET http://b.example?@a.example HTTP/1.1\r\nHost: b.example\r\n\r\n", "b.example");
}

TEST(RequestHead, HasTheHostThatConnectIsFor) {
  ExpectHost("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "example.com");
  ExpectHost("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", "example.com");
  ExpectHost("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", "::1");
  ExpectHost("CONNECT example.com:443 HTTP/1.0\r\n\r\n", "example.com");
}

TEST(RequestHead, MayHaveAnyMethodAndPath) {
  const std::string rest = " HTTP/1.1\r\nHost: example.com\r\n\r\n";
  ExpectHost("OPTIONS *" + rest, "example.com");
  ExpectHost("M-SEARCH /" + rest, "example.com");
  ExpectHost("get /" + rest, "example.com");
  ExpectHost("PRI /" + rest, "example.com");
  ExpectHost("!#$%&'*+-.^_`|~1 /" + rest, "example.com");
  ExpectHost("GET /{a}|\"b\"\\<c>^`%zz" + rest, "example.com");
  ExpectHost(
      "GET /b\xc3\xbc"
      "cher" +
          rest,
      "example.com");
}

TEST(RequestHead, MayHaveAnyFields) {
  ExpectHost("GET / HTTP/1.1\r\nX:\r\nY: \t\r\nZ: a:b \xc3\xbc\r\nHost: a.example\r\n\r\n",
             "a.example");
  ExpectHost("GET / HTTP/1.1\r\nX-Host: b.example\r\nHost: a.example\r\nHosts: c\r\n\r\n",
             "a.example");
}

TEST(RequestHead, IsSomethingElseWhereNoMethodBegins) {
  for (const std::string& bytes :
       {"\x16\x03\x01\x01\x38"s, "\0\0\0\x08"s, "\xff"s, "{\"a\": 1}"s, "<x>"s, "@"s, "(GET) /"s,
        "/ HTTP/1.1\r\n"s, "AMQP\0\0\x09\x01"s, "GET\0 / HTTP/1.1"s, "GET{ / HTTP/1.1"s,
        "PING\r\n"s, "PING\n"s, "SSH-2.0-OpenSSH_9.2\r\n"s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s}) {
    Expect(bytes, Peek::kOther);
  }
  Expect("", Peek::kMore);
  Expect("PING\r", Peek::kMore);
  Expect("PRI * HTTP/2.0\r", Peek::kMore);
}

// A head with its empty line of so many bytes.
std::string HeadOf(size_t bytes) {
  std::string head = "GET / HTTP/1.1\r\nHost: example.com\r\nX: ";
  return head.append(bytes - head.size() - 4, 'x') + "\r\n\r\n";
}

TEST(RequestHead, CanBeAsLongAsThePeek) {
  RequestHead head;
  const std::string bytes = HeadOf(kMaxPeek);
  ASSERT_EQ(bytes.size(), kMaxPeek);
  EXPECT_EQ(ReadRequestHead(bytes.substr(0, kMaxPeek - 1), head), Peek::kMore);
  EXPECT_EQ(ReadRequestHead(bytes, head), Peek::kFound);
  EXPECT_EQ(ReadRequestHead(bytes + "body", head), Peek::kFound);
  EXPECT_EQ(head.host, "example.com");
}

TEST(RequestHead, IsRefusedWhenItIsLongerThanThePeek) {
  RequestHead head;
  for (const std::string& bytes : {HeadOf(kMaxPeek + 1), std::string(kMaxPeek + 1, 'G'),
                                   "GET /" + std::string(kMaxPeek, 'x')}) {
    EXPECT_EQ(ReadRequestHead(bytes.substr(0, kMaxPeek - 1), head), Peek::kMore);
    EXPECT_EQ(ReadRequestHead(bytes.substr(0, kMaxPeek), head), Peek::kBad);
    EXPECT_EQ(ReadRequestHead(bytes, head), Peek::kBad);
  }
}

struct Refused {
  const char* name;
  std::string bytes;
};
class RefusedHead : public testing::TestWithParam<Refused> {};

TEST_P(RefusedHead, IsBad) { Expect(GetParam().bytes, Peek::kBad); }

std::string Line(std::string_view line) { return std::string(line) + "\r\nHost: x\r\n\r\n"; }

INSTANTIATE_TEST_SUITE_P(
    RequestLines, RefusedHead,
    testing::Values(
        Refused{"empty_line_first", "\r\n" + Get("x")}, Refused{"lf_first", "\n" + Get("x")},
        Refused{"space_first", " " + Get("x")}, Refused{"tab_first", "\t" + Get("x")},
        Refused{"form_feed_first", "\f" + Get("x")},
        Refused{"tab_after_the_method", Line("GET\t/ HTTP/1.1")},
        Refused{"form_feed_after_the_method", Line("GET\f/ HTTP/1.1")},
        Refused{"cr_after_the_method", Line("GET\r/ HTTP/1.1")},
        Refused{"two_spaces_after_the_method", Line("GET  / HTTP/1.1")},
        Refused{"two_spaces_after_the_target", Line("GET /  HTTP/1.1")},
        Refused{"tab_after_the_target", Line("GET /\tHTTP/1.1")},
        Refused{"tab_in_the_target", Line("GET /\tx HTTP/1.1")},
        Refused{"space_at_the_end", Line("GET / HTTP/1.1 ")},
        Refused{"space_in_the_target", Line("GET /a b HTTP/1.1")},
        Refused{"bare_lf", "GET / HTTP/1.1\nHost: x\r\n\r\n"},
        Refused{"bare_lf_everywhere", "GET / HTTP/1.1\nHost: x\n\n"},
        Refused{"bare_cr", Line("GET /\r HTTP/1.1")}, Refused{"nul", Line("GET /\0 HTTP/1.1"s)},
        Refused{"delete_character", Line("GET /\x7f HTTP/1.1")}, Refused{"http_0_9", "GET /\r\n"},
        Refused{"http_0_9_with_a_host", "GET http://a.example/\r\n"},
        Refused{"http_1_2", Line("GET / HTTP/1.2")}, Refused{"http_2", Line("GET / HTTP/2.0")},
        Refused{"preface_of_another_target", Line("PRI / HTTP/2.0")},
        Refused{"lower_case_version", Line("GET / http/1.1")},
        Refused{"long_version", Line("GET / HTTP/1.10")}, Refused{"no_version", Line("GET / ")},
        Refused{"fragment", Line("GET /#a HTTP/1.1")},
        Refused{"target_that_is_no_path", Line("GET x HTTP/1.1")},
        Refused{"target_without_a_path", Line("GET ?x HTTP/1.1")},
        Refused{"star_of_get", Line("GET * HTTP/1.1")},
        Refused{"https", Line("GET https://x/ HTTP/1.1")},
        Refused{"another_scheme", Line("GET ftp://x/ HTTP/1.1")},
        Refused{"absolute_without_a_host", Line("GET http:/// HTTP/1.1")},
        Refused{"absolute_with_a_user", Line("GET http://u@x/ HTTP/1.1")},
        Refused{"absolute_with_a_backslash", Line("GET http://x\\@y/ HTTP/1.1")},
        Refused{"absolute_with_a_fragment", Line("GET http://x#@y/ HTTP/1.1")},
        Refused{"absolute_of_connect", Line("CONNECT http://x/ HTTP/1.1")},
        Refused{"path_of_connect", Line("CONNECT / HTTP/1.1")},
        Refused{"connect_without_a_port", Line("CONNECT x HTTP/1.1")},
        Refused{"connect_with_an_empty_port", Line("CONNECT x: HTTP/1.1")},
        Refused{"connect_to_an_address_without_a_port",
                "CONNECT [::1] HTTP/1.1\r\nHost: [::1]\r\n\r\n"},
        Refused{"connect_with_two_ports", Line("CONNECT x:1:2 HTTP/1.1")},
        Refused{"authority_of_get", Line("GET x:443 HTTP/1.1")}),
    [](const auto& tested) { return tested.param.name; });

std::string Fields(std::string_view fields) {
  return "GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Fields, RefusedHead,
    testing::Values(
        Refused{"no_host", Fields("X: y\r\n")}, Refused{"no_field", Fields("")},
        Refused{"two_hosts", Fields("Host: a.example\r\nHost: b.example\r\n")},
        Refused{"same_host_twice", Fields("Host: x\r\nX: y\r\nhost: x\r\n")},
        Refused{"empty_host_and_another", Fields("Host:\r\nHost: x\r\n")},
        Refused{"two_hosts_in_http_1_0", "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"},
        Refused{"target_and_host_differ",
                "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n"},
        Refused{"target_and_host_differ_in_a_dot", "GET http://a/ HTTP/1.1\r\nHost: a.\r\n\r\n"},
        Refused{"target_and_empty_host", "GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n"},
        Refused{"target_and_no_host", "GET http://a.example/ HTTP/1.1\r\n\r\n"},
        Refused{"target_and_host_differ_in_http_1_0", "GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n"},
        Refused{"connect_and_host_differ", "CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"},
        Refused{"space_before_the_colon", Fields("Host : x\r\n")},
        Refused{"tab_before_the_colon", Fields("Host\t: x\r\n")},
        Refused{"space_before_the_first_field", Fields(" Host: x\r\n")},
        Refused{"folded_line", Fields("Host: x\r\nX: a\r\n b\r\n")},
        Refused{"folded_with_a_tab", Fields("X: a\r\n\tHost: y\r\nHost: x\r\n")},
        Refused{"folded_host", Fields("Host:\r\n x\r\n")},
        Refused{"line_of_a_space", Fields("Host: x\r\n \r\n")},
        Refused{"no_colon", Fields("Host: x\r\nX\r\n")},
        Refused{"no_name", Fields(": x\r\nHost: x\r\n")},
        Refused{"name_with_a_space", Fields("X Y: x\r\nHost: x\r\n")},
        Refused{"name_with_a_byte_over_ascii", Fields("H\xc3\xb6st: x\r\nHost: x\r\n")},
        Refused{"bare_lf_after_a_field", Fields("Host: x\nX: y\r\n")},
        Refused{"bare_lf_at_the_end", "GET / HTTP/1.1\r\nHost: x\r\n\n"},
        Refused{"bare_cr_in_a_value", Fields("X: a\rHost: y\r\nHost: x\r\n")},
        Refused{"bare_cr_at_the_end", "GET / HTTP/1.1\r\nHost: x\r\n\rX"},
        Refused{"nul_in_a_value", Fields("Host: x\0.y\r\n"s)},
        Refused{"control_character", Fields("Host: x\r\nX: \x01\r\n")},
        Refused{"delete_character", Fields("Host: x\r\nX: \x7f\r\n")},
        Refused{"bad_host_in_http_1_0", "GET / HTTP/1.0\r\nHost: u@x\r\n\r\n"},
        Refused{"bad_host_and_another", Fields("Host: u@x\r\nHost: x\r\n")}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Hosts, RefusedHead,
    testing::Values(
        Refused{"user", Get("u@x")}, Refused{"path", Get("x/y")}, Refused{"url", Get("http://x")},
        Refused{"list", Get("x, y")}, Refused{"two_words", Get("x y")},
        Refused{"percent", Get("ex%61mple.com")}, Refused{"byte_over_ascii", Get("b\xc3\xbc")},
        Refused{"quote", Get("\"x\"")}, Refused{"star", Get("*.x")},
        Refused{"port_alone", Get(":80")}, Refused{"colon_alone", Get(":")},
        Refused{"two_ports", Get("x:80:81")}, Refused{"port_with_a_letter", Get("x:8o")},
        Refused{"port_with_a_sign", Get("x:+80")}, Refused{"negative_port", Get("x:-1")},
        Refused{"port_with_a_space", Get("x: 80")}, Refused{"port_over_65535", Get("x:65536")},
        Refused{"long_port", Get("x:000080")},
        Refused{"address_of_ipv6_without_brackets", Get("2001:db8::7")},
        Refused{"brackets_that_do_not_end", Get("[::1")}, Refused{"end_of_brackets", Get("::1]")},
        Refused{"nothing_in_brackets", Get("[]")},
        Refused{"address_of_ipv4_in_brackets", Get("[1.2.3.4]")},
        Refused{"name_in_brackets", Get("[x]")}, Refused{"zone", Get("[fe80::1%25eth0]")},
        Refused{"address_of_the_future", Get("[v1.x]")},
        Refused{"text_after_brackets", Get("[::1]x")},
        Refused{"over_255_bytes", Get(std::string(256, 'x'))}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace cay::network
