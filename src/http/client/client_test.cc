#include "http/client/client.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/os/wakeup.h"
#include "http/server/test_server.h"

namespace cay::http {
namespace {

using testing::HasSubstr;

std::unique_ptr<Client> ClientOf(const Server& server) {
  const auto url = Url::Parse("http://" + server.addresses().front().ToString());
  EXPECT_TRUE(url) << url.error().ToString();
  auto client = Client::Open(*url);
  EXPECT_TRUE(client) << client.error().ToString();
  return std::move(*client);
}

std::string Get(Client& client, const std::string& target) {
  auto response = client.Send({.target = target});
  if (!response) return response.error().ToString();
  const auto body = (*response)->ReadAll(1 * kMiB);
  return std::to_string((*response)->status()) + " " + (body ? *body : body.error().ToString());
}

void SayPath(Exchange& exchange) {
  static_cast<void>(
      exchange.Respond({.status = 200, .headers = {}, .body = exchange.request().target}));
}

TEST(Url, ReadsWhatPeopleWrite) {
  EXPECT_EQ(Url::Parse("http://127.0.0.1:8888")->ToString(), "http://127.0.0.1:8888");
  EXPECT_EQ(Url::Parse("HTTP://localhost/")->ToString(), "http://localhost:80");
  EXPECT_EQ(Url::Parse("https://example.org")->ToString(), "https://example.org:443");
  EXPECT_EQ(Url::Parse("https://[::1]:99")->host, "::1");
  EXPECT_EQ(Url::Parse("https://[::1]:99")->ToString(), "https://[::1]:99");
  EXPECT_EQ(Url::Parse("unix:/run/cay.sock")->path, "/run/cay.sock");
  EXPECT_EQ(Url::Parse("unix:///run/cay.sock")->path, "/run/cay.sock");
}

TEST(Url, RefusesTheRest) {
  for (const std::string_view text :
       {"", "localhost:8888", "ftp://x", "http://", "http://x:0", "http://x:65536", "http://x/path",
        "http://user@x", "http://x?q", "http://x#f", "unix:run", "unix:", "unix://host/x",
        "http://a b", "http://[::1", "http://x%0aX-Y:1", "http://a%3ab", "http://%41",
        "http://[v1.a]"}) {
    EXPECT_FALSE(Url::Parse(text)) << text;
  }
}

// Whoever has checked an address gets no other, and the server still learns the name.
TEST(Client, ConnectsToTheAddressItIsGiven) {
  const auto server = StartServer([](Exchange& exchange) {
    const std::string host(exchange.request().headers.Find("Host").value_or(""));
    static_cast<void>(exchange.Respond({.status = 200, .headers = {}, .body = host}));
  });
  const std::string port = std::to_string(server->addresses().front().port);
  Url url = *Url::Parse("http://name.invalid:" + port);
  EXPECT_FALSE((*Client::Open(url))->Send({}));
  url.address = "127.0.0.1";
  EXPECT_EQ(Get(**Client::Open(url), "/"), "200 name.invalid:" + port);
  url.address = "localhost";  // no name: it would be looked up
  EXPECT_FALSE((*Client::Open(url))->Send({}));
}

TEST(Client, WaitsNoLongerForAHeadThanItIsTold) {
  const Fd silent = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent.get(), 1), 0);
  ASSERT_EQ(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto url = Url::Parse("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  const auto answer = (*Client::Open(*url))->Send({.timeout = Millis(50)});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kTimeout);
}

// Sends a head, a first byte, and then so little that nobody should wait for it.
Server* DripOf(std::unique_ptr<Server>& server, std::atomic<bool>& ended) {
  server = StartServer([&ended](Exchange& exchange) {
    if (!exchange.Begin(200, {}, 1'000'000)) return;
    while (!ended && exchange.Write("x")) std::this_thread::sleep_for(Millis(10));
  });
  return server.get();
}

TEST(Client, GivesUpABodyThatComesTooSlowly) {
  std::atomic<bool> ended = false;
  std::unique_ptr<Server> server;
  const auto client = ClientOf(*DripOf(server, ended));
  auto response = client->Send(
      {.body_patience = BodyPatience{.min_bytes_per_second = 100'000, .window = Millis(100)}});
  ASSERT_TRUE(response) << response.error().ToString();
  const auto body = (*response)->ReadAll(2'000'000);
  ended = true;
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code(), ErrorCode::kTimeout);
  EXPECT_THAT(body.error().message(), HasSubstr("too slowly"));
}

TEST(Client, IsStoppedWhileItWaits) {
  const Wakeup stop = *Wakeup::Make();
  HeldHandler held;
  const auto server = StartServer([&](Exchange& exchange) {
    if (exchange.request().target == "/begun") {
      ASSERT_TRUE(exchange.Begin(200, {}, 10));
      ASSERT_TRUE(exchange.Write("x"));
    }
    held(exchange);
  });
  const auto client = ClientOf(*server);
  auto begun = client->Send({.target = "/begun", .stop_fd = stop.fd()});
  ASSERT_TRUE(begun) << begun.error().ToString();
  std::thread stopper([&] {
    held.AwaitBegun(1);
    stop.Raise();
  });
  const auto body = (*begun)->ReadAll(10);
  stopper.join();
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().sys_errno(), ECANCELED);
  // Stopped before it begins: connecting does not wait either, nor does the head.
  const auto head = ClientOf(*server)->Send({.target = "/", .stop_fd = stop.fd()});
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().sys_errno(), ECANCELED);
  held.Go(2);
}

TEST(Client, SendsManyRequestsOverOneConnection) {
  const auto server = StartServer(SayPath);
  const auto client = ClientOf(*server);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(Get(*client, "/" + std::to_string(i)), "200 /" + std::to_string(i));
  EXPECT_EQ(server->counters().connections_accepted, 1U);
}

TEST(Client, OpensAnotherConnectionWhenTheServerHasClosedIt) {
  ServerLimits limits;
  limits.idle_timeout = Millis(300);  // and the second connection has to be in time, too
  const auto server = StartServer(SayPath, limits);
  const auto client = ClientOf(*server);
  EXPECT_EQ(Get(*client, "/1"), "200 /1");
  ASSERT_TRUE(Eventually([&] { return server->counters().connections_open == 0; }));
  auto response = client->Send({.method = "POST", .target = "/2", .body = "x"});
  ASSERT_TRUE(response) << response.error().ToString();
  EXPECT_EQ((*response)->ReadAll(10), "/2");
}

TEST(Client, StreamsBothWays) {
  // Echoes while it reads, then says how much that was.
  const auto server = StartServer([](Exchange& exchange) {
    std::string all;
    std::vector<char> space(100'000);
    for (;;) {
      const auto got = exchange.ReadBody(space);
      ASSERT_TRUE(got) << got.error().ToString();
      if (*got == 0) break;
      all.append(space.data(), *got);
    }
    ASSERT_TRUE(exchange.Begin(200, {}));
    for (size_t at = 0; at < all.size(); at += 65536) {
      ASSERT_TRUE(exchange.Write(std::string_view(all).substr(at, 65536)));
    }
    ASSERT_TRUE(exchange.Finish());
  });
  const auto client = ClientOf(*server);
  std::string sent;
  for (int i = 0; i < 500'000; ++i) sent += std::to_string(i);
  for (const bool length_is_known : {false, true}) {
    ClientRequest request{.method = "PUT", .target = "/"};
    size_t at = 0;
    request.source = [&](std::span<char> space) -> Result<size_t> {
      const size_t piece = std::min({space.size(), sent.size() - at, size_t{40'001}});
      sent.copy(space.data(), piece, at);
      at += piece;
      return piece;
    };
    if (length_is_known) request.source_length = sent.size();
    auto response = client->Send(std::move(request));
    ASSERT_TRUE(response) << response.error().ToString();
    EXPECT_EQ((*response)->ReadAll(sent.size()), sent);
  }
  EXPECT_EQ(server->counters().connections_accepted, 1U);
}

TEST(Client, GetsTheAnswerToABodyThatIsRefused) {
  const auto server = StartServer([](Exchange& exchange) {
    EXPECT_TRUE(exchange.Respond({.status = 413, .headers = {}, .body = "too large"}));
  });
  const auto client = ClientOf(*server);
  ClientRequest request{.method = "PUT", .target = "/"};
  request.source_length = 1 * kGiB;
  request.source = [](std::span<char> space) -> Result<size_t> {
    std::ranges::fill(space, 'x');
    return space.size();
  };
  auto response = client->Send(std::move(request));
  ASSERT_TRUE(response) << response.error().ToString();
  EXPECT_EQ((*response)->status(), 413);
  EXPECT_EQ((*response)->ReadAll(100), "too large");
}

TEST(Client, DoesNotWaitForWhatHasNotCome) {
  std::binary_semaphore rest{0};
  const auto server = StartServer([&](Exchange& exchange) {
    EXPECT_TRUE(exchange.Begin(200, {}));
    EXPECT_TRUE(exchange.Write("first"));
    rest.acquire();
    EXPECT_TRUE(exchange.Write("second"));
    EXPECT_TRUE(exchange.Finish());
  });
  const auto client = ClientOf(*server);
  auto response = client->Send({.target = "/"});
  ASSERT_TRUE(response) << response.error().ToString();
  std::array<char, 100> space{};
  EXPECT_EQ((*response)->Read(space), 5U);
  // The chunk's own end may have come with it: it is no reason to wait for what follows.
  for (int i = 0; i < 3; ++i) {
    const auto more = (*response)->TryRead(space);
    EXPECT_TRUE(more && !*more);
  }
  rest.release();
  EXPECT_EQ((*response)->ReadAll(100), "second");
  const auto end = (*response)->TryRead(space);
  EXPECT_TRUE(end && *end == 0U);
}

TEST(Client, NoticesABodyThatIsCutShort) {
  const auto server = StartServer([](Exchange& exchange) {
    if (exchange.request().path == "/length") {
      EXPECT_TRUE(exchange.Begin(200, {}, 10));
    } else {
      EXPECT_TRUE(exchange.Begin(200, {}));
    }
    EXPECT_TRUE(exchange.Write("five5"));
  });
  const auto client = ClientOf(*server);
  for (const std::string target : {"/length", "/chunks"}) {
    auto response = client->Send({.target = target});
    ASSERT_TRUE(response);
    const auto body = (*response)->ReadAll(100);
    ASSERT_FALSE(body);
    EXPECT_EQ(body.error().code(), ErrorCode::kUnavailable);
  }
}

TEST(Client, SaysWhenNobodyListens) {
  uint16_t port = 0;
  {
    const auto server = StartServer(SayPath);
    port = server->addresses().front().port;
  }
  const auto client = *Client::Open(*Url::Parse("http://127.0.0.1:" + std::to_string(port)));
  const auto response = client->Send({});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kUnavailable);
}

TEST(Client, DoesNotSendWhatWouldEndItsLine) {
  const auto server = StartServer(SayPath);
  const auto client = ClientOf(*server);
  EXPECT_FALSE(client->Send({.target = "/ HTTP/1.1\r\nX: y"}));
  EXPECT_FALSE(client->Send({.target = "/", .headers = {{"X", "a\r\nY: b"}}}));
}

class UnixListener : public testing::Test {
 protected:
  UnixListener() : path_(testing::TempDir() + "cay-http-" + std::to_string(::getpid()) + ".sock") {}
  ~UnixListener() override { ::unlink(path_.c_str()); }

  Result<std::unique_ptr<Server>> Start() const {
    ServerOptions options;
    options.listen = {*ListenAddress::Parse("unix:" + path_)};
    options.limits.unix_mode = 0600;
    return Server::Start(std::move(options), [](Exchange& exchange) {
      EXPECT_TRUE(exchange.request().peer.unix_socket);
      SayPath(exchange);
    });
  }

  std::string path_;
};

TEST_F(UnixListener, ServesWithTheModeThatWasAskedFor) {
  const auto server = Start();
  ASSERT_TRUE(server) << server.error().ToString();
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  const auto client = *Client::Open(*Url::Parse("unix:" + path_));
  EXPECT_EQ(Get(*client, "/x"), "200 /x");
}

TEST_F(UnixListener, ReplacesASocketThatNobodyAnswersAt) {
  {
    const Fd old = Fd::Adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    path_.copy(where.sun_path, sizeof where.sun_path - 1);
    ASSERT_EQ(::bind(old.get(), reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  }
  const auto server = Start();
  EXPECT_TRUE(server) << server.error().ToString();
}

TEST_F(UnixListener, LeavesASocketThatIsInUse) {
  const auto server = Start();
  ASSERT_TRUE(server);
  const auto second = Start();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_THAT(second.error().message(), HasSubstr(path_));
  const auto client = *Client::Open(*Url::Parse("unix:" + path_));
  EXPECT_EQ(Get(*client, "/x"), "200 /x");
}

TEST_F(UnixListener, LeavesAFileThatIsNoSocket) {
  const Fd file = Fd::Adopt(::open(path_.c_str(), O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
  EXPECT_FALSE(Start());
  EXPECT_EQ(::access(path_.c_str(), F_OK), 0);
}

TEST_F(UnixListener, TakesItsNameAwayAtTheEnd) {
  {
    const auto server = Start();
  }
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST(TcpListener, NamesTheAddressThatIsTaken) {
  const auto server = StartServer(SayPath);
  ServerOptions options;
  options.listen = {server->addresses().front()};
  const auto second = Server::Start(std::move(options), SayPath);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_THAT(second.error().message(), HasSubstr(server->addresses().front().ToString()));
}

}  // namespace
}  // namespace cay::http
