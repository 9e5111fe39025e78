// A running server under clients that send and read slowly, with keys and without.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/testing/sanitized.h"
#include "base/text.h"
#include "http/server/test_server.h"
#include "live_server.h"

namespace cay::testing {
namespace {

using http::RawClient;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string PostHead(const std::string& target, const std::string& key, size_t length) {
  std::string head = "POST " + target + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!key.empty()) head += "X-API-Key: " + key + "\r\n";
  return head + "Content-Length: " + std::to_string(length) + "\r\n\r\n";
}

// The value of a metric without labels.
uint64_t Metric(LiveServer& server, const std::string& name) {
  const Reply reply = server.Call("GET", "/metrics");
  for (const std::string_view line : Split(reply.body, '\n')) {
    if (!line.starts_with(name + " ")) continue;
    return ParseUnsigned(line.substr(name.size() + 1)).value_or(0);
  }
  ADD_FAILURE() << "no metric " << name << " in " << reply.body.substr(0, 500);
  return 0;
}

class LiveLoad : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.end(), {"--set", "http.max_requests=8"});
    server_.emplace(std::move(arguments));
    key_ = server_->MakeKey("admin");
    server_->set_key(key_);
  }
  uint16_t port() const { return server_->url().port; }

  std::optional<LiveServer> server_;
  std::string key_;
};

TEST_F(LiveLoad, SlowBodiesOfManyClientsKeepNobodyElseWaiting) {
  Start();
  std::vector<RawClient> slow;
  slow.reserve(100);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(slow.emplace_back(port()).Send(PostHead("/api/sandboxes", key_, 1000) + "{"));
  }
  ASSERT_TRUE(Eventually([&] { return Metric(*server_, "cay_http_requests_active") >= 100; }));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(server_->Call("GET", "/health").status, 200);
    EXPECT_EQ(server_->Call("GET", "/ready").status, 200);
    EXPECT_EQ(server_->Call("POST", "/api/webhooks", "{}").status, 400);
  }
  EXPECT_LT(Metric(*server_, "cay_http_threads"), 16U);
}

TEST_F(LiveLoad, WithoutAKeyNoBodyIsWaitedForAndNobodyIsRefused) {
  Start();
  std::vector<RawClient> strangers;
  strangers.reserve(64);
  for (int i = 0; i < 64; ++i) {
    ASSERT_TRUE(strangers.emplace_back(port()).Send(PostHead("/api/sandboxes", "", 1'000'000)));
    EXPECT_EQ(server_->Call("GET", "/api/sandboxes").status, 200);
  }
  for (RawClient& stranger : strangers) {
    EXPECT_THAT(stranger.ReadToEnd(),
                AllOf(::testing::AnyOf(StartsWith("HTTP/1.1 401 "), StartsWith("HTTP/1.1 429 ")),
                      HasSubstr("Connection: close\r\n")));
  }
}

TEST_F(LiveLoad, ThereIsHealthWhenEveryPlaceIsTaken) {
  Start();
  std::vector<RawClient> followers;
  followers.reserve(8);
  for (int i = 0; i < 8; ++i) {
    RawClient& one = followers.emplace_back(port());
    ASSERT_TRUE(
        one.Send("GET /api/events HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + key_ + "\r\n\r\n"));
    EXPECT_THAT(one.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_EQ(server_->Call("GET", "/api/sandboxes").status, 503);
  EXPECT_EQ(server_->Call("GET", "/health").status, 200);
  EXPECT_EQ(server_->Call("GET", "/ready").status, 200);
}

TEST_F(LiveLoad, OneKeyHasNoMoreThanItsShareOfThePlaces) {
  Start({"--set", "http.max_requests_per_client=2"});
  const std::string other = server_->MakeKey("read");
  std::vector<RawClient> followers;
  followers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    RawClient& one = followers.emplace_back(port());
    ASSERT_TRUE(one.Send("GET /api/events HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + other +
                         "\r\n\r\n"));
    EXPECT_THAT(one.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_EQ(server_->Call("GET", "/api/sandboxes", "", {{"X-API-Key", other}}).status, 429);
  EXPECT_EQ(server_->Call("GET", "/api/sandboxes").status, 200);
}

// No more descriptors for that process than it has, for as long as this lives.
class NoDescriptorsLeft {
 public:
  explicit NoDescriptorsLeft(pid_t pid) : pid_(pid) {
    std::set<rlim_t> open;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
      open.insert(std::stoul(entry.path().filename()));
    }
    EXPECT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &saved_), 0);
    rlimit none = saved_;
    // The first number that is free: those above it that are open stay so.
    for (none.rlim_cur = 0; open.contains(none.rlim_cur);) ++none.rlim_cur;
    EXPECT_EQ(::prlimit(pid, RLIMIT_NOFILE, &none, nullptr), 0);
  }
  ~NoDescriptorsLeft() { EXPECT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &saved_, nullptr), 0); }

 private:
  pid_t pid_;
  rlimit saved_{};
};

TEST(LiveDescriptors, HavingNoneLeftIsSaidAndPasses) {
  LiveServer server;
  const std::string path = "/api/sandboxes/" + server.Create() + "/execute";
  const std::string body = R"({"command":"true"})";
  const std::string request = PostHead(path, "", body.size()) + body;
  RawClient client(server.url().port);
  ASSERT_THAT(client.Ask(request), StartsWith("HTTP/1.1 200 "));
  {
    const NoDescriptorsLeft none(server.program().pid());
    EXPECT_THAT(client.Ask(request),
                AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Too many open files")));
  }
  EXPECT_THAT(client.Ask(request), StartsWith("HTTP/1.1 200 "));
}

// What it would be as JSON is 6 times as much as it is.
TEST(LiveOutput, OfClientsThatDoNotReadIsHeldWithinOneBound) {
  constexpr int kClients = 8;
  LiveServer server({"--set", "limits.output_held=64m"});
  const std::string path = "/api/sandboxes/" + server.Create();
  const std::string body =
      R"({"command":"head -c 16777216 /dev/zero | tr '\\0' '\\1'","max_output":"16m"})";
  EXPECT_EQ(server.Call("POST", path + "/execute", R"({"command":"true"})").status, 200);
  const uint64_t before = Metric(server, "cay_process_resident_bytes");
  std::vector<RawClient> clients;
  clients.reserve(kClients);
  for (int i = 0; i < kClients; ++i) {
    ASSERT_TRUE(clients.emplace_back(server.url().port)
                    .Send(PostHead(path + "/execute", "", body.size()) + body));
  }
  uint64_t most = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (Metric(server, "cay_processes_ended_total") < kClients + 1) {
    most = std::max(most, Metric(server, "cay_process_resident_bytes"));
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  // They are being answered now.
  for (RawClient& client : clients)
    EXPECT_THAT(client.ReadUntil("\r\n"), StartsWith("HTTP/1.1 200"));
  most = std::max(most, Metric(server, "cay_process_resident_bytes"));
  // A sanitizer's run time keeps what is freed.
  if (!kSanitized) {
    EXPECT_LT(most, before + 100 * kMiB);
  }
}

}  // namespace
}  // namespace cay::testing
