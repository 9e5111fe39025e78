#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "template/dockerfile/dockerfile.h"

namespace cay::templates::dockerfile {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string WhyNot(std::string_view text) {
  const auto file = ParseDockerfile(text);
  return file ? "it is good" : file.error().message();
}

ErrorCode CodeOf(std::string_view text) {
  const auto file = ParseDockerfile(text);
  return file ? ErrorCode::kInternal : file.error().code();
}

std::string Times(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(DockerfileError, NamesLineAndInstruction) {
  EXPECT_THAT(WhyNot("FROM a\n\nRUN a \\\n b\nrun --mont=x y"), StartsWith("line 5: RUN: "));
  EXPECT_THAT(WhyNot("FROM a\nCOPY \\\n a"), StartsWith("line 2: COPY: "));
}

TEST(DockerfileError, SaysWhatWasExpected) {
  const std::pair<std::string_view, std::string_view> all[] = {
      {"", "no stage: a FROM was expected"},
      {"# c\n", "no stage"},
      {"ARG a", "no stage"},
      {"RUN a\nFROM b", "line 1: RUN: only ARG may stand before the first FROM"},
      {"# escape=x\nFROM a", "line 1: the escape character is"},
      {"# escape=`\n# escape=`\nFROM a", "line 2: the directive \"escape\" is there twice"},
      {"# syntax=a\n# syntax=a\nFROM a", "twice"},
      {"# check=a\n# check=a\nFROM a", "twice"},
      {"FORM a", "there is no instruction \"FORM\", did you mean \"FROM\"?"},
      {"FROM a\ncpoy a b", "there is no instruction \"cpoy\", did you mean \"COPY\"?"},
      {"FROM a\nZZZZZZ a", "line 2: there is no instruction \"ZZZZZZ\""},
      {"FROM a\n\\\n\n", "there is no instruction \"\""},
      {"FROM", "\"FROM IMAGE\" or \"FROM IMAGE AS NAME\" was expected"},
      {"FROM a b", "was expected"},
      {"FROM a AS", "was expected"},
      {"FROM a IS b", "was expected"},
      {"FROM a AS 1b", "\"1b\" is no name of a stage"},
      {"FROM a AS b/c", "no name of a stage"},
      {"FROM --platfrm=x a", "there is no flag --platfrm, did you mean \"--platform\"?"},
      {"FROM --platform a", "the flag --platform needs a value"},
      {"FROM --platform=a --platform=b a", "the flag --platform is given twice"},
      {"FROM a\nRUN", "RUN: the command is missing"},
      {"FROM a\nRUN []", "the command is missing"},
      {"FROM a\nCMD", "the command is missing"},
      {"FROM a\nENTRYPOINT", "the command is missing"},
      {"FROM a\nRUN [\"a\", 1]", "takes texts only, and this array has a number"},
      {"FROM a\nRUN [\"a\\u0000\"]", "a text has a NUL byte"},
      {"FROM a\nCMD --x", "there is no flag --x"},
      {"FROM a\nRUN --network=x y", "--network is one of default, none, host, not \"x\""},
      {"FROM a\nRUN --security=x y", "--security is one of sandbox, insecure"},
      {"FROM a\nRUN --network=none --network=none y", "twice"},
      {"FROM a\nRUN --mount=x y", "--mount: \"x\" has to be KEY=VALUE"},
      {"FROM a\nRUN --mount=type=bid,target=/x y", "did you mean \"bind\"?"},
      {"FROM a\nRUN --mount=typ=bind y", "there is no key \"typ\", did you mean \"type\"?"},
      {"FROM a\nRUN --mount=type=bind y", "bind needs a target"},
      {"FROM a\nRUN --mount=target=/a/.. y", "nothing can be mounted over \"/\""},
      {"FROM a\nRUN --mount=target=/a,mode=7 y", "mode is for caches, secrets and ssh only"},
      {"FROM a\nRUN --mount=type=tmpfs,target=/a,uid=7 y", "uid is for caches"},
      {"FROM a\nRUN --mount=type=cache,target=/a,mode=9 y", "an octal number, not \"9\""},
      {"FROM a\nRUN --mount=type=cache,target=/a,uid=-1 y", "a decimal number"},
      {"FROM a\nRUN --mount=type=cache,target=/a,sharing=x y", "shared, private, locked"},
      {"FROM a\nRUN --mount=target=/a,sharing=shared y", "sharing is for caches only"},
      {"FROM a\nRUN --mount=target=/a,required y", "required is for secrets and ssh"},
      {"FROM a\nRUN --mount=target=/a,size=1m y", "size is for tmpfs only"},
      {"FROM a\nRUN --mount=type=tmpfs,target=/a,size=x y", "size"},
      {"FROM a\nRUN --mount=target=/a,env=X y", "env is for secrets"},
      {"FROM a\nRUN --mount=target=/a,ro=maybe y", "ro: \"maybe\" is neither"},
      {"FROM a\nRUN --mount=type=secret y", "a secret needs an id"},
      {"FROM a\nRUN --mount=type=secret,id=a,src=b y", "not both"},
      {"FROM a\nRUN --mount=type=secret,id=a,from=b y", "from is for bind and caches only"},
      {"FROM a\nRUN --mount=from=$X,target=/a y", "variables are not replaced in from="},
      {"FROM a\nRUN <<EOF\nx", "the heredoc \"EOF\" does not end: no line after line 2 is"},
      {"FROM a\nRUN 70000<<EOF\nx\nEOF", "over the maximum of 65535"},
      {"FROM a\nCOPY a", "at least one source and the destination were expected"},
      {"FROM a\nCOPY []", "at least one source"},
      {"FROM a\nADD", "at least one source"},
      {"FROM a\nCOPY a <<EOF\nEOF", "the destination cannot be a heredoc"},
      {"FROM a\nCOPY --from=$x a b", "variables are not replaced in --from"},
      {"FROM a\nCOPY --checksum=x a b", "there is no flag --checksum"},
      {"FROM a\nCOPY --chwn=x a b", "did you mean \"--chown\"?"},
      {"FROM a\nCOPY --link=x a b", "the flag --link is \"true\" or \"false\", not \"x\""},
      {"FROM a\nCOPY --link= a b", "the flag --link is"},
      {"FROM a\nADD --from=x a b", "there is no flag --from"},
      {"FROM a\nENV", "NAME=VALUE is missing"},
      {"FROM a\nENV a", "NAME=VALUE was expected, not \"a\""},
      {"FROM a\nENV a=b c", "NAME=VALUE was expected, not \"c\""},
      {"FROM a\nENV =b", "NAME=VALUE was expected, not \"=b\""},
      {"FROM a\nLABEL", "NAME=VALUE is missing"},
      {"FROM a\nARG", "NAME or NAME=DEFAULT is missing"},
      {"FROM a\nARG =x", "NAME or NAME=DEFAULT was expected"},
      {"FROM a\nARG --x y", "there is no flag --x"},
      {"FROM a\nWORKDIR", "the path is missing"},
      {"FROM a\nUSER ", "the user is missing"},
      {"FROM a\nEXPOSE", "the port is missing"},
      {"FROM a\nVOLUME", "the path is missing"},
      {"FROM a\nVOLUME [\"\"]", "a path is empty"},
      {"FROM a\nSHELL /bin/sh", "a JSON array of texts was expected"},
      {"FROM a\nSHELL []", "a JSON array of texts was expected"},
      {"FROM a\nSTOPSIGNAL", "the signal is missing"},
      {"FROM a\nHEALTHCHECK", "\"NONE\" or \"[OPTIONS] CMD COMMAND\" was expected"},
      {"FROM a\nHEALTHCHECK x", "was expected"},
      {"FROM a\nHEALTHCHECK NONE x", "nothing may follow NONE"},
      {"FROM a\nHEALTHCHECK CMD", "the command is missing"},
      {"FROM a\nHEALTHCHECK CMD []", "the command is missing"},
      {"FROM a\nHEALTHCHECK --interval=5 CMD x", "--interval: \"5\" is no duration"},
      {"FROM a\nHEALTHCHECK --interval=-5s CMD x", "--interval is not below 1ms"},
      {"FROM a\nHEALTHCHECK --timeout=1us CMD x", "--timeout is not below 1ms"},
      {"FROM a\nHEALTHCHECK --timeout=9999999999h CMD x", "is no duration"},
      {"FROM a\nHEALTHCHECK --retries=-1 CMD x", "--retries is a number from 0 on"},
      {"FROM a\nHEALTHCHECK --retris=1 CMD x", "did you mean \"--retries\"?"},
      {"FROM a\nONBUILD", "the instruction is missing"},
      {"FROM a\nONBUILD ONBUILD RUN x", "ONBUILD cannot be done by ONBUILD"},
      {"FROM a\nONBUILD from x", "FROM cannot be done by ONBUILD"},
      {"FROM a\nONBUILD MAINTAINER x", "MAINTAINER cannot be done by ONBUILD"},
      {"FROM a\nONBUILD RNU x", "did you mean \"RUN\"?"},
      {"FROM a\nONBUILD COPY x", "at least one source"},
      {"FROM a\nMAINTAINER", "the name is missing"},
      {"FROM a\nRUN \xFF", "a byte that is no part of UTF-8"},
      {"FROM a\nRUN <<E\n\xFF\nE", "a byte that is no part of UTF-8"},
  };
  for (const auto& [text, why] : all) EXPECT_THAT(WhyNot(text), HasSubstr(why)) << text;
  EXPECT_THAT(WhyNot({"FROM a\nRUN \0", 12}), HasSubstr("a NUL byte"));
  EXPECT_EQ(WhyNot("FROM a\n# \xFF\nRUN a"), "it is good") << "comments are anybody's";
}

TEST(DockerfileError, IsThereForEachBound) {
  const std::string padding(kMaxDockerfile - 7, '\n');
  EXPECT_EQ(WhyNot("FROM a\n" + padding), "it is good");
  EXPECT_EQ(CodeOf("FROM a\n\n" + padding), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(WhyNot("FROM a\n" + Times("USER a\n", kMaxInstructions - 1)), "it is good");
  EXPECT_THAT(WhyNot("FROM a\n" + Times("USER a\n", kMaxInstructions)),
              HasSubstr("more than the maximum of 10000 instructions"));
  EXPECT_EQ(WhyNot(Times("FROM a\n", kMaxStages)), "it is good");
  EXPECT_THAT(WhyNot(Times("FROM a\n", kMaxStages + 1)), HasSubstr("1000 stages"));
  EXPECT_EQ(WhyNot("FROM a\nCOPY" + Times(" x", kMaxWords)), "it is good");
  EXPECT_THAT(WhyNot("FROM a\nCOPY" + Times(" x", kMaxWords + 1)), HasSubstr("4096 words"));
  EXPECT_THAT(WhyNot("FROM a\nENV" + Times(" x=y", kMaxWords + 1)), HasSubstr("4096 words"));
  EXPECT_THAT(WhyNot("FROM a\nSHELL [\"a\"" + Times(",\"x\"", kMaxWords) + "]"),
              HasSubstr("4096 words"));
  EXPECT_EQ(WhyNot("FROM a\nCOPY" + Times(" --exclude=x", kMaxFlags) + " a b"), "it is good");
  EXPECT_THAT(WhyNot("FROM a\nCOPY" + Times(" --exclude=x", kMaxFlags + 1) + " a b"),
              HasSubstr("256 flags"));
  EXPECT_THAT(WhyNot("FROM a\nRUN" + Times(" <<E", kMaxHeredocs + 1) + "\n" +
                     Times("E\n", kMaxHeredocs + 1)),
              HasSubstr("64 heredocs"));
}

TEST(DockerfileError, IsNoneOfWarnings) {
  const auto file = ParseDockerfile("FROM a\n" + Times("MAINTAINER a\n", kMaxWarnings + 5));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->warnings.size(), kMaxWarnings + 1);
}

}  // namespace
}  // namespace cay::templates::dockerfile
