#include "network/wire/client_hello.h"

#include <gtest/gtest.h>

#include "network/wire/test_hellos.h"

namespace cay::network {
namespace {

using std::string_literals::operator""s;

constexpr uint8_t kHandshake = 22;

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

std::string Vector(size_t width, std::string_view bytes) {
  return Number(bytes.size(), width).append(bytes);
}

std::string Extension(size_t type, std::string_view data) {
  return Number(type, 2) + Vector(2, data);
}

std::string HostName(std::string_view name) { return Number(0, 1) + Vector(2, name); }
std::string Sni(std::string_view list) { return Extension(0, Vector(2, list)); }
std::string Named(std::string_view name) { return Sni(HostName(name)); }

struct Body {
  std::string session{};
  std::string suites = "\x13\x01\x13\x02";
  std::string compressions = "\0"s;
  std::string rest{};  // with the length of the extensions
};

std::string Message(const Body& body, size_t type = 1) {
  return Number(type, 1) +
         Vector(3, "\x03\x03" + std::string(32, 'r') + Vector(1, body.session) +
                       Vector(2, body.suites) + Vector(1, body.compressions) + body.rest);
}

std::string Record(std::string_view payload, size_t version = 0x0301, size_t type = kHandshake) {
  return Number(type, 1) + Number(version, 2) + Vector(2, payload);
}

std::string With(std::string_view extensions) { return Message({.rest = Vector(2, extensions)}); }
std::string Hello(std::string_view extensions) { return Record(With(extensions)); }

// In records of `sizes` bytes, and one of what is left.
std::string InRecords(std::string_view message, std::initializer_list<size_t> sizes) {
  std::string records;
  for (const size_t size : sizes) {
    records += Record(message.substr(0, size));
    message.remove_prefix(size);
  }
  return records + Record(message);
}

// Asked about each beginning of the bytes as well, as they come one by one: the first answer that
// is no kMore stays.
Peek ReadAtEachByte(std::string_view bytes, ClientHello& hello) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    ClientHello early{.name = "as it was"};
    const Peek peek = ReadClientHello(bytes.substr(0, i), early);
    if (peek == Peek::kMore) {
      EXPECT_EQ(early.name, "as it was") << i;
      continue;
    }
    EXPECT_EQ(ReadClientHello(bytes, hello), peek) << i;
    EXPECT_TRUE(peek != Peek::kFound || early.name == hello.name) << i;
    return peek;
  }
  return ReadClientHello(bytes, hello);
}

void ExpectName(std::string_view bytes, std::string_view name) {
  ClientHello hello;
  EXPECT_EQ(ReadAtEachByte(bytes, hello), Peek::kFound);
  EXPECT_EQ(hello.name, name);
}

void Expect(std::string_view bytes, Peek peek) {
  ClientHello hello{.name = "as it was"};
  EXPECT_EQ(ReadAtEachByte(bytes, hello), peek);
  EXPECT_EQ(hello.name, "as it was");
}

class RealClient : public testing::TestWithParam<RealHello> {};

TEST_P(RealClient, IsReadWhenItsLastByteIsThere) {
  const std::string bytes = FromHex(GetParam().hex);
  ClientHello hello;
  for (size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_EQ(ReadClientHello(std::string_view(bytes).substr(0, i), hello), Peek::kMore) << i;
  }
  ASSERT_EQ(ReadClientHello(bytes, hello), Peek::kFound);
  EXPECT_EQ(hello.name, GetParam().name);
  EXPECT_EQ(hello.has_encrypted_hello, GetParam().encrypted_hello);
}

TEST_P(RealClient, IsReadFromRecordsOfAnySize) {
  const std::string message = FromHex(GetParam().hex).substr(5);
  for (size_t size = 1; size < message.size(); size += size < 8 ? 1 : 97) {
    std::string records;
    for (size_t at = 0; at < message.size(); at += size) {
      records += Record(std::string_view(message).substr(at, size));
    }
    ClientHello hello;
    ASSERT_EQ(ReadClientHello(records.substr(0, records.size() - 1), hello), Peek::kMore) << size;
    ASSERT_EQ(ReadClientHello(records, hello), Peek::kFound) << size;
    EXPECT_EQ(hello.name, GetParam().name);
  }
}

// Whatever byte is another one, each beginning is answered as the whole is.
TEST_P(RealClient, IsAnsweredOnceWhenAByteIsWrong) {
  const std::string bytes = FromHex(GetParam().hex);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned flipped : {0x01U, 0x80U, 0xffU}) {
      std::string wrong = bytes;
      wrong[i] = static_cast<char>(static_cast<uint8_t>(wrong[i]) ^ flipped);
      ClientHello hello;
      const Peek whole = ReadClientHello(wrong, hello);
      for (size_t at = 0; at < wrong.size(); at += 1 + at / 16) {
        const Peek early = ReadClientHello(std::string_view(wrong).substr(0, at), hello);
        ASSERT_TRUE(early == Peek::kMore || early == whole) << i << " at " << at;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealClient, testing::ValuesIn(kRealHellos),
                         [](const auto& tested) { return std::string(tested.param.client); });

TEST(ClientHello, IsReadWhereverItsRecordsAreCut) {
  const std::string message = With(Named("example.com"));
  ExpectName(InRecords(message, {1}), "example.com");
  ExpectName(InRecords(message, {2, 1}), "example.com");
  ExpectName(InRecords(message, {3}), "example.com");
  ExpectName(InRecords(message, {4}), "example.com");
  ExpectName(InRecords(message, {1, 1, 1, 1, 1}), "example.com");
  ExpectName(InRecords(message, {message.size() - 1}), "example.com");
  ExpectName(InRecords(message, {message.size() - 5}), "example.com");
}

TEST(ClientHello, MayBeFollowedByOtherRecords) {
  const std::string early_data = Record("secret", 0x0303, 23);
  ExpectName(Hello(Named("example.com")) + early_data, "example.com");
  ExpectName(Hello(Named("example.com")) + "anything", "example.com");
}

TEST(ClientHello, HasTheNameAsItWasSent) {
  ExpectName(Hello(Named("EXAMPLE.Com")), "EXAMPLE.Com");
  ExpectName(Hello(Named("example.com.")), "example.com.");
  ExpectName(Hello(Named("192.0.2.7")), "192.0.2.7");
  ExpectName(Hello(Named("b\xc3\xbc"
                         "cher")),
             "b\xc3\xbc"
             "cher");
  ExpectName(Hello(Named(std::string(255, 'x'))), std::string(255, 'x'));
}

TEST(ClientHello, CanBeWithoutAName) {
  ExpectName(Hello(""), "");
  ExpectName(Hello(Extension(16, "\0\x03\x02h2"s)), "");
  ExpectName(Record(Message({})), "");  // without extensions, as clients of TLS 1.0 were
}

TEST(ClientHello, IsReadWhateverTheMinorVersionOfItsRecords) {
  const std::string message = With(Named("example.com"));
  for (const size_t version : {0x0300U, 0x0301U, 0x0302U, 0x0303U, 0x0304U, 0x03ffU}) {
    ExpectName(Record(message, version), "example.com");
  }
}

TEST(ClientHello, TellsOfAnEncryptedOne) {
  for (const std::string& extensions :
       {Named("a.example") + Extension(0xfe0d, std::string(200, 'g')),
        Extension(0xfe0d, "") + Named("a.example")}) {
    ClientHello hello;
    EXPECT_EQ(ReadAtEachByte(Hello(extensions), hello), Peek::kFound);
    EXPECT_TRUE(hello.has_encrypted_hello);
    EXPECT_EQ(hello.name, "a.example");
  }
  ClientHello hello;
  EXPECT_EQ(ReadClientHello(Hello(Named("a.example")), hello), Peek::kFound);
  EXPECT_FALSE(hello.has_encrypted_hello);
}

TEST(ClientHello, KeepsNothingOfTheOneBefore) {
  ClientHello hello{.name = "before", .has_encrypted_hello = true};
  EXPECT_EQ(ReadClientHello(Hello(""), hello), Peek::kFound);
  EXPECT_EQ(hello.name, "");
  EXPECT_FALSE(hello.has_encrypted_hello);
}

// So many bytes with its records' headers.
std::string HelloOf(size_t bytes, std::initializer_list<size_t> sizes) {
  const auto padded = [&](size_t padding) {
    return InRecords(With(Named("example.com") + Extension(21, std::string(padding, '\0'))), sizes);
  };
  constexpr size_t kSome = 6000;
  return padded(kSome + bytes - padded(kSome).size());
}

TEST(ClientHello, CanBeAsLongAsThePeek) {
  ClientHello hello;
  for (const std::string& bytes : {HelloOf(kMaxPeek, {}), HelloOf(kMaxPeek, {1, 5000})}) {
    ASSERT_EQ(bytes.size(), kMaxPeek);
    EXPECT_EQ(ReadClientHello(bytes.substr(0, kMaxPeek - 1), hello), Peek::kMore);
    EXPECT_EQ(ReadClientHello(bytes, hello), Peek::kFound);
    EXPECT_EQ(ReadClientHello(bytes + "more", hello), Peek::kFound);
    EXPECT_EQ(hello.name, "example.com");
  }
}

TEST(ClientHello, IsRefusedWhenItIsLongerThanThePeek) {
  ClientHello hello;
  // Its length says so already where it stands in one record, and where it would in any.
  EXPECT_EQ(ReadClientHello(HelloOf(kMaxPeek + 1, {}).substr(0, 9), hello), Peek::kBad);
  const std::string in_two = HelloOf(kMaxPeek + 1, {5000});
  EXPECT_EQ(ReadClientHello(in_two.substr(0, kMaxPeek - 1), hello), Peek::kMore);
  EXPECT_EQ(ReadClientHello(in_two.substr(0, kMaxPeek), hello), Peek::kBad);
  EXPECT_EQ(ReadClientHello(in_two, hello), Peek::kBad);
}

TEST(ClientHello, IsSomethingElseByItsFirstBytes) {
  for (const std::string& bytes :
       {"GET / HTTP/1.1\r\n"s, "SSH-2.0-OpenSSH_9.2\r\n"s, "\0\0\0\x08\x04\xd2\x16\x2f"s,
        "\x13\x03\x01\0\x05"s, "\x19\x03\x01\0\x05"s, "\x16\x10\0\0\x05"s, "\x15\x40\0\0"s,
        "\x80\x0a\0"s, "\x80\x1f\x01\x02\0\0"s, "\xff\xff\xff\xff"s}) {
    SCOPED_TRACE(bytes);
    Expect(bytes, Peek::kOther);
  }
  Expect("", Peek::kMore);
  Expect("\x16", Peek::kMore);
}

struct Refused {
  const char* name;
  std::string bytes;
};
class RefusedHello : public testing::TestWithParam<Refused> {};

TEST_P(RefusedHello, IsBad) { Expect(GetParam().bytes, Peek::kBad); }

std::string LengthsOff(size_t at, int by) {
  std::string bytes = Hello(Named("example.com"));
  bytes[at] = static_cast<char>(bytes[at] + by);
  return bytes;
}

// Where the lengths stand in Hello(Named("example.com")).
constexpr size_t kRecordLength = 4;
constexpr size_t kMessageLength = 8;
constexpr size_t kSessionLength = 43;
constexpr size_t kSuitesLength = 45;
constexpr size_t kCompressionsLength = 50;
constexpr size_t kExtensionsLength = 53;
constexpr size_t kSniLength = 57;
constexpr size_t kListLength = 59;
constexpr size_t kNameLength = 62;

INSTANTIATE_TEST_SUITE_P(
    Names, RefusedHello,
    testing::Values(
        Refused{"two_extensions", Hello(Named("a.example") + Named("a.example"))},
        Refused{"two_extensions_apart",
                Hello(Named("a.example") + Extension(16, "x") + Named("b.example"))},
        Refused{"empty_list", Hello(Sni(""))}, Refused{"empty_extension", Hello(Extension(0, ""))},
        Refused{"two_names", Hello(Sni(HostName("a.example") + HostName("b.example")))},
        Refused{"same_name_twice", Hello(Sni(HostName("a.example") + HostName("a.example")))},
        Refused{"name_of_another_type", Hello(Sni("\x01" + Vector(2, "a.example")))},
        Refused{"another_type_before", Hello(Sni("\x01\0\x01x"s + HostName("a.example")))},
        Refused{"another_type_after", Hello(Sni(HostName("a.example") + "\x01\0\x01x"s))},
        Refused{"empty_name", Hello(Named(""))},
        Refused{"name_with_nul", Hello(Named("a.example\0.b.example"s))},
        Refused{"name_that_ends_with_nul", Hello(Named("a.example\0"s))},
        Refused{"name_over_255_bytes", Hello(Named(std::string(256, 'x')))},
        Refused{"bytes_after_the_list",
                Hello(Extension(0, Vector(2, HostName("a.example")) + "x"))}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Lengths, RefusedHello,
    testing::Values(Refused{"record_shorter", LengthsOff(kRecordLength, -1) + Record("x")},
                    Refused{"record_longer", LengthsOff(kRecordLength, 1) + "x"},
                    Refused{"message_shorter", LengthsOff(kMessageLength, -1)},
                    Refused{"message_longer", LengthsOff(kMessageLength, 1) + Record("x")},
                    Refused{"session_longer", LengthsOff(kSessionLength, 1)},
                    Refused{"suites_shorter", LengthsOff(kSuitesLength, -2)},
                    Refused{"suites_longer", LengthsOff(kSuitesLength, 2)},
                    Refused{"compressions_shorter", LengthsOff(kCompressionsLength, -1)},
                    Refused{"compressions_longer", LengthsOff(kCompressionsLength, 1)},
                    Refused{"extensions_shorter", LengthsOff(kExtensionsLength, -1)},
                    Refused{"extensions_longer", LengthsOff(kExtensionsLength, 1)},
                    Refused{"sni_shorter", LengthsOff(kSniLength, -1)},
                    Refused{"sni_longer", LengthsOff(kSniLength, 1)},
                    Refused{"list_shorter", LengthsOff(kListLength, -1)},
                    Refused{"list_longer", LengthsOff(kListLength, 1)},
                    Refused{"name_shorter", LengthsOff(kNameLength, -1)},
                    Refused{"name_longer", LengthsOff(kNameLength, 1)},
                    Refused{"session_over_32_bytes",
                            Record(Message({.session = std::string(33, 's')}))},
                    Refused{"no_suites", Record(Message({.suites = ""}))},
                    Refused{"half_a_suite", Record(Message({.suites = "\x13\x01\x13"}))},
                    Refused{"no_compression", Record(Message({.compressions = ""}))},
                    Refused{"half_a_length_of_extensions", Record(Message({.rest = "\0"s}))},
                    Refused{"half_an_extension", Hello("\0\x10"s)},
                    Refused{"empty_message", Record("\x01\0\0\0"s)},
                    Refused{"message_of_16_mib", Record("\x01\xff\xff\xff")}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Records, RefusedHello,
    testing::Values(
        Refused{"empty_record_first", Record("") + Hello(Named("a.example"))},
        Refused{"empty_record_within",
                Record(With("").substr(0, 9)) + Record("") + Record(With("").substr(9))},
        Refused{"alert_first", Record("\x01\x5a", 0x0303, 21) + Hello(Named("a.example"))},
        Refused{"alert_within", Record(With("").substr(0, 9)) + Record("\x01\x5a", 0x0303, 21)},
        Refused{"change_cipher_spec_first", Record("\x01", 0x0303, 20) + Hello("")},
        Refused{"data_first", Record("x", 0x0303, 23)},
        Refused{"heartbeat_first", Record("x", 0x0303, 24)},
        Refused{"major_version_1", Record(With(Named("a.example")), 0x0101)},
        Refused{"major_version_2", Record(With(Named("a.example")), 0x0200)},
        Refused{"major_version_4", Record(With(Named("a.example")), 0x0400)},
        Refused{"alert_of_major_version_1", Record("\x01\x5a", 0x0101, 21) + Hello("")},
        Refused{"another_version_within",
                Record(With("").substr(0, 9)) + Record(With("").substr(9), 0x0400)},
        Refused{"server_hello", Record(Message({.rest = Vector(2, "")}, 2))},
        Refused{"hello_request", Record("\0\0\0\0"s)},
        Refused{"two_messages", Record(With(Named("a.example")) + With(Named("b.example")))},
        Refused{"sslv2", "\x80\x1f\x01\x03\x03\0\x06\0\0\0\x10"s + std::string(22, 'x')},
        Refused{"sslv2_with_a_long_length", "\xbf\xff\x01\x03\x01"}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace cay::network
