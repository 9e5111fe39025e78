#include "network/resolver/dns_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "network/resolver/test_dns_messages.h"

namespace cay::network {
namespace {

using namespace dns_test;  // NOLINT(google-build-using-namespace)
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint16_t kId = 7;
const char* const kName = "www.example.test";

std::string ToA(const std::vector<std::string>& records, uint16_t flags = 0) {
  return Message(kId, Question(kName, kA), records, flags);
}

Result<DnsAnswer> Read(const std::string& bytes) {
  return ReadDnsAnswer(bytes, kName, QuestionType::kA);
}

std::vector<std::string> Texts(const Result<DnsAnswer>& answer) {
  std::vector<std::string> texts;
  if (!answer) return {answer.error().message()};
  for (const Address& address : answer->addresses) texts.push_back(address.Text());
  return texts;
}

ErrorCode CodeOf(const Result<DnsAnswer>& answer) {
  return answer ? ErrorCode::kInternal : answer.error().code();
}

TEST(DnsAnswer, AddressesAreReadEachOnceAndHoldAsLongAsTheShortestOfThem) {
  const auto answer =
      Read(ToA({A(kName, "192.0.2.1", 60), A(kName, "192.0.2.2", 20), A(kName, "192.0.2.1", 90)}));
  EXPECT_THAT(Texts(answer), ElementsAre("192.0.2.1", "192.0.2.2"));
  EXPECT_EQ(answer->ttl_seconds, 20U);
}

TEST(DnsAnswer, IPv6AddressesAreReadWhereTheyWereAskedFor) {
  const std::string bytes =
      Message(kId, Question(kName, kAaaa), {Aaaa(kName, "2001:db8::7"), A(kName, "192.0.2.1")});
  EXPECT_THAT(Texts(ReadDnsAnswer(bytes, kName, QuestionType::kAaaa)), ElementsAre("2001:db8::7"));
}

TEST(DnsAnswer, NamesAreTheSameInAnyCaseAndThroughPointers) {
  const std::string to_question = U16(0xc00c);
  const auto answer = Read(Message(
      kId, Question("WWW.Example.TEST", kA),
      {Record(to_question, kA, AddressBytes("192.0.2.1")), A("wWw.example.test", "192.0.2.2")}));
  EXPECT_THAT(Texts(answer), ElementsAre("192.0.2.1", "192.0.2.2"));
}

TEST(DnsAnswer, AliasesAreFollowedInWhateverOrderTheyStand) {
  const auto answer = Read(ToA(
      {A("c.test", "192.0.2.9", 50), Cname("b.test", "c.test", 40), Cname(kName, "b.test", 10)}));
  EXPECT_THAT(Texts(answer), ElementsAre("192.0.2.9"));
  EXPECT_EQ(answer->ttl_seconds, 10U);
}

TEST(DnsAnswer, AliasesThatLeadToNoAddressAreNone) {
  EXPECT_THAT(Texts(Read(ToA({Cname(kName, "b.test")}))), IsEmpty());
  EXPECT_TRUE(Read(ToA({Cname(kName, "b.test")})));
}

TEST(DnsAnswer, AliasesInACircleAreAnError) {
  EXPECT_EQ(CodeOf(Read(ToA({Cname(kName, "b.test"), Cname("b.test", kName)}))),
            ErrorCode::kProtocol);
  EXPECT_EQ(CodeOf(Read(ToA({Cname(kName, kName)}))), ErrorCode::kProtocol);
}

std::string ToAChainOf(size_t aliases) {
  std::vector<std::string> records;
  std::string name = kName;
  for (size_t i = 0; i < aliases; ++i) {
    const std::string next = "n" + std::to_string(i) + ".test";
    records.push_back(Cname(name, next));
    name = next;
  }
  records.push_back(A(name, "192.0.2.1"));
  return ToA(records);
}

TEST(DnsAnswer, AChainOfAliasesHasABound) {
  EXPECT_THAT(Texts(Read(ToAChainOf(DnsAnswer::kMaxAliases))), ElementsAre("192.0.2.1"));
  EXPECT_EQ(CodeOf(Read(ToAChainOf(DnsAnswer::kMaxAliases + 1))), ErrorCode::kProtocol);
}

TEST(DnsAnswer, RecordsOfOtherNamesCountForNothing) {
  EXPECT_THAT(Texts(Read(ToA({A("other.test", "192.0.2.66")}))), IsEmpty());
  EXPECT_THAT(Texts(Read(ToA({A("other.test", "192.0.2.66"), A(kName, "192.0.2.1")}))),
              ElementsAre("192.0.2.1"));
}

TEST(DnsAnswer, ALabelWithADotInItIsNotTwo) {
  const std::string one_label = std::string("\x0b") + "www.example" + "\x04test" + '\0';
  EXPECT_THAT(Texts(Read(ToA({Record(one_label, kA, AddressBytes("192.0.2.66"))}))), IsEmpty());
}

TEST(DnsAnswer, OfManyAddressesTheFirstAreTaken) {
  std::vector<std::string> records;
  for (int i = 1; i <= 100; ++i) records.push_back(A(kName, "192.0.2." + std::to_string(i)));
  const auto answer = Read(ToA(records));
  EXPECT_THAT(Texts(answer), SizeIs(DnsAnswer::kMaxAddresses));
  EXPECT_EQ(Texts(answer).back(), "192.0.2.64");
}

TEST(DnsAnswer, ThatThereIsNoSuchNameIsToldByItsCode) {
  const auto answer = Read(ToA({}, kNoSuchName));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->rcode, DnsAnswer::kNoSuchName);
}

TEST(DnsAnswer, ATimeOverThirtyOneBitsIsNone) {
  EXPECT_EQ(Read(ToA({A(kName, "192.0.2.1", 0x8000'0000)}))->ttl_seconds, 0U);
}

TEST(DnsAnswer, WhatIsNotTheAnswerToTheQuestionIsAnError) {
  const std::string record = A(kName, "192.0.2.1");
  EXPECT_EQ(CodeOf(Read(Message(kId, Question("other.test", kA), {record}))), ErrorCode::kProtocol);
  EXPECT_EQ(CodeOf(Read(Message(kId, Question(kName, kAaaa), {record}))), ErrorCode::kProtocol);
  std::string question = ToA({record});
  question[2] = 0;
  EXPECT_EQ(CodeOf(Read(question)), ErrorCode::kProtocol);
  std::string two_questions = ToA({record});
  two_questions[5] = 2;
  EXPECT_EQ(CodeOf(Read(two_questions)), ErrorCode::kProtocol);
}

TEST(DnsAnswer, AMessageThatIsCutAnywhereIsAnError) {
  const std::string whole = ToA({Cname(kName, "b.test"), A("b.test", "192.0.2.1")});
  ASSERT_TRUE(Read(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(CodeOf(Read(whole.substr(0, size))), ErrorCode::kProtocol) << size;
  }
}

TEST(DnsAnswer, RecordsOfTheWrongLengthAreAnError) {
  EXPECT_EQ(CodeOf(Read(ToA({Record(Name(kName), kA, "12345")}))), ErrorCode::kProtocol);
  EXPECT_EQ(CodeOf(Read(ToA({Record(Name(kName), kCname, Name("b.test") + "x")}))),
            ErrorCode::kProtocol);
}

TEST(DnsAnswer, NamesThatPointForwardsOrIntoThemselvesAreAnError) {
  const std::string address = AddressBytes("192.0.2.1");
  const size_t at = ToA({}).size();
  EXPECT_EQ(CodeOf(Read(ToA({Record(U16(0xc000 | at), kA, address)}))), ErrorCode::kProtocol);
  EXPECT_EQ(CodeOf(Read(ToA({Record(U16(0xc000 | (at + 2)), kA, address)}))), ErrorCode::kProtocol);
  EXPECT_EQ(CodeOf(Read(ToA({Record("\x01"
                                    "a" +
                                        U16(0xc000 | at),
                                    kA, address)}))),
            ErrorCode::kProtocol);
  EXPECT_EQ(CodeOf(Read(ToA({Record(std::string("\x80\x01", 2), kA, address)}))),
            ErrorCode::kProtocol);
}

TEST(DnsAnswer, ANameOverItsLengthIsAnError) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  EXPECT_TRUE(Read(ToA({A(longest, "192.0.2.1")})));
  EXPECT_EQ(CodeOf(Read(ToA({A(longest + "b", "192.0.2.1")}))), ErrorCode::kProtocol);
}

// Made so that a reader without bounds follows for each of thousands of records thousands of
// pointers, or copies a name of 16 KiB.
std::string Hostile(const std::string& names, size_t start) {
  constexpr uint16_t kTxt = 16;
  std::vector<std::string> records = {Record(Name("t"), kTxt, names)};
  size_t size = ToA(records).size();
  const std::string record = Record(U16(0xc000 | start), kTxt, {});
  for (; size + record.size() < 65'535; size += record.size()) records.push_back(record);
  return ToA(records);
}

DnsAnswer RecordsOf(QuestionType type, const std::vector<std::string>& data) {
  std::vector<std::string> records;
  for (const std::string& each : data)
    records.push_back(Record(Name(kName), static_cast<uint16_t>(type), each, 60));
  const auto answer = ReadDnsAnswer(
      Message(kId, Question(kName, static_cast<uint16_t>(type)), records), kName, type);
  EXPECT_TRUE(answer) << answer.error().message();
  return answer.value_or(DnsAnswer{});
}

TEST(DnsAnswer, NamesInRecordsAreWholeAndInLowerCase) {
  const std::string to_question = U16(0xc00c);
  EXPECT_THAT(
      RecordsOf(QuestionType::kMx, {U16(10) + Name("Mail.Test"), U16(20) + to_question}).records,
      ElementsAre(U16(10) + Name("mail.test"), U16(20) + Name(kName)));
  EXPECT_THAT(RecordsOf(QuestionType::kSrv, {U16(1) + U16(2) + U16(80) + to_question}).records,
              ElementsAre(U16(1) + U16(2) + U16(80) + Name(kName)));
}

TEST(DnsAnswer, TextsAreAsTheyCame) {
  const std::string text("\x03one\x00\x02\xff\n", 8);
  const DnsAnswer answer = RecordsOf(QuestionType::kTxt, {text});
  EXPECT_THAT(answer.records, ElementsAre(text));
  EXPECT_EQ(answer.ttl_seconds, 60U);
  EXPECT_THAT(answer.addresses, IsEmpty());
}

TEST(DnsAnswer, ARecordThatIsNotAsLongAsItSaysIsAnError) {
  const auto code = [](QuestionType type, const std::string& data) {
    const auto number = static_cast<uint16_t>(type);
    return CodeOf(ReadDnsAnswer(
        Message(kId, Question(kName, number), {Record(Name(kName), number, data)}), kName, type));
  };
  for (const std::string& data : {std::string(), U16(10),
                                  U16(10) + "\x04"
                                            "ab",
                                  U16(10) + Name("a.test") + "x"})
    EXPECT_EQ(code(QuestionType::kMx, data), ErrorCode::kProtocol) << data;
  EXPECT_EQ(code(QuestionType::kSrv, U16(1) + U16(2) + U16(3)), ErrorCode::kProtocol);
  for (const std::string& data : {std::string(),
                                  std::string("\x02"
                                              "a"),
                                  std::string("\x01"
                                              "ab")})
    EXPECT_EQ(code(QuestionType::kTxt, data), ErrorCode::kProtocol) << data;
}

TEST(DnsAnswer, AnAliasLeadsToRecordsToo) {
  const auto answer = ReadDnsAnswer(Message(kId, Question(kName, 16),
                                            {Cname(kName, "other.test"),
                                             Record(Name("other.test"), 16,
                                                    "\x01"
                                                    "a"),
                                             Record(Name("nobody.test"), 16,
                                                    "\x01"
                                                    "b")}),
                                    kName, QuestionType::kTxt);
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->records, ElementsAre("\x01"
                                           "a"));
}

TEST(DnsAnswer, RecordsOverTheirBoundAreAnError) {
  const std::string text = std::string("\xff") + std::string(255, 'a');
  const std::vector<std::string> records(DnsAnswer::kMaxData / text.size() + 1,
                                         Record(Name(kName), 16, text));
  EXPECT_EQ(
      CodeOf(ReadDnsAnswer(Message(kId, Question(kName, 16), records), kName, QuestionType::kTxt)),
      ErrorCode::kProtocol);
}

TEST(DnsAnswer, HostileNamesCostLittle) {
  const size_t begin = ToA({Record(Name("t"), 16, {})}).size();
  std::string pointers = U16(0xc00c);
  while (begin + pointers.size() < 16'000) {
    pointers += U16(0xc000 | (begin + pointers.size() - 2));
  }
  std::string labels;
  while (labels.size() < 16'000) labels += std::string("\x3f") + std::string(63, 'a');
  labels += '\0';
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(CodeOf(Read(Hostile(pointers, begin + pointers.size() - 2))), ErrorCode::kProtocol);
  EXPECT_EQ(CodeOf(Read(Hostile(labels, begin))), ErrorCode::kProtocol);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(500));
}

}  // namespace
}  // namespace cay::network
