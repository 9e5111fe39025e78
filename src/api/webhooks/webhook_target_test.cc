#include "api/webhooks/webhook_target.h"

#include <gtest/gtest.h>

namespace cay::api {
namespace {

TEST(WebhookTarget, TakesAUrlApart) {
  const auto target = WebhookTarget::Parse("https://example.com:8443/a/b?c=d");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->url.host, "example.com");
  EXPECT_EQ(target->url.port, 8443);
  EXPECT_EQ(target->target, "/a/b?c=d");
  EXPECT_EQ(WebhookTarget::Parse("http://example.com")->target, "/");
  EXPECT_EQ(WebhookTarget::Parse("http://example.com?x")->target, "/?x");
}

TEST(WebhookTarget, RefusesWhatIsNoWebsHttp) {
  for (const char* bad :
       {"", "example.com", "unix:/run/cay.sock", "ftp://example.com/", "file:///etc/passwd",
        "http://", "http:///x", "http://user:word@example.com/", "http://example.com/#f",
        "http://example.com/a b", "http://example.com:0/", "http://example.com:99999/",
        "http://example.com/\r\nX: y"}) {
    EXPECT_FALSE(WebhookTarget::Parse(bad)) << bad;
  }
  EXPECT_FALSE(WebhookTarget::Parse("http://example.com/" + std::string(2048, 'a')));
}

TEST(WebhookTarget, KnowsWhichAddressesAreTheInternets) {
  for (const char* address :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "128.0.0.1",
        "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
        "2001:4860::8888", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"}) {
    EXPECT_EQ(KindOfAddress(address), AddressKind::kPublic) << address;
  }
}

TEST(WebhookTarget, KnowsWhichAreNot) {
  for (const char* address : {"10.0.0.1",
                              "10.255.255.255",
                              "100.64.0.1",
                              "100.127.255.255",
                              "127.0.0.1",
                              "127.255.255.254",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.1",
                              "192.0.2.1",
                              "192.88.99.1",
                              "192.168.0.1",
                              "198.18.0.1",
                              "198.19.255.255",
                              "198.51.100.1",
                              "203.0.113.1",
                              "240.0.0.1",
                              "::1",
                              "fe80::1",
                              "fe80::1%eth0",
                              "fec0::1",
                              "fc00::1",
                              "fd00:ec2::254",
                              "::ffff:127.0.0.1",
                              "::ffff:169.254.169.254",
                              "64:ff9b::7f00:1",
                              "64:ff9b:1::1",
                              "::127.0.0.1",
                              "2001::1",
                              "2001:db8::1",
                              "2002:7f00:1::1",
                              "3fff::1",
                              "100::1",
                              "4000::1"}) {
    EXPECT_EQ(KindOfAddress(address), AddressKind::kPrivate) << address;
  }
}

TEST(WebhookTarget, KnowsWhichAreNobodys) {
  for (const char* address : {"0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255",
                              "255.255.255.255", "::", "ff02::1", "::ffff:0.0.0.0", "", "x"}) {
    EXPECT_EQ(KindOfAddress(address), AddressKind::kNever) << address;
  }
}

// The system's resolver takes these for addresses, too.
TEST(WebhookTarget, WritingAnAddressDifferentlyChangesNothing) {
  for (const char* url :
       {"http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/",
        "http://0177.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://localhost/"}) {
    const auto target = WebhookTarget::Parse(url);
    ASSERT_TRUE(target) << url;
    const auto refused = AllowedAddresses(target->url, false);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code(), ErrorCode::kPermissionDenied) << url;
    EXPECT_TRUE(AllowedAddresses(target->url, true)) << url;
  }
  const auto multicast = WebhookTarget::Parse("http://224.0.0.1/");
  EXPECT_FALSE(AllowedAddresses(multicast->url, true));
}

}  // namespace
}  // namespace cay::api
