// What a resolver gives, of what name servers and files say. How its questions end otherwise:
// resolver_questions_test.cc.
#include "network/resolver/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#include "base/testing/test_eventually.h"
#include "network/resolver/test_resolver.h"

namespace cay::network {
namespace {

using namespace dns_test;  // NOLINT(google-build-using-namespace)
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

TEST_F(ResolverTest, AnAddressOfEachFamilyIsGiven) {
  Serve(BothFamilies);
  Start();
  EXPECT_THAT(Resolve("example.test"), UnorderedElementsAre("192.0.2.1", "2001:db8::1"));
}

TEST_F(ResolverTest, TheNameIsAskedForAsItIsAndInLowerCase) {
  Serve(BothFamilies);
  Start();
  EXPECT_THAT(Resolve("WWW.Example.Test."), SizeIs(2));
  EXPECT_THAT(Resolve("single"), SizeIs(2));
  std::set<std::string> names;
  for (const Asked& asked : AskedOf(server_)) names.insert(asked.name);
  EXPECT_THAT(names, ElementsAre("single", "www.example.test"));
}

TEST_F(ResolverTest, ANameThatDoesNotExistIsNotFound) {
  Serve([](const Asked& asked) -> Replies { return {asked.Message({}, kNoSuchName)}; });
  Start();
  Told told = Ask("example.test");
  EXPECT_THAT(told.Wait(), ElementsAre("not_found"));
  EXPECT_EQ(told.Message(), "example.test does not exist");
}

TEST_F(ResolverTest, ANameWithoutAddressesIsNotFound) {
  Serve(V4({}));
  Start();
  Told told = Ask("example.test");
  EXPECT_THAT(told.Wait(), ElementsAre("not_found"));
  EXPECT_EQ(told.Message(), "example.test has no address");
}

TEST_F(ResolverTest, NoNameOfOneFamilyIsNoHarmToTheOther) {
  Serve([](const Asked& asked) -> Replies {
    if (asked.type == kA) return {asked.Message({A(asked.name, "192.0.2.1")})};
    return {asked.Message({}, kNoSuchName)};
  });
  Start();
  EXPECT_THAT(Resolve("example.test"), ElementsAre("192.0.2.1"));
}

TEST_F(ResolverTest, SilenceIsToldWithWhoWasSilent) {
  options_.timeout = Millis(300);
  Start();
  const auto before = std::chrono::steady_clock::now();
  Told told = Ask("example.test");
  EXPECT_THAT(told.Wait(), ElementsAre("unavailable"));
  EXPECT_GE(std::chrono::steady_clock::now() - before, Millis(290));
  EXPECT_THAT(told.Message(), HasSubstr("no answer from the name server " + server_->address()));
}

TEST_F(ResolverTest, WhatIsLostIsAskedForAgain) {
  options_.timeout = Millis(1000);
  Serve([lost = std::set<uint16_t>()](const Asked& asked) mutable -> Replies {
    if (lost.insert(asked.type).second) return {};
    return BothFamilies(asked);
  });
  Start();
  EXPECT_THAT(Resolve("example.test"), SizeIs(2));
}

TEST_F(ResolverTest, GarbageIsNoAnswer) {
  options_.timeout = Millis(300);
  Serve([](const Asked& asked) -> Replies {
    return {"", "x", std::string(600, '\xff'), U16(asked.id) + std::string(300, '\xc0'),
            asked.Message({}).substr(0, 14)};
  });
  Start();
  EXPECT_THAT(Resolve("example.test"), ElementsAre("unavailable"));
}

TEST_F(ResolverTest, AnAnswerThatCannotBeReadIsToldAsSuch) {
  Serve([](const Asked& asked) -> Replies {
    return {asked.Message({A(asked.name, "192.0.2.1"), U16(0xffff)})};
  });
  Start();
  Told told = Ask("example.test");
  EXPECT_THAT(told.Wait(), ElementsAre("unavailable"));
  EXPECT_THAT(told.Message(), HasSubstr("cannot be read"));
}

TEST_F(ResolverTest, AnAnswerToAnotherQuestionIsNotTaken) {
  Serve([](const Asked& asked) -> Replies {
    if (asked.type != kA) return {asked.Message({})};
    return {Message(asked.id, Question("other.test", kA), {A("other.test", "192.0.2.66")}),
            Message(asked.id, Question(asked.name, kAaaa), {A(asked.name, "192.0.2.67")}),
            Message(asked.id ^ 1, asked.question, {A(asked.name, "192.0.2.68")}),
            asked.Message({A("other.test", "192.0.2.69"), A(asked.name, "192.0.2.1")})};
  });
  Start();
  EXPECT_THAT(Resolve("example.test"), ElementsAre("192.0.2.1"));
}

TEST_F(ResolverTest, ATruncatedAnswerIsFollowedByOneOverTcp) {
  Serve([](const Asked& asked) -> Replies {
    if (!asked.tcp) return {asked.Message({}, kTruncated)};
    return BothFamilies(asked);
  });
  Start();
  EXPECT_THAT(Resolve("example.test"), UnorderedElementsAre("192.0.2.1", "2001:db8::1"));
}

TEST_F(ResolverTest, AliasesAreFollowed) {
  Serve(V4({Cname("example.test", "a.test"), Cname("a.test", "b.test"), A("b.test", "192.0.2.1")}));
  Start();
  EXPECT_THAT(Resolve("example.test"), ElementsAre("192.0.2.1"));
}

TEST_F(ResolverTest, AliasesInACircleAreAnError) {
  Serve(V4({Cname("example.test", "a.test"), Cname("a.test", "example.test")}));
  Start();
  Told told = Ask("example.test");
  EXPECT_THAT(told.Wait(), ElementsAre("unavailable"));
  EXPECT_THAT(told.Message(), HasSubstr("aliases do not end"));
}

TEST_F(ResolverTest, OfManyAddressesSomeOfBothFamiliesAreGiven) {
  Serve([](const Asked& asked) -> Replies {
    if (!asked.tcp) return {asked.Message({}, kTruncated)};
    std::vector<std::string> records;
    for (int i = 1; i <= 100; ++i) {
      records.push_back(asked.type == kA ? A(asked.name, "127.0.2." + std::to_string(i))
                                         : Aaaa(asked.name, "::ffff:127.0.2." + std::to_string(i)));
    }
    return {asked.Message(records)};
  });
  Start();
  const std::vector<std::string> addresses = Resolve("example.test");
  EXPECT_THAT(addresses, SizeIs(Resolver::kMaxAddresses));
  EXPECT_THAT(addresses, Contains("127.0.2.1"));
  EXPECT_THAT(addresses, Contains("127.0.2.32"));
}

TEST_F(ResolverTest, AFamilyThatIsNotAnsweredForIsNotWaitedForLong) {
  Serve([](const Asked& asked) -> Replies {
    if (asked.type != kA) return {};
    return {asked.Message({A(asked.name, "127.0.0.9")})};
  });
  Start();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(Resolve("example.test"), ElementsAre("127.0.0.9"));
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, Resolver::kOtherFamilyWait);
  EXPECT_LT(took, options_.timeout);
}

// 255.255.255.255 is an address to which there is no way without being asked for (SO_BROADCAST).
TEST_F(ResolverTest, AFamilyToWhichThereIsNoWayWaitsForTheOther) {
  options_.timeout = Millis(1500);
  Serve([](const Asked& asked) -> Replies {
    if (asked.type != kA) return {};
    return {asked.Message({A(asked.name, "255.255.255.255")})};
  });
  Start();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(Resolve("example.test"), ElementsAre("255.255.255.255"));
  EXPECT_GE(std::chrono::steady_clock::now() - before, Millis(1400));
}

TEST_F(ResolverTest, TheNextServerIsAskedWhereOneIsNotThereOrFails) {
  loop_.Do([&] { other_->SetScript(BothFamilies); });
  options_.servers = {"127.0.0.1:1", server_->address(), other_->address()};
  Serve([](const Asked& asked) -> Replies { return {asked.Message({}, kFailed)}; });
  Start();
  EXPECT_THAT(Resolve("example.test"), SizeIs(2));
  EXPECT_THAT(AskedOf(server_), Not(IsEmpty()));
}

TEST_F(ResolverTest, ServersThatFailAreToldApartFromThoseThatAreNotThere) {
  Serve([](const Asked& asked) -> Replies { return {asked.Message({}, kFailed)}; });
  Start();
  Told failed = Ask("failed.test");
  EXPECT_THAT(failed.Wait(), ElementsAre("unavailable"));
  EXPECT_THAT(failed.Message(), HasSubstr("an error instead of an answer from the name server"));
  Serve([](const Asked& asked) -> Replies { return {asked.Message({}, kFormat)}; });
  Told refused = Ask("format.test");
  EXPECT_THAT(refused.Wait(), ElementsAre("unavailable"));
  EXPECT_THAT(refused.Message(), HasSubstr("error 1 from the name server"));
}

TEST_F(ResolverTest, AServerThatIsNotThereIsToldAtOnce) {
  options_.servers = {"127.0.0.1:1"};
  Start();
  Told told = Ask("example.test");
  EXPECT_THAT(told.Wait(), ElementsAre("unavailable"));
  EXPECT_EQ(told.Message(),
            "example.test cannot be resolved: no way to the name server 127.0.0.1:1: "
            "Connection refused");
}

TEST_F(ResolverTest, TheHostsFileComesFirstAndIsReadAgain) {
  ASSERT_TRUE(WriteFileAtomic(options_.hosts_file, "127.0.0.7 db db.example\n", 0600));
  Serve(V4({A("db", "192.0.2.66")}));
  Start();
  EXPECT_THAT(Resolve("DB"), ElementsAre("127.0.0.7"));
  EXPECT_THAT(AskedOf(server_), IsEmpty());
  ASSERT_TRUE(WriteFileAtomic(options_.hosts_file, "127.0.0.8 db\n", 0600));
  EXPECT_TRUE(Eventually([&] { return Resolve("db") == std::vector<std::string>{"127.0.0.8"}; }));
}

TEST_F(ResolverTest, ServersOfResolvConfAreAskedAndNothingElseOfIt) {
  ASSERT_TRUE(WriteFileAtomic(
      options_.resolv_conf,
      "search corp.test\noptions ndots:5\nnameserver " + server_->address() + "\n", 0600));
  options_.servers = {};
  Serve([](const Asked& asked) -> Replies { return {asked.Message({}, kNoSuchName)}; });
  Start();
  EXPECT_THAT(Resolve("a.test"), ElementsAre("not_found"));
  for (const Asked& asked : AskedOf(server_)) EXPECT_EQ(asked.name, "a.test");
}

TEST_F(ResolverTest, AChangedResolvConfIsUsedForNewQuestions) {
  ASSERT_TRUE(
      WriteFileAtomic(options_.resolv_conf, "nameserver " + server_->address() + "\n", 0600));
  options_.servers = {};
  Serve(V4({A("a.test", "192.0.2.1", 60)}));
  loop_.Do([&] { other_->SetScript(V4({A("a.test", "192.0.2.2", 60)})); });
  Start();
  EXPECT_THAT(Resolve("a.test"), ElementsAre("192.0.2.1"));
  ASSERT_TRUE(
      WriteFileAtomic(options_.resolv_conf, "nameserver " + other_->address() + "\n", 0600));
  EXPECT_TRUE(
      Eventually([&] { return Resolve("a.test") == std::vector<std::string>{"192.0.2.2"}; }));
}

TEST_F(ResolverTest, AnswersAreKeptAsLongAsTheySay) {
  Serve([](const Asked& asked) -> Replies {
    if (asked.type != kA) return {asked.Message({})};
    return {asked.Message({A(asked.name, "192.0.2.1", asked.name == "kept.test" ? 60 : 0)})};
  });
  Start();
  EXPECT_THAT(Resolve("kept.test"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(Resolve("kept.test"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(AskedOf(server_), SizeIs(2));
  EXPECT_THAT(Resolve("not.kept.test"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(Resolve("not.kept.test"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(AskedOf(server_), SizeIs(6));
}

TEST_F(ResolverTest, ThatThereIsNoNameIsKeptAndThatNobodyAnsweredIsNot) {
  Serve([](const Asked& asked) -> Replies {
    return {asked.Message({}, asked.name == "none.test" ? kNoSuchName : kFormat)};
  });
  Start();
  EXPECT_THAT(Resolve("none.test"), ElementsAre("not_found"));
  EXPECT_THAT(Resolve("none.test"), ElementsAre("not_found"));
  EXPECT_THAT(AskedOf(server_), SizeIs(2));
  EXPECT_THAT(Resolve("failing.test"), ElementsAre("unavailable"));
  EXPECT_THAT(Resolve("failing.test"), ElementsAre("unavailable"));
  EXPECT_THAT(AskedOf(server_), SizeIs(6));
}

class RecordsTest : public ResolverTest {
 protected:
  // The records, "none", "no such name", the name of the error, or "nothing".
  std::vector<std::string> Records(const std::string& name, QuestionType type) {
    struct State {
      std::mutex mutex;
      std::condition_variable told;
      std::optional<std::vector<std::string>> outcome;
    };
    const auto state = std::make_shared<State>();
    loop_.Do([&] {
      tickets_.push_back(
          resolver_->ResolveRecords(name, type, [state](const Result<DnsAnswer>& answer) {
            const std::lock_guard lock(state->mutex);
            if (!answer) {
              state->outcome = {std::string(ErrorCodeName(answer.error().code()))};
            } else if (answer->rcode == DnsAnswer::kNoSuchName) {
              state->outcome = {"no such name"};
            } else {
              state->outcome = answer->records;
            }
            state->told.notify_all();
          }));
    });
    std::unique_lock lock(state->mutex);
    state->told.wait_for(lock, Millis(20'000), [&] { return state->outcome.has_value(); });
    return state->outcome.value_or(std::vector<std::string>{"nothing"});
  }
};

TEST_F(RecordsTest, TheRecordsOfAnotherTypeAreGiven) {
  Serve([](const Asked& asked) -> Replies {
    if (asked.name == "nobody.test") return {asked.Message({}, kNoSuchName)};
    if (asked.type != 16) return {asked.Message({})};
    return {asked.Message({Record(Name(asked.name), 16, "\x02hi")})};
  });
  Start();
  EXPECT_THAT(Records("Example.test", QuestionType::kTxt), ElementsAre("\x02hi"));
  EXPECT_THAT(Records("_a._tcp.example.test", QuestionType::kTxt), ElementsAre("\x02hi"));
  EXPECT_THAT(Records("example.test", QuestionType::kMx), IsEmpty());
  EXPECT_THAT(Records("nobody.test", QuestionType::kTxt), ElementsAre("no such name"));
  EXPECT_THAT(Records("192.0.2.1", QuestionType::kTxt), ElementsAre("invalid_argument"));
}

TEST_F(RecordsTest, WithoutAnAnswerItIsUnavailable) {
  options_.timeout = Millis(50);
  Start();
  EXPECT_THAT(Records("example.test", QuestionType::kTxt), ElementsAre("unavailable"));
}

}  // namespace
}  // namespace cay::network
