#include "network/relay/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "network/cache/test_cache_directory.h"
#include "network/names/name_table.h"
#include "network/policy/preset.h"

namespace cay::network {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

struct Server {
  Fd socket;
  uint16_t port;
};

Server Listen() {
  Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress any(Address::V4(0x7f00'0001), 0);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any.space), any.size), 0);
  EXPECT_EQ(::listen(socket.get(), 16), 0);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
  return {std::move(socket), ntohs(bound.sin_port)};
}

Fd Connect(uint16_t port) {
  Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress to(Address::V4(0x7f00'0001), port);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to.space), to.size), 0);
  return socket;
}

Fd Accept(const Fd& listener) {
  const int raw = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  EXPECT_GE(raw, 0);
  return Fd::Adopt(raw);
}

void Send(const Fd& socket, std::string_view text) {
  EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

// Until its end; "(reset)" where that is none.
std::string ReadAll(const Fd& socket) {
  std::string all;
  std::array<char, 65'536> space;
  for (;;) {
    const ssize_t got = ::recv(socket.get(), space.data(), space.size(), 0);
    if (got == 0) return all;
    if (got < 0) return all + "(reset)";
    all.append(space.data(), static_cast<size_t>(got));
  }
}

// One connection of a program (client_) to a server of this machine (server_), relayed in a loop
// of its own that ends with it.
class ConnectionTest : public ::testing::Test, protected Connection::Owner {
 protected:
  ConnectionTest() : server_(Listen()) {
    Pair();
    Allow({.mode = Mode::kAllow, .allow = {"host.cay.internal:" + std::to_string(server_.port)}});
  }
  ~ConnectionTest() override = default;

  void Pair() {
    const Server meeting = Listen();
    client_.emplace(Connect(meeting.port));
    relays_.emplace(Accept(meeting.socket));
    EXPECT_TRUE(SetNonBlocking(*relays_, true));
  }
  void Allow(const Spec& spec) {
    auto policy = Policy::Compile(spec, {.private_allowed = {"host.cay.internal", "192.0.2.0/24"}});
    ASSERT_TRUE(policy) << policy.error().message();
    policy_ = *std::move(policy);
  }
  Destination ToServer() {
    return {.name = std::string(kHostName),
            .address = Address::V4(NameTable::kFirst + 1),
            .port = server_.port};
  }
  // `beside` is the test's, on another thread while the connection lives.
  void Relay(const Destination& destination, const std::function<void()>& beside) {
    auto loop = EventLoop::Create();
    ASSERT_TRUE(loop);
    loop_ = &*loop;
    Deadlines deadlines(*loop);
    auto resolver = Resolver::Create(*loop, {.servers = {"127.0.0.1:1"}});
    ASSERT_TRUE(resolver);
    PipePool pipes(16);
    MachineAddresses machine;
    PeerDials peers(deadlines, [this](const DialRequest& request) -> Result<void> {
      asked_ = request;
      return {};
    });
    peers_ = &peers;
    Deadline answer(deadlines, [this] {
      if (asked_) peers_->Answered(asked_->number, controller_(*asked_));
    });
    if (controller_) answer.Set(Millis(20));
    const RelayParts parts{.loop = *loop,
                           .deadlines = deadlines,
                           .resolver = **resolver,
                           .pipes = pipes,
                           .machine = machine,
                           .peers = peers,
                           .proxy = proxy_ ? &*proxy_ : nullptr,
                           .cache = cache_ ? &*cache_ : nullptr};
    Connection::Owner& owner = *this;
    connection_ = std::make_unique<Connection>(parts, owner, *std::move(relays_), destination);
    std::thread other(beside);
    connection_->Begin();
    if (!flow_) {
      EXPECT_TRUE(loop->Run());
    }
    other.join();
    connection_.reset();
  }

  const Policy& policy() const override { return *policy_; }
  std::shared_ptr<const Credentials> credentials() const override { return credentials_; }
  std::string PeerOf(const std::string& name) const override { return name == "db" ? peer_ : ""; }
  std::string CacheOwner(const std::string& /*name*/) const override { return cache_owner_; }
  void PassCacheBy(const std::string& name) override { past_cache_ = name; }
  PeerDials::Ticket DialPeer(const std::string& peer, uint16_t port,
                             PeerDials::Done done) override {
    return peers_->Dial("me", peer, port, std::move(done));
  }
  Millis idle_limit() const override { return idle_; }
  uint64_t Allowance() override { return UINT64_MAX; }
  void Spent(uint64_t sent, uint64_t received) override {
    sent_ += sent;
    received_ += received;
  }
  void Over(Connection& connection, Flow flow) override {
    EXPECT_EQ(&connection, connection_.get());
    flow_ = std::move(flow);
    loop_->Stop();
  }

  Server server_;
  std::optional<Policy> policy_;
  std::shared_ptr<const Credentials> credentials_;
  std::optional<ProxyPlan> proxy_;
  std::optional<CacheDirectory> cache_;
  std::string cache_owner_;
  std::string past_cache_;
  Millis idle_{60'000};
  std::optional<Fd> client_;
  std::optional<Fd> relays_;
  EventLoop* loop_ = nullptr;
  std::string peer_;
  PeerDials* peers_ = nullptr;
  std::function<Result<Fd>(const DialRequest&)> controller_;  // empty: it does not answer
  std::optional<DialRequest> asked_;
  std::unique_ptr<Connection> connection_;
  std::optional<Flow> flow_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
};

TEST_F(ConnectionTest, BytesAndEndsGoBothWays) {
  const std::string large(3'000'000, 'x');
  Relay(ToServer(), [&] {
    const Fd upstream = Accept(server_.socket);
    std::thread writer([&] {
      Send(*client_, "GET / of no kind\n");
      ::shutdown(client_->get(), SHUT_WR);
    });
    EXPECT_EQ(ReadAll(upstream), "GET / of no kind\n") << "its half has ended, the other goes on";
    writer.join();
    std::thread reader([&] { EXPECT_TRUE(ReadAll(*client_) == large); });
    Send(upstream, large);
    ::shutdown(upstream.get(), SHUT_WR);
    reader.join();
  });
  ASSERT_TRUE(flow_);
  EXPECT_EQ(flow_->verdict, Verdict::kAllowed);
  EXPECT_EQ(flow_->reason, "");
  EXPECT_EQ(flow_->sent, 17U);
  EXPECT_EQ(flow_->received, large.size());
  EXPECT_EQ(flow_->address, "127.0.0.1");
  EXPECT_EQ(received_, large.size());
}

TEST_F(ConnectionTest, AServerThatSpeaksFirstIsHeard) {
  Relay(ToServer(), [&] {
    const Fd upstream = Accept(server_.socket);
    Send(upstream, "220 hello\r\n");
    std::array<char, 11> greeting;
    EXPECT_EQ(::recv(client_->get(), greeting.data(), greeting.size(), MSG_WAITALL), 11);
    client_.reset();
    EXPECT_EQ(ReadAll(upstream), "");
  });
  EXPECT_EQ(flow_->verdict, Verdict::kAllowed);
}

TEST_F(ConnectionTest, WhatIsDeniedIsReset) {
  Destination other = ToServer();
  other.port = 1;
  Relay(other, [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kDenied);
  EXPECT_THAT(flow_->reason, HasSubstr("no rule"));
  EXPECT_EQ(flow_->address, "");
}

TEST_F(ConnectionTest, AServerThatIsNotThereIsAReset) {
  {
    const Fd gone = std::move(server_.socket);
  }
  server_.socket = Fd::Adopt(::dup(0));
  Relay(ToServer(), [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kFailed);
  EXPECT_THAT(flow_->reason, HasSubstr("refused"));
}

TEST_F(ConnectionTest, NothingOfAFrontedHelloReachesTheServer) {
  const std::string hello("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10);  // no hello at all
  Relay(ToServer(), [&] {
    const Fd upstream = Accept(server_.socket);
    Send(*client_, hello);
    EXPECT_EQ(ReadAll(*client_), "(reset)");
    EXPECT_THAT(ReadAll(upstream), AnyOf("", "(reset)")) << "not one byte";
  });
  EXPECT_EQ(flow_->verdict, Verdict::kDenied);
  EXPECT_EQ(flow_->sent, 0U);
}

// A server may speak while a hello is half here: that its bytes can be passed on is no end of it.
TEST_F(ConnectionTest, AServerThatSpeaksMeanwhileEndsNoHello) {
  const std::string name(kHostName);
  const auto number = [](size_t value, int bytes) {
    std::string text;
    for (int i = bytes; i-- > 0;) text += static_cast<char>(value >> (8 * i) & 0xff);
    return text;
  };
  const std::string list = number(0, 1) + number(name.size(), 2) + name;
  const std::string extension =
      number(0, 2) + number(list.size() + 2, 2) + number(list.size(), 2) + list;
  const std::string body = "\x03\x03" + std::string(32, 'r') + number(0, 1) + number(2, 2) +
                           "\x13\x01" + number(1, 1) + number(0, 1) + number(extension.size(), 2) +
                           extension;
  const std::string message = number(1, 1) + number(body.size(), 3) + body;
  const std::string hello = "\x16\x03\x01" + number(message.size(), 2) + message;
  const std::string large(8'000'000, 'x');
  Relay(ToServer(), [&] {
    const Fd upstream = Accept(server_.socket);
    Send(*client_, hello.substr(0, 20));
    std::thread writer([&] {
      Send(upstream, large);
      ::shutdown(upstream.get(), SHUT_WR);
    });
    std::this_thread::sleep_for(Millis(50));  // all buffers are full
    EXPECT_TRUE(ReadAll(*client_) == large);
    writer.join();
    Send(*client_, hello.substr(20));
    ::shutdown(client_->get(), SHUT_WR);
    EXPECT_TRUE(ReadAll(upstream) == hello);
  });
  EXPECT_EQ(flow_->verdict, Verdict::kAllowed) << flow_->reason;
}

TEST_F(ConnectionTest, AnIdleConnectionEnds) {
  idle_ = Millis(50);
  Relay(ToServer(), [&] {
    const Fd upstream = Accept(server_.socket);
    EXPECT_EQ(ReadAll(*client_), "(reset)");
  });
  EXPECT_THAT(flow_->reason, HasSubstr("nothing was sent"));
}

TEST_F(ConnectionTest, APeerIsReachedBySocketsOfTheController) {
  peer_ = "its-id";
  Destination to_peer = ToServer();
  to_peer.name = "db";
  controller_ = [&](const DialRequest&) -> Result<Fd> { return Connect(server_.port); };
  Relay(to_peer, [&] {
    const Fd upstream = Accept(server_.socket);
    // Neither a hello nor a request is held against the name.
    Send(*client_, "GET / HTTP/1.1\r\nHost: other\r\n\r\n");
    ::shutdown(client_->get(), SHUT_WR);
    EXPECT_THAT(ReadAll(upstream), HasSubstr("Host: other"));
    Send(upstream, "answer");
    ::shutdown(upstream.get(), SHUT_WR);
    EXPECT_EQ(ReadAll(*client_), "answer");
  });
  ASSERT_TRUE(asked_);
  EXPECT_EQ(asked_->to, "its-id");
  EXPECT_EQ(asked_->port, server_.port);
  EXPECT_EQ(flow_->verdict, Verdict::kAllowed);
  EXPECT_EQ(flow_->name, "db");
  EXPECT_EQ(flow_->rule, "peer its-id");
  EXPECT_EQ(flow_->address, "");
  EXPECT_EQ(flow_->received, 6U);
}

TEST_F(ConnectionTest, APeerWhosePortDoesNotListenIsAReset) {
  peer_ = "its-id";
  Destination to_peer = ToServer();
  to_peer.name = "db";
  controller_ = [](const DialRequest&) -> Result<Fd> {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "nothing listens"));
  };
  Relay(to_peer, [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kFailed);
  EXPECT_EQ(flow_->reason, "nothing listens");
}

TEST_F(ConnectionTest, AResetOfTheServerIsAResetInside) {
  Relay(ToServer(), [&] {
    {
      const Fd upstream = Accept(server_.socket);
      Send(*client_, "?");
      EXPECT_EQ(::recv(upstream.get(), std::string(1, '?').data(), 1, 0), 1) << "it is connected";
      Send(upstream, "half of the answer");
      const linger now{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(upstream.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    EXPECT_THAT(ReadAll(*client_), HasSubstr("(reset)")) << "no end that could be taken for one";
  });
  EXPECT_EQ(flow_->verdict, Verdict::kAllowed);
  EXPECT_THAT(flow_->reason, HasSubstr("reset"));
}

// The server is a proxy, by which what a name leads to is reached.
class ProxiedConnectionTest : public ConnectionTest {
 protected:
  ProxiedConnectionTest() {
    Through(url());
    Allow({.mode = Mode::kAllow, .allow = {"example.com", "192.0.2.0/24"}});
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port); }
  void Through(const std::string& url, const std::vector<std::string>& direct = {}) {
    auto plan = ProxyPlan::Make(url, direct);
    ASSERT_TRUE(plan) << plan.error().message();
    proxy_ = *std::move(plan);
  }
  static Destination Named(std::string name, uint16_t port = 2525) {
    return {.name = std::move(name), .address = Address::V4(NameTable::kFirst + 1), .port = port};
  }
  static std::string ReadHead(const Fd& socket) {
    std::string head;
    for (char byte = 0; !head.ends_with("\r\n\r\n") && ::recv(socket.get(), &byte, 1, 0) == 1;)
      head += byte;
    return head;
  }
};

TEST_F(ProxiedConnectionTest, TheProxyIsGivenTheNameAndTheServerSpeaksFirst) {
  Relay(Named("example.com"), [&] {
    const Fd upstream = Accept(server_.socket);
    EXPECT_THAT(ReadHead(upstream), HasSubstr("CONNECT example.com:2525 HTTP/1.1"));
    Send(upstream, "HTTP/1.1 200 OK\r\n\r\n220 hello\r\n");
    std::array<char, 11> greeting;
    EXPECT_EQ(::recv(client_->get(), greeting.data(), greeting.size(), MSG_WAITALL), 11);
    EXPECT_EQ(std::string(greeting.data(), greeting.size()), "220 hello\r\n");
    Send(*client_, "HELO");
    client_.reset();
    EXPECT_EQ(ReadAll(upstream), "HELO");
  });
  EXPECT_EQ(flow_->verdict, Verdict::kAllowed);
  EXPECT_TRUE(flow_->proxied);
  EXPECT_EQ(flow_->name, "example.com");
  EXPECT_EQ(flow_->address, "") << "which one it is the proxy knows alone";
  EXPECT_EQ(flow_->received, 11U) << "of the proxy's answer nothing is counted";
}

TEST_F(ProxiedConnectionTest, WhatTheProxyRefusesHasFailed) {
  Relay(Named("example.com"), [&] {
    const Fd upstream = Accept(server_.socket);
    (void)ReadHead(upstream);
    Send(upstream, "HTTP/1.1 403 no\r\n\r\n");
    EXPECT_EQ(ReadAll(*client_), "(reset)");
  });
  EXPECT_EQ(flow_->verdict, Verdict::kFailed);
  EXPECT_THAT(flow_->reason, HasSubstr("through " + url() + ": the proxy did not connect"));
}

TEST_F(ProxiedConnectionTest, WhatIsNotAllowedIsNotSaidToTheProxy) {
  Relay(Named("other.example"), [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kDenied);
  EXPECT_TRUE(SetNonBlocking(server_.socket, true));
  EXPECT_EQ(::accept4(server_.socket.get(), nullptr, nullptr, 0), -1) << "nobody connected";
}

// An address is judged here, whoever connects.
TEST_F(ProxiedConnectionTest, AnAddressIsJudgedBeforeTheProxyHearsOfIt) {
  const Destination metadata{.name = "", .address = *Address::Parse("169.254.169.254"), .port = 80};
  Allow({.mode = Mode::kOpen});
  Relay(metadata, [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kDenied);
  EXPECT_FALSE(flow_->proxied);
}

// Who speaks to the proxy itself would be past the policy.
TEST_F(ProxiedConnectionTest, TheProxyItselfIsNotReached) {
  Allow({.mode = Mode::kOpen});
  Through("http://93.184.0.7:3128");
  const Destination itself{.name = "", .address = *Address::Parse("93.184.0.7"), .port = 8080};
  Relay(itself, [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kDenied);
  EXPECT_EQ(flow_->reason, kIsTheProxy);
}

TEST_F(ProxiedConnectionTest, TheProxyItselfIsNotReachedByItsName) {
  Allow({.mode = Mode::kOpen});
  Through("http://proxy.example:3128");
  Relay(Named("proxy.example", 3128), [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kDenied);
  EXPECT_EQ(flow_->reason, kIsTheProxy);
}

// They are resolved here, and their addresses judged.
TEST_F(ProxiedConnectionTest, NamesOfNoPublicZoneAreNotGivenToTheProxy) {
  Allow({.mode = Mode::kOpen});
  Relay(Named("localhost"), [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_NE(flow_->verdict, Verdict::kAllowed);
  EXPECT_FALSE(flow_->proxied);
}

// One to a registry that is asked in the clear.
class CachedConnectionTest : public ConnectionTest {
 protected:
  CachedConnectionTest() {
    name_ = (*FindPreset("debian"))->kept.front().name()->name;
    cache_.emplace(files_.Open(), CacheBounds{.bytes = 64 << 20});
    cache_owner_ = "ann";
    Allow({.mode = Mode::kAllow, .allow = {name_ + ":80"}});
  }
  Destination ToRegistry() const {
    return {.name = name_, .address = Address::V4(NameTable::kFirst + 1), .port = 80};
  }
  std::string Request() const { return "GET /a HTTP/1.1\r\nHost: " + name_ + "\r\n\r\n"; }
  void Keep() {
    auto turn =
        CacheTurn::Begin({.directory = &*cache_,
                          .place = {.owner = "ann", .scheme = "http", .name = name_, .port = 80}},
                         "GET", "/a", {});
    ASSERT_TRUE(turn);
    (void)turn->Request();
    (void)turn->Answered(
        {.status = 200, .headers = {}, .framing = http::Framing::kLength, .content_length = 4},
        {{"Cache-Control", "max-age=60"}});
    turn->Add("body");
    turn->Complete();
  }
  std::string Asked() {
    std::string heard;
    Relay(ToRegistry(), [&] {
      Send(*client_, Request());
      ::shutdown(client_->get(), SHUT_WR);
      heard = ReadAll(*client_);
    });
    return heard;
  }

  TestCacheDirectory files_;
  std::string name_;
};

TEST_F(CachedConnectionTest, WhatIsKeptIsGivenBeforeAnybodyIsAsked) {
  Keep();
  EXPECT_THAT(Asked(), HasSubstr("\r\n\r\nbody"));
  EXPECT_EQ(flow_->verdict, Verdict::kAllowed);
  EXPECT_TRUE(flow_->cached);
  EXPECT_EQ(flow_->address, "");
}

TEST_F(CachedConnectionTest, WhatIsNotKeptIsAskedForAndTheFailureIsTold) {
  EXPECT_THAT(Asked(), HasSubstr("HTTP/1.1 502 "));
  EXPECT_EQ(flow_->verdict, Verdict::kFailed);
  EXPECT_FALSE(flow_->cached);
}

TEST_F(CachedConnectionTest, WhatThePolicyDoesNotAllowIsNotGiven) {
  Keep();
  Allow({.mode = Mode::kAllow, .allow = {"a.example:80"}});
  Relay(ToRegistry(), [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kDenied);
}

TEST_F(CachedConnectionTest, AnOwnerWithoutACacheIsGivenNothing) {
  Keep();
  cache_owner_.clear();
  Relay(ToRegistry(), [&] { EXPECT_EQ(ReadAll(*client_), "(reset)"); });
  EXPECT_EQ(flow_->verdict, Verdict::kFailed);
}

}  // namespace
}  // namespace cay::network
