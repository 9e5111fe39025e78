#include "network/transfer/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::network {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Proxy Good(std::string_view url) {
  auto proxy = Proxy::Parse(url);
  EXPECT_TRUE(proxy) << url << ": " << proxy.error().message();
  return proxy ? *proxy : Proxy();
}

Address At(std::string_view text) { return *Address::Parse(text); }

TEST(Proxy, IsReadWithAndWithoutAUser) {
  const Proxy plain = Good("http://Proxy.Example:3128/");
  EXPECT_EQ(plain.kind, Proxy::Kind::kHttp);
  EXPECT_EQ(plain.host, "proxy.example");
  EXPECT_EQ(plain.port, 3128);
  EXPECT_EQ(plain.user, "");
  const Proxy socks = Good("socks5://me:p%40ss%3A@[2001:db8::7]:1080");
  EXPECT_EQ(socks.kind, Proxy::Kind::kSocks5);
  EXPECT_EQ(socks.host, "2001:db8::7");
  EXPECT_EQ(socks.user, "me");
  EXPECT_EQ(socks.password, "p@ss:");
  EXPECT_EQ(Good("SOCKS5H://192.0.2.7:1080").kind, Proxy::Kind::kSocks5);
  EXPECT_EQ(Good("http://me:a@b@proxy.example:1").password, "a@b");
}

TEST(Proxy, IsNotReadOfWhatIsNone) {
  for (const std::string_view url : {"",
                                     "proxy.example:3128",
                                     "https://proxy.example:3128",
                                     "ftp://proxy.example:21",
                                     "http://proxy.example",
                                     "http://proxy.example:0",
                                     "http://proxy.example:65536",
                                     "http://proxy.example:3128/path",
                                     "http://:3128",
                                     "http://@proxy.example:3128",
                                     "http://:word@proxy.example:3128",
                                     "http://a%3ab:c@proxy.example:1",
                                     "http://a%0d%0aX:c@proxy.example:1",
                                     "http://a%zz:c@proxy.example:1",
                                     "http://a%4:c@proxy.example:1",
                                     "http://pro xy:3128",
                                     "http://[proxy.example]:3128",
                                     "http://2001:db8::7:3128",
                                     "http://0x7f.1:3128",
                                     "socks5://me@proxy.example:1080"}) {
    EXPECT_FALSE(Proxy::Parse(url)) << url;
  }
  EXPECT_FALSE(Proxy::Parse("http://" + std::string(256, 'u') + ":p@proxy.example:1"));
  EXPECT_FALSE(Proxy::Parse("http://u:" + std::string(256, 'p') + "@proxy.example:1"));
  EXPECT_FALSE(Proxy::Parse("http://" + std::string(2000, 'u')));
}

TEST(Proxy, ShowsItsPasswordNowhere) {
  const Proxy proxy = Good("http://me%20too:hunter2@proxy.example:3128");
  EXPECT_EQ(proxy.Text(), "http://proxy.example:3128");
  EXPECT_EQ(proxy.Masked(), "http://me%20too:***@proxy.example:3128");
  EXPECT_EQ(Good("socks5://[::1]:1080").Masked(), "socks5://[::1]:1080");
  for (const std::string_view wrong :
       {"http://me:hunter2@proxy.example", "http://me:hunter2@:1", "xttp://me:hunter2@a.example:1",
        "http://me:hunter2%@a.example:1", "socks5://hunter2@a.example:1"}) {
    const auto parsed = Proxy::Parse(wrong);
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().ToString(), Not(HasSubstr("hunter2")));
  }
}

// So that what was shown is not taken for the password by mistake.
TEST(Proxy, IsNotReadFromWhatIsShownOfIt) {
  EXPECT_FALSE(Proxy::Parse("http://me:***@proxy.example:3128"));
}

TEST(ProxyPlan, SaysWhatGoesThroughTheProxy) {
  const auto plan = ProxyPlan::Make("http://proxy.example:3128",
                                    {"*.corp.example", "db.example:5432", "10.0.0.0/8"});
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->Through("example.com", {}, 443));
  EXPECT_TRUE(plan->Through("corp.example", {}, 443));
  EXPECT_FALSE(plan->Through("git.corp.example", {}, 443));
  EXPECT_FALSE(plan->Through("db.example", {}, 5432));
  EXPECT_TRUE(plan->Through("db.example", {}, 443));
  EXPECT_FALSE(plan->Through({}, At("10.1.2.3"), 80));
  EXPECT_FALSE(plan->Through({}, At("::ffff:10.1.2.3"), 80));
  EXPECT_TRUE(plan->Through({}, At("192.0.2.1"), 80));
}

// What they lead to is for this machine to find out, and to check.
TEST(ProxyPlan, NamesOfNoPublicZoneGoThroughNoProxy) {
  const auto plan = ProxyPlan::Make("http://proxy.example:3128", {});
  ASSERT_TRUE(plan);
  for (const std::string_view name : {"localhost", "a.localhost", "intranet", "printer.local",
                                      "metadata.google.internal", "internal", "nas.home.arpa"}) {
    EXPECT_FALSE(plan->Through(name, {}, 80)) << name;
  }
  EXPECT_TRUE(plan->Through("notlocal.example", {}, 80));
  EXPECT_TRUE(plan->Through("xlocalhost.example", {}, 80));
}

TEST(ProxyPlan, KnowsTheProxyItself) {
  const auto plan = ProxyPlan::Make("http://proxy.example:3128", {});
  ASSERT_TRUE(plan);
  const std::vector<Address> its = {At("192.0.2.7")};
  EXPECT_TRUE(plan->Leads("proxy.example", {}, its));
  EXPECT_TRUE(plan->Leads({}, At("192.0.2.7"), its));
  EXPECT_TRUE(plan->Leads({}, At("::ffff:192.0.2.7"), its));
  EXPECT_FALSE(plan->Leads({}, At("192.0.2.8"), its));
  // The address that stands for a name inside says nothing.
  EXPECT_FALSE(plan->Leads("example.com", At("192.0.2.7"), its));
}

TEST(ProxyPlan, TakesNoRuleThatCannotBeReadAndNotTooMany) {
  EXPECT_FALSE(ProxyPlan::Make("http://proxy.example:3128", {"10.0.0.1/8"}));
  const std::vector<std::string> many(ProxyPlan::kMaxDirect + 1, "a.example");
  EXPECT_FALSE(ProxyPlan::Make("http://proxy.example:3128", many));
}

}  // namespace
}  // namespace cay::network
