#include "cli/client/target.h"

#include <gtest/gtest.h>

namespace cay::cli {
namespace {

TEST(TargetTest, NothingOfAValueCanBecomePartOfTheRequest) {
  EXPECT_EQ(EncodeComponent("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(EncodeComponent("/a b?c&d=e#f%\r\n\xFF"), "%2Fa%20b%3Fc%26d%3De%23f%25%0D%0A%FF");
  EXPECT_EQ(SandboxPath("../keys", "/stop"), "/api/sandboxes/..%2Fkeys/stop");
  EXPECT_EQ(ProcessPath("id", "7?x", "/wait"), "/api/sandboxes/id/processes/7%3Fx/wait");
}

TEST(TargetTest, TheQueryBeginsOnce) {
  EXPECT_EQ(Target("/x").Add("a", "1").AddUnlessEmpty("b", "").Add("c", "&").text(),
            "/x?a=1&c=%26");
}

TEST(TargetTest, MayBeAddedToWhereItIs) {
  Target target("/x");
  target = std::move(target).Add("a", "1");
  target = std::move(target).AddUnlessEmpty("b", "");
  target = std::move(target).Add("c", "2");
  EXPECT_EQ(target.text(), "/x?a=1&c=2");
}

}  // namespace
}  // namespace cay::cli
