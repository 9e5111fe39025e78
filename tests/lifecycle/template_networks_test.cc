// Networks that sandboxes have by their template.
#include "lifecycle_fixture.h"
#include "test_relays.h"

namespace cay::sandbox {
namespace {

using network::Mode;

class TemplateNetworksTest : public LifecycleTest {
 protected:
  TemplateNetworksTest() {
    relays_from_ = {.start = [this](RelayUse) { return relays_.Start(); }};
  }
  ~TemplateNetworksTest() override { Close(); }

  Relays relays_;
};

TEST_F(TemplateNetworksTest, ATemplateHasItsNetworkHoweverItIsSpelled) {
  const auto small = templates().Find("small");
  ASSERT_TRUE(small);
  const std::string root = engine::HostLayersOf(small->root).overlays.at(0).layers.at(0);
  ASSERT_TRUE(templates().Import("web:latest", root, {}));
  NetworkSpec network;
  network.policy.mode = Mode::kAllow;
  network.policy.allow = {"example.com:443"};
  options_.network.of_templates["web:latest"] = network;
  ASSERT_TRUE(Restart());
  for (const char* spelled : {"web:latest", "web", "docker.io/library/web"}) {
    const auto view = TryCreate({.template_name = spelled});
    ASSERT_TRUE(view) << spelled << ": " << view.error().ToString();
    EXPECT_EQ(view->spec.template_name, "web:latest");
    EXPECT_EQ(view->spec.network.policy.allow, network.policy.allow) << spelled;
  }
  ASSERT_TRUE(templates().Remove("web:latest"));
}

}  // namespace
}  // namespace cay::sandbox
