#include "network/wire/dns_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::network {
namespace {

using std::string_literals::operator""s;
using testing::EndsWith;

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::string Number(size_t value, size_t width) {
  std::string bytes;
  for (size_t i = width; i-- > 0;) bytes += static_cast<char>(value >> (8 * i) & 0xffU);
  return bytes;
}

std::string Label(std::string_view label) { return Number(label.size(), 1).append(label); }

std::string LabelsOf(size_t count) {
  std::string labels;
  for (size_t i = 0; i < count; ++i) labels += Label("x");
  return labels;
}

constexpr std::string_view kA("\0\x01\0\x01", 4);  // type A, class IN
const std::string kName = Label("Example") + Label("com") + "\0"s;

struct Parts {
  unsigned flags = 0x0100;
  size_t questions = 1;
  size_t answers = 0;
  size_t authorities = 0;
  size_t additional = 0;
};
std::string Message(std::string_view rest, const Parts& parts = {}) {
  std::string bytes = "\x12\x34";
  for (const size_t word :
       {size_t{parts.flags}, parts.questions, parts.answers, parts.authorities, parts.additional}) {
    bytes += Number(word, 2);
  }
  return bytes.append(rest);
}

std::string Asking(std::string_view name, std::string_view additional = "", size_t count = 0) {
  return Message(std::string(name).append(kA).append(additional), {.additional = count});
}

std::string Opt(size_t udp_bytes, size_t flags = 0, std::string_view options = "") {
  return "\0\0\x29"s + Number(udp_bytes, 2) + Number(flags, 4) + Number(options.size(), 2) +
         std::string(options);
}

// As clients ask.
struct Sent {
  const char* client;
  std::string_view hex;
  Query query;
};
class RealQuery : public testing::TestWithParam<Sent> {};

TEST_P(RealQuery, IsRead) {
  const auto query = ParseQuery(FromHex(GetParam().hex));
  ASSERT_TRUE(query) << query.error().message();
  const Query& wanted = GetParam().query;
  EXPECT_EQ(query->id, wanted.id);
  EXPECT_EQ(query->opcode, 0);
  EXPECT_TRUE(query->recursion_desired);
  EXPECT_FALSE(query->checking_disabled);
  EXPECT_EQ(query->name, wanted.name);
  EXPECT_EQ(query->type, wanted.type);
  EXPECT_EQ(query->klass, 1);
  EXPECT_EQ(query->edns, wanted.edns);
  EXPECT_EQ(query->dnssec_ok, wanted.dnssec_ok);
  EXPECT_EQ(query->udp_bytes, wanted.udp_bytes);
}

TEST_P(RealQuery, IsRefusedWhereverItIsCut) {
  const std::string bytes = FromHex(GetParam().hex);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto query = ParseQuery(std::string_view(bytes).substr(0, i));
    ASSERT_FALSE(query) << i;
    EXPECT_EQ(query.error().code(), ErrorCode::kProtocol);
  }
  EXPECT_FALSE(ParseQuery(bytes + "x"));
}

// With one byte changed to any other it is refused, or a query whose reply repeats its question.
TEST_P(RealQuery, IsRefusedOrAnsweredWithAnyByteChanged) {
  const std::string bytes = FromHex(GetParam().hex);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (unsigned value = 0; value < 256; ++value) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(value);
      const auto query = ParseQuery(changed);
      if (!query) continue;
      const std::string reply = Answer(*query, Rcode::kFailed, {}, query->udp_bytes, 1);
      const size_t question = 12 + query->name.size() + 2 + 4;
      ASSERT_EQ(reply.substr(12, question - 12), changed.substr(12, question - 12)) << i;
      ASSERT_FALSE(ParseQuery(reply));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RealQuery,
    testing::Values(
        Sent{"glibc",
             "9a9a01000001000000000000076578616d706c6503636f6d0000010001",
             {.id = 0x9a9a, .name = "example.com", .type = 1}},
        Sent{"glibc_with_edns",
             "34ca01200001000000000001076578616d706c6503636f6d00001c000100002904b0000000000000",
             {.id = 0x34ca, .name = "example.com", .type = 28, .edns = true, .udp_bytes = 1200}},
        Sent{"busybox",
             "c38401000001000000000000076578616d706c6503636f6d00001c0001",
             {.id = 0xc384, .name = "example.com", .type = 28}},
        Sent{"go",
             "b53801000001000000000001074578616d706c6503636f6d00001c000100002904d0000000000000",
             {.id = 0xb538, .name = "Example.com", .type = 28, .edns = true, .udp_bytes = 1232}},
        Sent{"node",
             "131801000001000000000000076578616d706c6503636f6d0000010001",
             {.id = 0x1318, .name = "example.com", .type = 1}},
        Sent{"dnspython_with_dnssec",
             "8a7601000001000000000001076578616d706c6503636f6d0000010001000029100000008000"
             "0000",
             {.id = 0x8a76,
              .name = "example.com",
              .type = 1,
              .edns = true,
              .dnssec_ok = true,
              .udp_bytes = kMaxUdpDnsBytes}},
        // As dig asks: with a cookie (RFC 7873).
        Sent{"with_a_cookie",
             "1a2b01200001000000000001076578616d706c6503636f6d000041000100002904d000000000"
             "000c000a00080102030405060708",
             {.id = 0x1a2b, .name = "example.com", .type = 65, .edns = true, .udp_bytes = 1232}}),
    [](const auto& tested) { return tested.param.client; });

TEST(ParseQuery, KeepsTheCaseOfTheName) {
  EXPECT_EQ(ParseQuery(Asking(Label("eXaMPLe") + Label("CoM") + "\0"s))->name, "eXaMPLe.CoM");
}

TEST(ParseQuery, ReadsTheRootAsAnEmptyName) { EXPECT_EQ(ParseQuery(Asking("\0"s))->name, ""); }

TEST(ParseQuery, ReadsANameOf253BytesAndNoMore) {
  const std::string longest =
      Label(std::string(63, 'a')) + Label(std::string(63, 'b')) + Label(std::string(63, 'c'));
  EXPECT_EQ(ParseQuery(Asking(longest + Label(std::string(61, 'd')) + "\0"s))->name.size(), 253U);
  EXPECT_FALSE(ParseQuery(Asking(longest + Label(std::string(62, 'd')) + "\0"s)));
  EXPECT_EQ(ParseQuery(Asking(LabelsOf(127) + "\0"s))->name.size(), 253U);
  EXPECT_FALSE(ParseQuery(Asking(LabelsOf(128) + "\0"s)));
}

TEST(ParseQuery, LeavesOtherClassesAndOpcodesToTheCaller) {
  const auto chaos = ParseQuery(Message(kName + "\0\x10\0\x03"s));
  EXPECT_EQ(chaos->klass, 3);
  EXPECT_EQ(chaos->type, 16);
  // RFC 2136: an update's question is its zone, and what follows is no answer.
  const auto update = ParseQuery(Message(kName + "\0\x06\0\x01"s + "anything",
                                         {.flags = 0x2800, .answers = 3, .additional = 99}));
  EXPECT_EQ(update->opcode, 5);
  EXPECT_EQ(update->name, "Example.com");
  EXPECT_FALSE(update->edns);
}

TEST(ParseQuery, TellsTheHeadersBits) {
  const auto query = ParseQuery(Message(kName + std::string(kA), {.flags = 0x0010}));
  EXPECT_TRUE(query->checking_disabled);
  EXPECT_FALSE(query->recursion_desired);
  EXPECT_EQ(query->id, 0x1234);
}

TEST(ParseQuery, TakesAnAnswersSizeBetweenBothBounds) {
  for (const auto& [asked, got] : std::vector<std::pair<size_t, size_t>>{{0, 512},
                                                                         {511, 512},
                                                                         {512, 512},
                                                                         {513, 513},
                                                                         {1232, 1232},
                                                                         {4096, 1232},
                                                                         {65'535, 1232}}) {
    EXPECT_EQ(ParseQuery(Asking(kName, Opt(asked), 1))->udp_bytes, got) << asked;
  }
}

TEST(ParseQuery, PassesOverOtherRecords) {
  const std::string rest = "\0\xfa\0\xff\0\0\0\0\0\x03xyz"s;  // TSIG, ANY, TTL 0, three bytes
  // Named by labels, by a pointer, by a pointer to itself, and by one to nowhere.
  for (const std::string& name :
       {kName, "\xc0\x0c"s, Label("key") + "\xc0\x0c", "\xc0\x1d"s, "\xff\xff"s}) {
    const auto query = ParseQuery(Asking(kName, name + rest + Opt(1000) + name + rest, 3));
    ASSERT_TRUE(query) << testing::PrintToString(name);
    EXPECT_EQ(query->udp_bytes, 1000);
  }
}

TEST(ParseQuery, ReadsUpTo16AdditionalRecords) {
  const std::string record = "\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04zzzz"s;
  std::string sixteen;
  for (int i = 0; i < 16; ++i) sixteen += record;
  EXPECT_TRUE(ParseQuery(Asking(kName, sixteen, 16)));
  EXPECT_FALSE(ParseQuery(Asking(kName, sixteen + record, 17)));
}

TEST(ParseQuery, TakesAnotherVersionOfEdnsForVersion0) {
  EXPECT_TRUE(ParseQuery(Asking(kName, Opt(1232, 0x00010000), 1))->edns);
}

struct Refused {
  const char* name;
  std::string bytes;
};
class RefusedQuery : public testing::TestWithParam<Refused> {};

TEST_P(RefusedQuery, IsAgainstTheProtocol) {
  const auto query = ParseQuery(GetParam().bytes);
  ASSERT_FALSE(query);
  EXPECT_EQ(query.error().code(), ErrorCode::kProtocol);
}

const std::string kQuestion = kName + std::string(kA);

INSTANTIATE_TEST_SUITE_P(
    All, RefusedQuery,
    testing::Values(
        Refused{"nothing", ""}, Refused{"response", Message(kQuestion, {.flags = 0x8180})},
        Refused{"response_of_another_opcode", Message(kQuestion, {.flags = 0xa800})},
        Refused{"said_to_be_cut", Message(kQuestion, {.flags = 0x0300})},
        Refused{"no_question", Message("", {.questions = 0})},
        Refused{"two_questions", Message(kQuestion + kQuestion, {.questions = 2})},
        Refused{"second_question_that_is_not_there", Message(kQuestion, {.questions = 2})},
        Refused{"answer_that_is_not_there", Message(kQuestion, {.answers = 1})},
        Refused{"authority_that_is_not_there", Message(kQuestion, {.authorities = 1})},
        Refused{"answer", Message(kQuestion + kQuestion, {.answers = 1})},
        Refused{"authority", Message(kQuestion + kQuestion, {.authorities = 1})},
        Refused{"compressed_question", Asking("\xc0\x0c")},
        Refused{"question_compressed_after_a_label", Asking(Label("www") + "\xc0\x0c")},
        Refused{"label_of_64", Asking(Label(std::string(64, 'x')) + "\0"s)},
        Refused{"label_of_type_01", Asking("\x41"s + std::string(65, 'x') + "\0"s)},
        Refused{"label_of_type_10", Asking("\x81"s + std::string(129, 'x') + "\0"s)},
        Refused{"dot_in_a_label", Asking(Label("a.b") + "\0"s)},
        Refused{"nul_in_a_label", Asking(Label("a\0b"s) + "\0"s)},
        Refused{"byte_127_in_a_label", Asking(Label("a\x7f") + "\0"s)},
        Refused{"byte_over_127_in_a_label", Asking(Label("b\xc3\xbc") + "\0"s)},
        Refused{"two_opt_records", Asking(kName, Opt(1232) + Opt(1232), 2)},
        Refused{"opt_record_of_a_name", Asking(kName, Label("x") + Opt(1232), 1)},
        Refused{"opt_record_of_a_pointer", Asking(kName, "\xc0" + Opt(1232), 1)},
        Refused{"additional_that_is_not_there", Asking(kName, "", 1)},
        Refused{"additional_that_is_not_counted", Asking(kName, Opt(1232), 0)},
        Refused{"additional_with_a_long_name",
                Asking(kName, LabelsOf(128) + "\0\0\x01\0\x01\0\0\0\0\0\0"s, 1)},
        Refused{"additional_with_a_label_of_64",
                Asking(kName, Label(std::string(64, 'x')) + "\0\0\x01\0\x01\0\0\0\0\0\0"s, 1)},
        Refused{"over_65535_bytes", Asking(kName, Opt(1232, 0, std::string(65'535, 'x')), 1)}),
    [](const auto& tested) { return tested.param.name; });

TEST(IdOf, IsThereForWhatCanBeAnswered) {
  EXPECT_EQ(IdOf(Message("", {.questions = 0})), 0x1234);
  EXPECT_EQ(IdOf(Message("garbage")), 0x1234);
  EXPECT_EQ(IdOf(Message("").substr(0, 11)), std::nullopt);
  EXPECT_EQ(IdOf(""), std::nullopt);
  EXPECT_EQ(IdOf(Message(kQuestion, {.flags = 0x8000})), std::nullopt);
}

Query Asked(std::string name, RecordType type) {
  return {.id = 0x1234,
          .recursion_desired = true,
          .name = std::move(name),
          .type = static_cast<uint16_t>(type)};
}

Record V4(uint32_t address) { return {.ttl_seconds = 60, .address = Address::V4(address)}; }

TEST(Answer, HasTheQuestionAndTheRecords) {
  const std::vector<Record> records{V4(0xc0000207), V4(0xc6120001)};
  EXPECT_EQ(Answer(Asked("Example.com", RecordType::kA), Rcode::kOk, records, 512, 10),
            "\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0"s + kQuestion +
                "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07"s +
                "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x12\0\x01"s);
}

TEST(Answer, HasAddressesOfIpV6) {
  const std::vector<Record> records{{.type = RecordType::kAaaa,
                                     .ttl_seconds = 0x01020304,
                                     .address = *Address::Parse("2001:db8::7")}};
  EXPECT_THAT(Answer(Asked("Example.com", RecordType::kAaaa), Rcode::kOk, records, 512, 10),
              EndsWith("\xc0\x0c\0\x1c\0\x01\x01\x02\x03\x04\0\x10\x20\x01\x0d\xb8"s +
                       std::string(11, '\0') + "\x07"));
}

TEST(Answer, HasNames) {
  const std::vector<Record> records{
      {.type = RecordType::kPtr, .ttl_seconds = 1, .name = "a.Example"}};
  EXPECT_THAT(
      Answer(Asked("7.2.0.192.in-addr.arpa", RecordType::kPtr), Rcode::kOk, records, 512, 10),
      EndsWith("\xc0\x0c\0\x0c\0\x01\0\0\0\x01\0\x0b"s + Label("a") + Label("Example") + "\0"s));
}

TEST(Answer, OfTheRootIsOfTheRoot) {
  const std::vector<Record> records{V4(0x7f000001)};
  EXPECT_EQ(Answer(Asked("", RecordType::kA), Rcode::kOk, records, 512, 10),
            "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\0\0\x01\0\x01"s +
                "\0\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01"s);
}

TEST(Answer, RepeatsWhatTheQuerySaid) {
  Query query = Asked("Example.com", RecordType::kTxt);
  query.id = 0xfedc;
  query.klass = 3;
  query.opcode = 2;
  query.recursion_desired = false;
  query.checking_disabled = true;
  EXPECT_EQ(Answer(query, Rcode::kNotImplemented, {}, 512, 10),
            "\xfe\xdc\x90\x94\0\x01\0\0\0\0\0\0"s + kName + "\0\x10\0\x03"s);
}

TEST(Answer, ThatThereIsNothingIsRememberedForItsTime) {
  const std::string soa = "\0\0\x06\0\x01\0\0\0\x0a\0\x16\0\0"s + Number(1, 4) + Number(3600, 4) +
                          Number(600, 4) + Number(86'400, 4) + Number(10, 4);
  EXPECT_EQ(Answer(Asked("Example.com", RecordType::kA), Rcode::kNoSuchName, {}, 512, 10),
            "\x12\x34\x81\x83\0\x01\0\0\0\x01\0\0"s + kQuestion + soa);
  EXPECT_EQ(Answer(Asked("Example.com", RecordType::kA), Rcode::kOk, {}, 512, 10),
            "\x12\x34\x81\x80\0\x01\0\0\0\x01\0\0"s + kQuestion + soa);
  EXPECT_EQ(Answer(Asked("Example.com", RecordType::kA), Rcode::kFailed, {}, 512, 10),
            "\x12\x34\x81\x82\0\x01\0\0\0\0\0\0"s + kQuestion);
}

TEST(Answer, HasEdnsWhereTheQueryHadIt) {
  Query query = Asked("Example.com", RecordType::kA);
  query.edns = true;
  const std::string opt = "\0\0\x29\x04\xd0\0\0\0\0\0\0"s;
  EXPECT_EQ(Answer(query, Rcode::kFailed, {}, 512, 10),
            "\x12\x34\x81\x82\0\x01\0\0\0\0\0\x01"s + kQuestion + opt);
  EXPECT_THAT(Answer(query, Rcode::kNoSuchName, {}, 512, 10), EndsWith(opt));
  query.dnssec_ok = true;
  EXPECT_THAT(Answer(query, Rcode::kFailed, {}, 512, 10),
              EndsWith("\0\0\x29\x04\xd0\0\0\x80\0\0\0"s));
}

size_t Count(std::string_view reply) {
  return static_cast<size_t>(static_cast<uint8_t>(reply[6])) << 8 | static_cast<uint8_t>(reply[7]);
}
bool IsCut(std::string_view reply) { return (static_cast<uint8_t>(reply[2]) & 0x02U) != 0; }

TEST(Answer, LeavesOutWhatDoesNotFitAndSaysSo) {
  const size_t before = 12 + kQuestion.size();
  const std::vector<Record> records(100, V4(1));
  for (const bool edns : {false, true}) {
    Query query = Asked("Example.com", RecordType::kA);
    query.edns = edns;
    for (const size_t limit : {512U, 600U, 615U, 616U, 1232U, 1600U}) {
      const std::string reply = Answer(query, Rcode::kOk, records, limit, 10);
      EXPECT_LE(reply.size(), limit);
      EXPECT_GT(reply.size() + 16, limit);
      EXPECT_EQ(reply.size(), before + 16 * Count(reply) + (edns ? 11 : 0));
      EXPECT_TRUE(IsCut(reply));
    }
    const size_t whole = before + 1600 + (edns ? 11 : 0);
    EXPECT_TRUE(IsCut(Answer(query, Rcode::kOk, records, whole - 1, 10)));
    const std::string reply = Answer(query, Rcode::kOk, records, whole, 10);
    EXPECT_FALSE(IsCut(reply));
    EXPECT_EQ(reply.size(), whole);
    EXPECT_EQ(Count(reply), 100U);
  }
}

TEST(Answer, CanBeCutToNothing) {
  const std::string name = std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                           std::string(63, 'c') + "." + std::string(61, 'd');
  const std::vector<Record> records{{.type = RecordType::kPtr, .name = name}};
  const std::string reply = Answer(Asked(name, RecordType::kPtr), Rcode::kOk, records, 512, 10);
  EXPECT_TRUE(IsCut(reply));
  EXPECT_EQ(reply.size(), 12U + 255 + 4);  // and so nothing is said to be there, nor not to be
  EXPECT_FALSE(IsCut(Answer(Asked(name, RecordType::kPtr), Rcode::kOk, records, 600, 10)));
}

TEST(Answer, FitsItsBoundsWhateverTheLimit) {
  const std::vector<Record> records(5000, V4(1));
  const Query query = Asked("Example.com", RecordType::kA);
  EXPECT_EQ(Answer(query, Rcode::kOk, records, 0, 10), Answer(query, Rcode::kOk, records, 512, 10));
  const std::string longest = Answer(query, Rcode::kOk, records, SIZE_MAX, 10);
  EXPECT_LE(longest.size(), kMaxDnsMessage);
  EXPECT_GT(longest.size() + 16, kMaxDnsMessage);
  EXPECT_TRUE(IsCut(longest));
}

// A name of so many bytes: "a.a.…aa".
std::string OfLabels(size_t bytes) {
  std::string name;
  while (name.size() + 2 < bytes) name += "a.";
  return name.append(bytes - name.size(), 'a');
}

TEST(Answer, FailsForARecordThatIsNone) {
  const Query query = Asked("Example.com", RecordType::kA);
  const std::string failed = Answer(query, Rcode::kFailed, {}, 512, 10);
  for (const Record& record :
       std::vector<Record>{{.type = RecordType::kA, .address = *Address::Parse("::1")},
                           {.type = RecordType::kAaaa, .address = Address::V4(1)},
                           {.type = RecordType::kTxt},
                           {.type = RecordType::kPtr, .name = std::string(64, 'x')},
                           {.type = RecordType::kPtr, .name = "a..example"},
                           {.type = RecordType::kPtr, .name = "a.example."},
                           {.type = RecordType::kPtr, .name = OfLabels(254)}}) {
    const std::vector<Record> records{V4(1), record};
    EXPECT_EQ(Answer(query, Rcode::kOk, records, 512, 10), failed);
  }
  const std::vector<Record> longest{{.type = RecordType::kPtr, .name = OfLabels(253)}};
  EXPECT_NE(Answer(query, Rcode::kOk, longest, 512, 10), failed);
}

TEST(Answer, FailsForAQuestionThatNobodyCanHaveAsked) {
  EXPECT_EQ(Answer(Asked("a..example", RecordType::kA), Rcode::kOk, {}, 512, 10),
            AnswerUnreadable(0x1234, Rcode::kFailed));
}

TEST(AnswerUnreadable, IsAHeaderAlone) {
  EXPECT_EQ(AnswerUnreadable(0xabcd, Rcode::kFormat), "\xab\xcd\x80\x81\0\0\0\0\0\0\0\0"s);
}

TEST(AddressOfReverse, IsTheAddressThatIsAskedAbout) {
  EXPECT_EQ(AddressOfReverse("7.2.0.192.in-addr.arpa"), Address::V4(0xc0000207));
  EXPECT_EQ(AddressOfReverse("255.0.18.198.IN-ADDR.Arpa"), Address::V4(0xc61200ff));
  const std::string one = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.D.0.1.0.0.2.";
  EXPECT_EQ(AddressOfReverse(one + "ip6.arpa"), *Address::Parse("2001:db8::1"));
  EXPECT_EQ(AddressOfReverse(one + "IP6.ARPA"), *Address::Parse("2001:db8::1"));
  // As it is asked about, and not the IPv4 address in it.
  EXPECT_EQ(AddressOfReverse("7.0.2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                             "ip6.arpa"),
            *Address::Parse("::ffff:192.0.2.7"));
}

TEST(AddressOfReverse, IsNothingForOtherNames) {
  std::string digits;
  for (int i = 0; i < 32; ++i) digits += "0.";
  const std::string with_colon = digits.substr(0, 60) + ":.0.ip6.arpa";
  for (const std::string& name : {""s,
                                  "."s,
                                  "example.com"s,
                                  "arpa"s,
                                  "in-addr.arpa"s,
                                  "192.in-addr.arpa"s,
                                  "2.0.192.in-addr.arpa"s,
                                  "1.7.2.0.192.in-addr.arpa"s,
                                  "0/25.2.0.192.in-addr.arpa"s,
                                  "07.2.0.192.in-addr.arpa"s,
                                  "256.2.0.192.in-addr.arpa"s,
                                  "-7.2.0.192.in-addr.arpa"s,
                                  "0x7.2.0.192.in-addr.arpa"s,
                                  ".2.0.192.in-addr.arpa"s,
                                  "7.2.0.192.in-addr.arpa."s,
                                  "7.2.0.192.in-addr.arpa.example"s,
                                  "7.2.0.192.in-addr.example"s,
                                  "7.2.0.192.ip6.arpa"s,
                                  "4.3.2.::1.in-addr.arpa"s,
                                  digits + "in-addr.arpa",
                                  digits.substr(2) + "ip6.arpa",
                                  "0." + digits + "ip6.arpa",
                                  "00" + digits.substr(1) + "ip6.arpa",
                                  "g" + digits.substr(1) + "ip6.arpa",
                                  "." + digits.substr(1) + "ip6.arpa",
                                  with_colon,
                                  std::string(300, '.')}) {
    EXPECT_EQ(AddressOfReverse(name), std::nullopt) << name;
  }
  EXPECT_EQ(AddressOfReverse(digits + "ip6.arpa"), *Address::Parse("::"));
}

}  // namespace
}  // namespace cay::network
