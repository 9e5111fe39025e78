#include "http/transport/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "http/client/client.h"
#include "http/server/test_certificate.h"
#include "http/server/test_server.h"

namespace cay::http {
namespace {

using testing::HasSubstr;

void EchoBody(Exchange& exchange) {
  EXPECT_TRUE(exchange.request().peer.tls);
  auto body = exchange.ReadWholeBody(64 * kMiB);
  ASSERT_TRUE(body) << body.error().ToString();
  EXPECT_TRUE(exchange.Respond({.status = 200, .body = std::move(*body)}));
}

Result<std::string> Post(const Server& server, const std::string& ca_file, std::string body,
                         const std::string& host = "127.0.0.1") {
  const Url url{
      .scheme = "https", .host = host, .port = server.addresses().front().port, .path = {}};
  const auto client = TRY(Client::Open(url, Millis(10'000), ca_file));
  for (int i = 0; i < 2; ++i) {
    const auto response = TRY(client->Send({.method = "POST", .body = body}));
    const std::string got = TRY(response->ReadAll(64 * kMiB));
    if (got != body) return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "other bytes"));
  }
  return body;
}

TEST(Tls, CarriesRequestsOfAllSizes) {
  const Certificate certificate("localhost");
  const auto server = StartServer(EchoBody, {}, certificate.options());
  for (const size_t size : {0UL, 1UL, 100'000UL, 10'000'000UL}) {
    const auto done = Post(*server, certificate.file(), std::string(size, 'x'));
    EXPECT_TRUE(done) << done.error().ToString();
  }
  EXPECT_TRUE(Post(*server, certificate.file(), "x", "localhost"));
  EXPECT_EQ(server->counters().connections_accepted, 5U);
}

// The server's session tickets come while the body goes: they are no answer.
TEST(Tls, CarriesABodyFromASource) {
  const Certificate certificate("localhost");
  const auto server = StartServer(EchoBody, {}, certificate.options());
  const Url url{
      .scheme = "https", .host = "localhost", .port = server->addresses().front().port, .path = {}};
  const auto client = *Client::Open(url, Millis(10'000), certificate.file());
  constexpr size_t kPieces = 200;
  size_t given = 0;
  ClientRequest request{.method = "PUT"};
  request.source = [&](std::span<char> space) -> Result<size_t> {
    ::poll(nullptr, 0, given < 20 ? 1 : 0);  // time for them to come
    if (given++ == kPieces) return size_t{0};
    std::ranges::fill(space.first(1000), 'x');
    return size_t{1000};
  };
  const auto response = client->Send(std::move(request));
  ASSERT_TRUE(response) << response.error().ToString();
  EXPECT_EQ((*response)->ReadAll(1 * kMiB)->size(), kPieces * 1000);
}

TEST(Tls, IsNotTrustedWithoutItsAuthority) {
  const Certificate certificate("localhost");
  const Certificate other("other");
  const auto server = StartServer(EchoBody, {}, certificate.options());
  EXPECT_THAT(Post(*server, "", "x").error().message(), HasSubstr("certificate"));
  EXPECT_THAT(Post(*server, other.file(), "x").error().message(), HasSubstr("certificate"));
}

TEST(Tls, IsNotTrustedUnderAnotherName) {
  const Certificate certificate("elsewhere.example");
  const auto server = StartServer(EchoBody, {}, certificate.options());
  EXPECT_FALSE(Post(*server, certificate.file(), "x", "localhost"));
}

TEST(Tls, LoadsNewCertificatesAndKeepsTheOldOnesWhenTheyAreBad) {
  const Certificate certificate("localhost");
  const auto server = StartServer(EchoBody, {}, certificate.options());
  certificate.Write("localhost");
  EXPECT_FALSE(Post(*server, certificate.file(), "x"));
  ASSERT_TRUE(server->ReloadTls());
  EXPECT_TRUE(Post(*server, certificate.file(), "x"));
  ASSERT_EQ(::truncate(certificate.options().key_file.c_str(), 10), 0);
  EXPECT_FALSE(server->ReloadTls());
  EXPECT_TRUE(Post(*server, certificate.file(), "x"));
}

TEST(Tls, RefusesFilesThatAreNone) {
  ServerOptions options;
  options.listen = {*ListenAddress::Parse("127.0.0.1:0")};
  options.tls = {.certificate_file = "/nowhere", .key_file = "/nowhere"};
  const auto server = Server::Start(options, EchoBody);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message(), HasSubstr("/nowhere"));
}

TEST(Tls, SurvivesPlainTextAndAHandshakeThatDoesNotEnd) {
  ServerLimits limits;
  limits.header_timeout = Millis(50);
  const Certificate certificate("localhost");
  const auto server = StartServer(EchoBody, limits, certificate.options());
  RawClient plain(*server);
  ASSERT_TRUE(plain.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  plain.ReadToEnd();
  RawClient silent(*server);
  silent.ReadToEnd();
  RawClient half(*server);
  ASSERT_TRUE(half.Send("\x16\x03\x01\x02"));
  half.ReadToEnd();
  EXPECT_TRUE(Eventually([&] { return server->counters().connections_open == 0; }));
}

TEST(Tls, CarriesAWebSocket) {
  const Certificate certificate("localhost");
  const auto server = StartServer(
      [](Exchange& exchange) {
        const auto socket = exchange.AcceptWebSocket();
        ASSERT_TRUE(socket);
        for (auto message = (*socket)->Read(); message && *message; message = (*socket)->Read()) {
          ASSERT_TRUE((*socket)->Send((*message)->kind, (*message)->bytes));
        }
      },
      {}, certificate.options());
  const Url url{
      .scheme = "https", .host = "localhost", .port = server->addresses().front().port, .path = {}};
  const auto client = *Client::Open(url, Millis(10'000), certificate.file());
  const auto socket = client->OpenWebSocket("/", {});
  ASSERT_TRUE(socket) << socket.error().ToString();
  for (const size_t size : {3U, 70'000U, 1'000'000U}) {
    ASSERT_TRUE((*socket)->Send(WebSocket::Kind::kBinary, std::string(size, 'b')));
    EXPECT_EQ((**(*socket)->Read()).bytes.size(), size);
  }
}

}  // namespace
}  // namespace cay::http
