// For tests of the resolver: one, two name servers, and files of a machine, in a loop in a thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/os/file.h"
#include "base/testing/sanitized.h"
#include "network/resolver/resolver.h"
#include "network/resolver/test_dns_server.h"
#include "network/resolver/test_loop.h"

namespace cay::network {

// What came of a question, for another thread to wait for.
class Told {
 public:
  Resolver::Done Done() {
    return [state = state_](Result<std::vector<Address>> outcome) {
      const std::lock_guard lock(state->mutex);
      ++state->times;
      state->outcome = std::move(outcome);
      state->told.notify_all();
    };
  }

  // The addresses as text, or the name of the error; "nothing" where nothing was told within
  // `patience`.
  std::vector<std::string> Wait(Millis patience = Millis(20'000)) {
    std::unique_lock lock(state_->mutex);
    if (!state_->told.wait_for(lock, patience * (kSanitized ? 3 : 1),
                               [&] { return state_->outcome.has_value(); })) {
      return {"nothing"};
    }
    const Result<std::vector<Address>>& outcome = *state_->outcome;
    if (!outcome) return {std::string(ErrorCodeName(outcome.error().code()))};
    std::vector<std::string> texts;
    for (const Address& address : *outcome) texts.push_back(address.Text());
    return texts;
  }
  std::string Message() {
    Wait();
    const std::lock_guard lock(state_->mutex);
    return state_->outcome && !*state_->outcome ? state_->outcome->error().message() : "";
  }
  int times() {
    const std::lock_guard lock(state_->mutex);
    return state_->times;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable told;
    std::optional<Result<std::vector<Address>>> outcome;
    int times = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class ResolverTest : public testing::Test {
 protected:
  using Asked = TestDnsServer::Asked;
  using Replies = TestDnsServer::Replies;

  ResolverTest() {
    std::string name = "/tmp/cay-resolver.XXXXXX";
    directory_ = ::mkdtemp(name.data());
    options_.hosts_file = directory_ + "/hosts";
    options_.resolv_conf = directory_ + "/resolv.conf";
    loop_.Do([&] {
      server_ = std::make_unique<TestDnsServer>(loop_.loop(), Silent);
      other_ = std::make_unique<TestDnsServer>(loop_.loop(), Silent);
    });
    options_.servers = {server_->address()};
  }
  ~ResolverTest() override {
    loop_.Do([&] {
      tickets_.clear();
      resolver_.reset();
      server_.reset();
      other_.reset();
    });
    std::filesystem::remove_all(directory_);
  }

  static Replies Silent(const Asked& /*asked*/) { return {}; }
  // 192.0.2.1 and 2001:db8::1, whatever the name.
  static Replies BothFamilies(const Asked& asked) {
    return {
        asked.Message({asked.type == dns_test::kA ? dns_test::A(asked.name, "192.0.2.1")
                                                  : dns_test::Aaaa(asked.name, "2001:db8::1")})};
  }
  // These records to questions for IPv4, and no address to those for IPv6.
  static TestDnsServer::Script V4(std::vector<std::string> records) {
    return [records = std::move(records)](const Asked& asked) -> Replies {
      if (asked.type != dns_test::kA) return {asked.Message({})};
      return {asked.Message(records)};
    };
  }

  void Serve(TestDnsServer::Script script) {
    loop_.Do([&] { server_->SetScript(std::move(script)); });
  }
  void Start() {
    loop_.Do([&] { resolver_ = *Resolver::Create(loop_.loop(), options_); });
  }
  Told Ask(const std::string& name) {
    Told told;
    loop_.Do([&] { tickets_.push_back(resolver_->Resolve(name, told.Done())); });
    return told;
  }
  std::vector<std::string> Resolve(const std::string& name) { return Ask(name).Wait(); }
  std::vector<Asked> AskedOf(const std::unique_ptr<TestDnsServer>& server) {
    return loop_.Get<std::vector<Asked>>([&] { return server->asked(); });
  }

  TestLoop loop_;
  std::string directory_;
  ResolverOptions options_;
  std::unique_ptr<TestDnsServer> server_;
  std::unique_ptr<TestDnsServer> other_;
  std::unique_ptr<Resolver> resolver_;
  std::vector<Resolver::Ticket> tickets_;
};

}  // namespace cay::network
