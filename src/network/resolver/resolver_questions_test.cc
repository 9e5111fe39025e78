// How questions to a resolver are shared, bounded, cancelled, and what their ends may do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "base/testing/test_eventually.h"
#include "network/resolver/resolver.h"
#include "network/resolver/test_resolver.h"

namespace cay::network {
namespace {

using namespace dns_test;  // NOLINT(google-build-using-namespace)
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ResolverQuestions : public ResolverTest {
 protected:
  bool Reached(const std::unique_ptr<TestDnsServer>& server, size_t queries) {
    return Eventually([&] { return AskedOf(server).size() >= queries; });
  }
  // To all that was asked so far.
  void AnswerLate() {
    loop_.Do([&] {
      for (const Asked& asked : server_->asked()) {
        for (const std::string& reply : BothFamilies(asked)) server_->Send(asked, reply);
      }
    });
  }
};

TEST_F(ResolverQuestions, AddressesAndWhatIsNoNameAreRefused) {
  Start();
  for (const char* name : {"192.0.2.1", "127.1", "2130706433", "example.127", "::1", "2001:db8::1",
                           "", ".", "a..test", "a b.test", "caf\xc3\xa9.test", "a\\.test"}) {
    EXPECT_THAT(Resolve(name), ElementsAre("invalid_argument")) << name;
  }
  EXPECT_THAT(Resolve(std::string(64, 'a') + ".test"), ElementsAre("invalid_argument"));
  EXPECT_THAT(AskedOf(server_), IsEmpty());
}

TEST_F(ResolverQuestions, OptionsThatMakeNoSenseAreRefused) {
  const auto code = [&](const ResolverOptions& options) {
    return loop_.Get<ErrorCode>([&] {
      const auto created = Resolver::Create(loop_.loop(), options);
      return created ? ErrorCode::kInternal : created.error().code();
    });
  };
  const std::vector<std::string> too_many(ResolverOptions::kMaxServers + 1, "127.0.0.1");
  EXPECT_EQ(code({.servers = {"localhost"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.servers = too_many}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.timeout = Millis(0)}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.timeout = ResolverOptions::kMaxTimeout + Millis(1)}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.max_pending = 0}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.max_pending = ResolverOptions::kMaxPending + 1}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.hosts_file = directory_}), ErrorCode::kIo);
}

TEST_F(ResolverQuestions, QuestionsForOneNameAreOne) {
  Start();
  Told first = Ask("example.test");
  Told second = Ask("Example.Test");
  ASSERT_TRUE(Reached(server_, 2));
  AnswerLate();
  EXPECT_THAT(first.Wait(), SizeIs(2));
  EXPECT_THAT(second.Wait(), SizeIs(2));
  EXPECT_THAT(AskedOf(server_), SizeIs(2));
}

TEST_F(ResolverQuestions, NothingIsToldBeforeResolveReturns) {
  ASSERT_TRUE(WriteFileAtomic(options_.hosts_file, "127.0.0.7 db\n", 0600));
  Start();
  bool told = false;
  bool told_at_once = false;
  loop_.Do([&] {
    tickets_.push_back(resolver_->Resolve("db", [&](const auto&) { told = true; }));
    tickets_.push_back(resolver_->Resolve("192.0.2.1", [&](const auto&) { told = true; }));
    told_at_once = told;
  });
  EXPECT_FALSE(told_at_once);
  EXPECT_TRUE(Eventually([&] { return loop_.Get<bool>([&] { return told; }); }));
}

TEST_F(ResolverQuestions, ALateAnswerToACancelledQuestionIsToldToNobody) {
  Start();
  Told told = Ask("example.test");
  ASSERT_TRUE(Reached(server_, 2));
  loop_.Do([&] { tickets_.clear(); });
  AnswerLate();
  // It is known by now.
  EXPECT_THAT(Resolve("example.test"), SizeIs(2));
  EXPECT_THAT(AskedOf(server_), SizeIs(2));
  EXPECT_EQ(told.times(), 0);
}

TEST_F(ResolverQuestions, AnAnswerAfterTheTimeIsToldToNobody) {
  options_.timeout = Millis(50);
  Start();
  Told told = Ask("example.test");
  EXPECT_THAT(told.Wait(), ElementsAre("unavailable"));
  AnswerLate();
  Serve(BothFamilies);
  EXPECT_THAT(Resolve("example.test"), SizeIs(2));
  EXPECT_EQ(told.times(), 1);
}

TEST_F(ResolverQuestions, FourThousandCanWaitAndOneMoreIsRefused) {
  options_.timeout = Millis(3000);
  Start();
  std::vector<Told> waiting(options_.max_pending);
  Told more;
  loop_.Do([&] {
    for (size_t i = 0; i < waiting.size(); ++i) {
      tickets_.push_back(resolver_->Resolve("n" + std::to_string(i) + ".test", waiting[i].Done()));
    }
    tickets_.push_back(resolver_->Resolve("more.test", more.Done()));
  });
  EXPECT_THAT(more.Wait(), ElementsAre("resource_exhausted"));
  EXPECT_EQ(waiting.front().times(), 0);
  for (Told& told : waiting) ASSERT_THAT(told.Wait(), ElementsAre("unavailable"));
  Serve(BothFamilies);
  EXPECT_THAT(Resolve("more.test"), SizeIs(2));
}

TEST_F(ResolverQuestions, CancelledQuestionsStillCountAsLongAsTheirQueriesLast) {
  options_.max_pending = 8;
  options_.timeout = Millis(500);
  Start();
  for (size_t i = 0; i < options_.max_pending; ++i) Ask("n" + std::to_string(i) + ".test");
  loop_.Do([&] { tickets_.clear(); });
  EXPECT_THAT(Resolve("more.test"), ElementsAre("resource_exhausted"));
  Serve(BothFamilies);
  EXPECT_TRUE(Eventually([&] { return Resolve("later.test").size() == 2; }));
}

TEST_F(ResolverQuestions, SourcePortsAreNotUsedForLong) {
  options_.timeout = Millis(20'000);  // a loaded machine loses some of so many at once
  Serve(BothFamilies);
  Start();
  std::vector<Told> all(600);
  loop_.Do([&] {
    for (size_t i = 0; i < all.size(); ++i) {
      tickets_.push_back(resolver_->Resolve("n" + std::to_string(i) + ".test", all[i].Done()));
    }
  });
  for (Told& told : all) ASSERT_THAT(told.Wait(), SizeIs(2));
  std::set<uint16_t> ports;
  std::set<uint16_t> ids;
  for (const Asked& asked : AskedOf(server_)) {
    ports.insert(asked.from_port);
    ids.insert(asked.id);
  }
  EXPECT_GE(ports.size(), 3U);
  EXPECT_GE(ids.size(), 1000U);
}

TEST_F(ResolverQuestions, WhatIsToldMayAskTheNextQuestion) {
  Serve(BothFamilies);
  Start();
  Told last;
  loop_.Do([&] {
    tickets_.resize(2);
    tickets_[0] = resolver_->Resolve("first.test", [&](const auto& first) {
      EXPECT_TRUE(first);
      // In the place of its own ticket.
      tickets_[0] = resolver_->Resolve("second.test", [&](const auto& second) {
        EXPECT_TRUE(second);
        tickets_[1] = resolver_->Resolve("first.test", last.Done());  // known by now
      });
    });
  });
  EXPECT_THAT(last.Wait(), SizeIs(2));
}

TEST_F(ResolverQuestions, WhatIsToldMayCancelItselfAndOthers) {
  Serve(BothFamilies);
  Start();
  Told first;
  Told other;
  loop_.Do([&] {
    tickets_.push_back(resolver_->Resolve("a.test", [&, tell = first.Done()](auto addresses) {
      tickets_.clear();
      tell(std::move(addresses));
    }));
    tickets_.push_back(resolver_->Resolve("a.test", other.Done()));
  });
  EXPECT_THAT(first.Wait(), SizeIs(2));
  EXPECT_THAT(Resolve("a.test"), SizeIs(2));
  EXPECT_EQ(other.times(), 0);
}

TEST_F(ResolverQuestions, WhatIsToldMayDestroyTheResolver) {
  Serve(BothFamilies);
  Start();
  Told first;
  Told other;
  Told silent;
  loop_.Do([&] {
    tickets_.push_back(resolver_->Resolve("a.test", [&, tell = first.Done()](auto addresses) {
      resolver_.reset();
      tell(std::move(addresses));
    }));
    tickets_.push_back(resolver_->Resolve("a.test", other.Done()));
    tickets_.push_back(resolver_->Resolve("b.test", silent.Done()));
  });
  EXPECT_THAT(first.Wait(), SizeIs(2));
  loop_.Do([&] { tickets_.clear(); });  // they outlive it
  EXPECT_EQ(other.times(), 0);
  EXPECT_EQ(silent.times(), 0);
}

TEST_F(ResolverQuestions, AResolverMayGoWithQuestionsUnderWay) {
  Start();
  Told told = Ask("example.test");
  ASSERT_TRUE(Reached(server_, 2));
  loop_.Do([&] { resolver_.reset(); });
  AnswerLate();
  loop_.Do([&] { tickets_.clear(); });
  EXPECT_EQ(told.times(), 0);
}

// What is told to one question holds the ticket of another.
TEST_F(ResolverQuestions, CancellingMayCancelMore) {
  Start();
  std::vector<std::weak_ptr<int>> held;
  const auto chain = [&](const std::string& name) {
    const auto last = std::make_shared<int>(0);
    held.push_back(last);
    const auto second = std::make_shared<Resolver::Ticket>(
        resolver_->Resolve(name + "2.test", [last](const auto&) {}));
    return resolver_->Resolve(name + "1.test", [second](const auto&) {});
  };
  bool cancelled = false;
  bool with_the_resolver = false;
  loop_.Do([&] {
    Resolver::Ticket first = chain("a");
    first.Cancel();
    first.Cancel();
    cancelled = held[0].expired();
    tickets_.push_back(chain("b"));
    EXPECT_FALSE(held[1].expired());
    resolver_.reset();
    with_the_resolver = held[1].expired();
  });
  EXPECT_TRUE(cancelled);
  EXPECT_TRUE(with_the_resolver);
}

TEST_F(ResolverQuestions, AMovedTicketIsTheSame) {
  Start();
  Told told;
  loop_.Do([&] {
    Resolver::Ticket ticket = resolver_->Resolve("example.test", told.Done());
    Resolver::Ticket moved(std::move(ticket));
    Resolver::Ticket assigned;
    assigned = std::move(moved);
    tickets_.push_back(std::move(assigned));
  });
  ASSERT_TRUE(Reached(server_, 2));
  AnswerLate();
  EXPECT_THAT(told.Wait(), SizeIs(2));
}

}  // namespace
}  // namespace cay::network
