#include "config/template_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::config {
namespace {

using network::Mode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ErrorOf(const std::vector<std::string>& lines) {
  const auto templates = ParseTemplates(lines);
  return templates ? "none" : templates.error().ToString();
}

TEST(ParseTemplates, ReadsEveryWordOfANetwork) {
  const auto templates = ParseTemplates(
      {"host.network.mode=open", "host.network.allow=10.1.2.0/24:80,443",
       "host.network.deny=*.example.com", "host.network.presets=pypi", "host.network.join=app",
       "host.network.limits.connections=7", "host.network.limits.connections_per_second=8",
       "host.network.limits.bytes_per_second=9k", "host.network.limits.bytes=10m",
       "host.network.limits.idle=5m"});
  ASSERT_TRUE(templates) << templates.error().ToString();
  const sandbox::NetworkSpec& spec = templates->at("host");
  EXPECT_EQ(spec.policy.mode, Mode::kOpen);
  EXPECT_THAT(spec.policy.allow, ElementsAre("10.1.2.0/24:80,443"));
  EXPECT_THAT(spec.policy.deny, ElementsAre("*.example.com"));
  EXPECT_THAT(spec.policy.presets, ElementsAre("pypi"));
  EXPECT_THAT(spec.join, ElementsAre("app"));
  EXPECT_EQ(spec.limits.connections, 7U);
  EXPECT_EQ(spec.limits.connections_per_second, 8U);
  EXPECT_EQ(spec.limits.bytes_per_second, 9U * 1024);
  EXPECT_EQ(spec.limits.bytes, 10 * kMiB);
  EXPECT_EQ(spec.limits.idle_seconds, 300U);
  EXPECT_EQ(spec.said_limits, 0b11111U);
}

TEST(ParseTemplates, KeepsThemApart) {
  const auto templates =
      ParseTemplates({"a.network.allow=example.com", "b.c.network.mode=none",
                      "a.network.allow=example.org", "x.network.y.network.join=app"});
  ASSERT_TRUE(templates) << templates.error().ToString();
  EXPECT_EQ(templates->at("a").policy.mode, Mode::kAllow) << "as in a create: it names something";
  EXPECT_THAT(templates->at("a").policy.allow, ElementsAre("example.com", "example.org"));
  EXPECT_EQ(templates->at("b.c").policy.mode, Mode::kNone);
  EXPECT_TRUE(templates->at("b.c").said) << "none is said as well";
  EXPECT_THAT(templates->at("x.network.y").join, ElementsAre("app"));
}

TEST(ParseTemplates, SaysWhatIsWrong) {
  EXPECT_THAT(ErrorOf({"host.network.alow=example.com"}),
              HasSubstr("has no setting \"network.alow\" (did you mean network.allow?)"));
  EXPECT_THAT(ErrorOf({"host.memory=1g"}), HasSubstr("write network.mode, network.allow"));
  EXPECT_THAT(ErrorOf({"host.network.publish=8080:80"}), HasSubstr("no setting"));
  EXPECT_THAT(ErrorOf({"host"}), HasSubstr("has no value"));
  EXPECT_THAT(ErrorOf({"host=allow"}), HasSubstr("no setting of a template"));
  EXPECT_THAT(ErrorOf({"Host.network.mode=allow"}), HasSubstr("not a template name"));
  EXPECT_THAT(ErrorOf({"host.network.mode=all"}), HasSubstr("write none, allow or open"));
  EXPECT_THAT(ErrorOf({"host.network.allow=*"}), HasSubstr("host.network.allow"));
  EXPECT_THAT(ErrorOf({"host.network.presets=pipy"}), HasSubstr("host.network.presets"));
  EXPECT_THAT(ErrorOf({"host.network.join=-"}), HasSubstr("no name of a network"));
  EXPECT_THAT(ErrorOf({"host.network.limits.idle=1500ms"}), HasSubstr("whole seconds"));
  EXPECT_THAT(ErrorOf({"host.network.limits.connections=many"}), HasSubstr("connections"));
  EXPECT_THAT(ErrorOf({"host.network.mode=allow", "host.network.mode=open"}),
              HasSubstr("host.network.mode is said twice"));
}

}  // namespace
}  // namespace cay::config
