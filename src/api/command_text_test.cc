#include "api/command_text.h"

#include <gtest/gtest.h>

namespace cay::api {
namespace {

Result<CommandText> Read(std::string_view json) {
  const JsonValue value = TRY(ParseJson(json));
  return CommandOf(value, "c");
}

TEST(CommandText, IsALineOrItsArguments) {
  EXPECT_EQ(Read(R"("ls -l")")->shell, "ls -l");
  EXPECT_EQ(Read(R"(["ls","-l"])")->argv, (std::vector<std::string>{"ls", "-l"}));
  EXPECT_EQ(Read(R"({"base64":"bHMg/w=="})")->shell, "ls \xFF");
  EXPECT_EQ(Read(R"(["ls",{"base64":"/w=="}])")->argv, (std::vector<std::string>{"ls", "\xFF"}));
  for (const char* bad : {R"("")", "[]", "[1]", "{}", R"({"base64":""})", R"([{"base64":"x"}])"}) {
    EXPECT_FALSE(Read(bad)) << bad;
  }
}

}  // namespace
}  // namespace cay::api
