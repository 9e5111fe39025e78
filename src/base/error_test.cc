#include "base/error.h"

#include <gtest/gtest.h>

#include <set>

#include "base/result.h"

namespace cay {
namespace {

TEST(Error, EveryCodeHasANameOfItsOwnThatLeadsBack) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    names.insert(ErrorCodeName(code));
    EXPECT_EQ(ErrorCodeFromName(ErrorCodeName(code)), code);
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(ErrorCode::kInternal) + 1);
}

TEST(Error, OfTheKernelSaysWhatTheErrnoMeans) {
  const Error error = Error::FromErrno("opening /x", ENOSPC);
  EXPECT_EQ(error.code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(error.sys_errno(), ENOSPC);
  EXPECT_EQ(error.message(), "opening /x: No space left on device");
}

// 524 is ENOTSUPP, which only the kernel's insides have; a FUSE daemon may answer anything.
TEST(Error, OfTheKernelWithoutANameIsItsNumber) {
  for (const int number : {524, 512, 4095, 1'000'000, -1}) {
    const Error error = Error::FromErrno("reading /x", number);
    EXPECT_EQ(error.message(), "reading /x: unknown error " + std::to_string(number));
    EXPECT_EQ(error.sys_errno(), number);
    EXPECT_EQ(error.code(), ErrorCode::kIo);
  }
  EXPECT_EQ(ErrnoText(ENOENT), "No such file or directory");
}

TEST(Error, IsShownWithItsRemedyInOneLine) {
  const Error error = Error::Invalid("no").WithRemedy("do this").WithContext("create");
  EXPECT_EQ(error.ToString(), "create: no (do this)");
}

Result<int> Half(int value) {
  if (value % 2 != 0) return Failure(Error::Invalid("odd"));
  return value / 2;
}
Result<int> Quarter(int value) { return TRY(Half(TRY(Half(value)))); }

TEST(Try, YieldsTheValueOrReturnsTheError) {
  EXPECT_EQ(Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error().message(), "odd");
}

}  // namespace
}  // namespace cay
