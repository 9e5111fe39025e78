#include "protocol/messages.h"

#include <gtest/gtest.h>

#include "protocol/file_messages.h"
#include "protocol/frame.h"
#include "protocol/process_messages.h"

namespace cay::protocol {
namespace {

StartRequest Sample() {
  StartRequest request;
  request.argv = {"sh", "-c", std::string("a\0b", 3)};
  request.env = {"PATH=/bin", "X="};
  request.cwd = "/tmp";
  request.user = "1000:1000";
  request.stdin_open = true;
  request.terminal = TerminalSize{.rows = 50, .columns = 132};
  request.rlimits = {{.kind = RlimitKind::kOpenFiles, .value = 64}};
  request.ring_bytes = 65536;
  request.overflow = Overflow::kDrop;
  return request;
}

TEST(Messages, ComeBackAsTheyWereSent) {
  const auto back = Decode<StartRequest>(Encode(Sample()));
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(back->argv, Sample().argv);
  EXPECT_EQ(back->env, Sample().env);
  EXPECT_EQ(back->user, "1000:1000");
  EXPECT_TRUE(back->stdin_open);
  EXPECT_EQ(back->terminal, Sample().terminal);
  EXPECT_EQ(back->rlimits, Sample().rlimits);
  EXPECT_EQ(back->ring_bytes, 65536U);
  EXPECT_EQ(back->overflow, Overflow::kDrop);
}

TEST(Messages, AnEmptyOptionalStaysEmpty) {
  StartRequest request;
  EXPECT_FALSE(Decode<StartRequest>(Encode(request))->terminal.has_value());
}

TEST(Messages, CutAtAnyByteAreRefused) {
  const std::string whole = Encode(Sample());
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto cut = Decode<StartRequest>(std::string_view(whole).substr(0, length));
    ASSERT_FALSE(cut) << length;
    EXPECT_EQ(cut.error().code(), ErrorCode::kProtocol);
  }
  EXPECT_FALSE(Decode<StartRequest>(whole + '\0'));
}

TEST(Messages, WithAnyByteChangedAreRefusedOrWithinTheirLimits) {
  const std::string whole = Encode(Sample());
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {0x01, 0x20, 0x80, 0xff}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto decoded = Decode<StartRequest>(changed);
      if (!decoded) continue;
      EXPECT_TRUE(CheckLimits(*decoded)) << at;
    }
  }
}

TEST(Messages, WithAFieldUnknownRepeatedOrOutOfOrderAreRefused) {
  EXPECT_FALSE(Decode<Gap>(CborWriter().Map(1).Unsigned(9).Unsigned(1).text()));
  EXPECT_FALSE(
      Decode<Gap>(CborWriter().Map(2).Unsigned(1).Unsigned(1).Unsigned(1).Unsigned(1).text()));
  EXPECT_FALSE(
      Decode<Gap>(CborWriter().Map(2).Unsigned(2).Unsigned(1).Unsigned(1).Unsigned(1).text()));
  EXPECT_TRUE(
      Decode<Gap>(CborWriter().Map(2).Unsigned(1).Unsigned(1).Unsigned(2).Unsigned(1).text()));
}

struct Later {
  uint64_t first = 0;
  bool second = false;  // since version 2
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.first);
    codec.FieldSince(2, 2, self.second);
  }
};

struct Earlier {
  uint64_t first = 0;
  static void Fields(auto& self, auto& codec) { codec.Field(1, self.first); }
};

TEST(Messages, ALaterFieldIsNotSentToAGuestThatDoesNotKnowIt) {
  const Later plain{.first = 5};
  EXPECT_TRUE(CheckLimits(plain, 1));
  EXPECT_EQ(Decode<Earlier>(Encode(plain, 1))->first, 5U);
  EXPECT_FALSE(Decode<Earlier>(Encode(plain, 2)));
  const Later asks{.first = 5, .second = true};
  EXPECT_EQ(CheckLimits(asks, 1).error().code(), ErrorCode::kNotSupported);
  EXPECT_TRUE(CheckLimits(asks, 2));
  EXPECT_TRUE(Decode<Later>(Encode(asks, 2))->second);
  EXPECT_FALSE(Decode<Later>(Encode(asks, 1))->second);
}

struct Inner {
  uint64_t a = 1;
  SkippedFields rest;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.a);
    codec.Rest(self.rest);
  }
};

struct Outer {
  Inner inner;
  bool b = true;
  SkippedFields rest;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.inner);
    codec.Field(2, self.b);
    codec.Rest(self.rest);
  }
};

TEST(Messages, OfANewerProgramKeepWhatWasSkipped) {
  CborWriter newer;
  newer.Map(4).Unsigned(1).Map(2).Unsigned(1).Unsigned(7).Unsigned(5).Bytes("inside");
  newer.Unsigned(2).Bool(false).Unsigned(3).Array(2).Unsigned(1).Unsigned(2);
  newer.Unsigned(9).Map(1).Unsigned(1).Text("x");
  EXPECT_FALSE(Decode<Outer>(newer.text()));
  const auto read = Decode<Outer>(newer.text(), Unknown::kSkipped);
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->inner.a, 7U);
  EXPECT_EQ(read->rest.count, 2U);
  EXPECT_EQ(Encode(*read), newer.text());
  // Skipping does not make malformed what is malformed.
  const std::string repeated =
      CborWriter().Map(2).Unsigned(2).Bool(true).Unsigned(2).Bool(true).text();
  EXPECT_FALSE(Decode<Outer>(repeated, Unknown::kSkipped));
  for (size_t length = 0; length < newer.text().size(); ++length) {
    const auto cut = std::string_view(newer.text()).substr(0, length);
    EXPECT_FALSE(Decode<Outer>(cut, Unknown::kSkipped)) << length;
  }
}

TEST(Messages, OverTheirLimitsAreRefusedOnBothSides) {
  StartRequest request;
  request.cwd = std::string(kMaxPathBytes + 1, 'x');
  EXPECT_EQ(CheckLimits(request).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Decode<StartRequest>(Encode(request)).error().code(), ErrorCode::kProtocol);
  SignalRequest signal{.process = 1, .signal = kMaxSignal + 1};
  EXPECT_FALSE(CheckLimits(signal));
  EXPECT_FALSE(Decode<SignalRequest>(Encode(signal)));
  Exited exited;
  exited.leftovers.resize(kMaxLeftovers + 1);
  EXPECT_FALSE(CheckLimits(exited));
  EXPECT_FALSE(Decode<Exited>(Encode(exited)));
}

TEST(Messages, AListingOfTheMostProcessesFitsItsFrame) {
  ProcessInfo info;
  info.process = info.first_seq = info.end_seq = UINT64_MAX;
  info.pid = INT32_MAX;
  info.started_unix_ms = INT64_MAX;
  info.argv.assign(kMaxListedArguments, std::string(kMaxListedArgumentBytes, 'x'));
  info.exited.emplace();
  info.exited->leftovers.assign(kMaxLeftovers, INT32_MAX);
  ProcessList list;
  list.processes.assign(kMaxListed, info);
  EXPECT_LE(Encode(list).size(), kMaxListingBytes);
  EXPECT_TRUE(Decode<ProcessList>(Encode(list)));
}

TEST(Messages, NegativeNumbersKeepTheirSign) {
  Exited exited;
  exited.exit_code = -1;
  EXPECT_EQ(Decode<Exited>(Encode(exited))->exit_code, -1);
  FileInfo info;
  info.modified_unix_ns = -5;
  EXPECT_EQ(Decode<FileInfo>(Encode(info))->modified_unix_ns, -5);
}

TEST(ErrorMessage, CarriesAnErrorAcrossAndCannotDrawOnATerminal) {
  const Error error = Error::FromErrno("opening /x", ENOSPC);
  const Error back = FromMessage(*Decode<ErrorMessage>(Encode(ToMessage(error))));
  EXPECT_EQ(back.code(), error.code());
  EXPECT_EQ(back.message(), error.message());
  EXPECT_EQ(back.sys_errno(), ENOSPC);

  ErrorMessage hostile;
  hostile.code = "no such code";
  hostile.message = "\x1b[2J\nfoo\xff";
  EXPECT_EQ(FromMessage(hostile).code(), ErrorCode::kInternal);
  EXPECT_EQ(FromMessage(hostile).message(), " [2J foo\uFFFD");
}

}  // namespace
}  // namespace cay::protocol
