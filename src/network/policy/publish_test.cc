#include "network/policy/publish.h"

#include <gtest/gtest.h>

namespace cay::network {
namespace {

std::string Read(std::string_view text) {
  const auto rule = PublishRule::Parse(text);
  return rule ? rule->Text() : "-";
}

TEST(PublishRule, SaysWhereAndWhich) {
  EXPECT_EQ(Read("8080:80"), "127.0.0.1:8080:80");
  EXPECT_EQ(Read("0:80"), "127.0.0.1:0:80");
  EXPECT_EQ(Read("0.0.0.0:8080:80"), "0.0.0.0:8080:80");
  EXPECT_EQ(Read("[::1]:8080:80"), "[::1]:8080:80");
  EXPECT_EQ(Read("[::ffff:127.0.0.1]:8080:80"), "127.0.0.1:8080:80");
  EXPECT_EQ(Read(Read("[fd00::7]:65535:65535")), "[fd00::7]:65535:65535");
}

TEST(PublishRule, TwoMeetWhereBothWouldListen) {
  const auto meet = [](std::string_view a, std::string_view b) {
    return Meet(*PublishRule::Parse(a), *PublishRule::Parse(b));
  };
  EXPECT_TRUE(meet("8080:80", "127.0.0.1:8080:81"));
  EXPECT_TRUE(meet("0.0.0.0:8080:80", "8080:81"));
  EXPECT_TRUE(meet("[::1]:8080:80", "[::]:8080:81"));
  EXPECT_FALSE(meet("8080:80", "8081:80"));
  EXPECT_FALSE(meet("127.0.0.1:8080:80", "127.0.0.2:8080:80"));
  EXPECT_FALSE(meet("0.0.0.0:8080:80", "[::]:8080:80")) << "a family each";
  EXPECT_FALSE(meet("0:80", "0:80"));
}

TEST(PublishRule, RefusesWhatIsNone) {
  for (const char* text : {"",
                           ":",
                           "80",
                           "8080:",
                           ":80",
                           "8080:0",
                           "8080:65536",
                           "65536:80",
                           "80:80",
                           "1023:80",
                           "-1:80",
                           "+8080:80",
                           " 8080:80",
                           "8080:80 ",
                           "localhost:8080:80",
                           "::1:8080:80",
                           "[127.0.0.1]:8080:80",
                           "[::1:8080:80",
                           "[]:8080:80",
                           "127.1:8080:80",
                           "1:2:3:4",
                           "127.0.0.1:8080:80:90"}) {
    EXPECT_EQ(Read(text), "-") << text;
  }
  EXPECT_EQ(Read(std::string(100'000, '1') + ":80"), "-");
}

TEST(NetworkName, HasFewLettersAndALength) {
  EXPECT_TRUE(IsNetworkName("app"));
  EXPECT_TRUE(IsNetworkName("7.App_x-"));
  EXPECT_TRUE(IsNetworkName(std::string(64, 'a')));
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string(".a"), std::string("a b"), std::string("a/b"),
        std::string("é"), std::string("a\0b", 3), std::string(65, 'a')})
    EXPECT_FALSE(IsNetworkName(name)) << name;
}

}  // namespace
}  // namespace cay::network
