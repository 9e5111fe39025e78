#include "template/registry/registry_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/os/wakeup.h"
#include "http/server/test_certificate.h"
#include "template/registry/test_registry.h"

namespace cay::templates::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ManifestOf(RegistryClient& client, const oci::ImageReference& reference,
                       const CallOptions& call = {}) {
  const auto found = client.FetchDocument(reference, call);
  return found ? found->bytes : found.error().ToString();
}

http::Response Manifest(const std::string& bytes, std::string_view media_type = oci::kOciManifest) {
  return {.headers = {{"Content-Type", std::string(media_type)}}, .body = bytes};
}

TEST(RegistryClient, FetchesAnImage) {
  const TestImage image;
  TestRegistry registry;
  image.ServeAt(registry);
  const auto client = OpenClient();
  const auto fetched =
      client->FetchImage(ReferenceAt(registry.Name()), oci::Platform::Native(), {});
  ASSERT_TRUE(fetched) << fetched.error().ToString();
  EXPECT_EQ(fetched->found.bytes, image.manifest);
  EXPECT_EQ(fetched->found.digest, DescriptorOf(image.manifest).digest);
  EXPECT_EQ(fetched->config_bytes, image.config);
  EXPECT_EQ(fetched->manifest.layers.size(), 1U);
  const auto size =
      client->HeadBlob(ReferenceAt(registry.Name()), DescriptorOf(image.layer).digest, {});
  ASSERT_TRUE(size) << size.error().ToString();
  EXPECT_EQ(*size, image.layer.size());
  const auto none =
      client->HeadBlob(ReferenceAt(registry.Name()), DescriptorOf("other").digest, {});
  ASSERT_TRUE(none) << none.error().ToString();
  EXPECT_FALSE(none->has_value());
}

TEST(RegistryClient, GoesThroughAnIndex) {
  const TestImage image;
  TestRegistry registry;
  image.ServeAt(registry);
  const oci::Descriptor inner = DescriptorOf(image.manifest, oci::kOciManifest);
  std::string entry = TestImage::Json(inner);
  entry.insert(entry.size() - 1, R"(,"platform":{"os":"linux","architecture":")" +
                                     oci::Platform::Native().architecture + "\"}");
  const std::string index = R"({"schemaVersion":2,"mediaType":")" + std::string(oci::kOciIndex) +
                            R"(","manifests":[)" + entry + "]}";
  const std::string inner_path = "/v2/library/a/manifests/" + inner.digest.text();
  registry.Give(TestImage::kManifestPath, Manifest(index, oci::kOciIndex));
  registry.Give(inner_path, Manifest(image.manifest));
  const auto client = OpenClient();
  const auto fetch = [&] {
    return client->FetchImage(ReferenceAt(registry.Name()), oci::Platform::Native(), {});
  };
  ASSERT_TRUE(fetch()) << fetch().error().ToString();
  EXPECT_EQ(fetch()->found.digest, inner.digest);
  // The type that is said with it is another one than the index says.
  registry.Give(inner_path, Manifest(image.manifest, oci::kDockerManifest));
  EXPECT_THAT(fetch().error().message(), HasSubstr("Content-Type"));
  registry.Give(inner_path, Manifest(image.manifest + " "));
  EXPECT_EQ(fetch().error().code(), ErrorCode::kLimitTooHigh);
  registry.Give(inner_path, Manifest(image.manifest.substr(1)));
  EXPECT_EQ(fetch().error().code(), ErrorCode::kProtocol);
}

TEST(RegistryClient, AsksForAllKindsOfManifests) {
  TestRegistry registry;
  std::string accept;
  registry.On(TestImage::kManifestPath, [&](http::Exchange& exchange) {
    accept = std::string(exchange.request().headers.Find("Accept").value_or(""));
    static_cast<void>(exchange.Respond(Manifest(TestImage().manifest)));
  });
  EXPECT_EQ(ManifestOf(*OpenClient(), ReferenceAt(registry.Name())), TestImage().manifest);
  for (const std::string_view type : oci::kAcceptedManifests)
    EXPECT_THAT(accept, HasSubstr(std::string(type)));
}

TEST(RegistryClient, BelievesNoManifestWithAnotherDigest) {
  const TestImage image;
  TestRegistry registry;
  const std::string other = DescriptorOf("something else").digest.text();
  registry.Give("/v2/library/a/manifests/" + other, Manifest(image.manifest));
  const auto client = OpenClient();
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(registry.Name(), "/library/a@" + other)),
              HasSubstr("is wrong"));
  // By a tag the registry itself says which one it means.
  http::Response lying = Manifest(image.manifest);
  lying.headers.Set("Docker-Content-Digest", other);
  registry.Give(TestImage::kManifestPath, lying);
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(registry.Name())), HasSubstr("is wrong"));
  lying.headers.Set("Docker-Content-Digest", "sha256:abc");
  registry.Give(TestImage::kManifestPath, lying);
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(registry.Name())), HasSubstr("no digest"));
  lying.headers.Set("Docker-Content-Digest", DescriptorOf(image.manifest).digest.text());
  registry.Give(TestImage::kManifestPath, lying);
  EXPECT_EQ(ManifestOf(*client, ReferenceAt(registry.Name())), image.manifest);
}

TEST(RegistryClient, BelievesNoContentTypeThatLies) {
  TestRegistry registry;
  const auto client = OpenClient();
  for (const std::string_view type :
       {oci::kOciIndex, oci::kDockerManifest, std::string_view("text/html"),
        std::string_view("application/vnd.docker.distribution.manifest.v1+prettyjws")}) {
    registry.Give(TestImage::kManifestPath, Manifest(TestImage().manifest, type));
    EXPECT_FALSE(client->FetchDocument(ReferenceAt(registry.Name()), {})) << type;
  }
}

TEST(RegistryClient, TakesNoMoreThanItsBounds) {
  TestRegistry registry;
  const auto client = OpenClient();
  // Announced, and not.
  registry.Give(TestImage::kManifestPath, Manifest(std::string(oci::kMaxDocument + 1, ' ')));
  auto found = client->FetchDocument(ReferenceAt(registry.Name()), {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kLimitTooHigh);
  registry.On(TestImage::kManifestPath, [](http::Exchange& exchange) {
    if (!exchange.Begin(200, {{"Content-Type", std::string(oci::kOciManifest)}})) return;
    while (exchange.Write(std::string(kMiB, ' '))) {
    }
  });
  found = client->FetchDocument(ReferenceAt(registry.Name()), {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kLimitTooHigh);
  http::Response giant = Manifest(TestImage().manifest);
  for (int i = 0; i < 100; ++i) giant.headers.Add("X-Giant", std::string(1000, 'x'));
  registry.Give(TestImage::kManifestPath, giant);
  found = client->FetchDocument(ReferenceAt(registry.Name()), {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kProtocol);
  EXPECT_THAT(found.error().message(), HasSubstr("head is too long"));
}

TEST(RegistryClient, RefusesImagesOverTheSettingsBounds) {
  TestRegistry registry;
  TestImage().ServeAt(registry);
  RegistrySettings settings = TestSettings();
  settings.max_image_bytes = 1000;
  const auto fetched =
      OpenClient(settings)->FetchImage(ReferenceAt(registry.Name()), oci::Platform::Native(), {});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code(), ErrorCode::kLimitTooHigh);
  const oci::Manifest two{.media_type = std::string(oci::kOciManifest),
                          .config = DescriptorOf("y"),
                          .layers = {DescriptorOf("x"), DescriptorOf("z")}};
  settings = TestSettings();
  settings.max_layers = 1;
  EXPECT_EQ(OpenClient(settings)->CheckSizes(two).error().code(), ErrorCode::kLimitTooHigh);
}

TEST(RegistryClient, WaitsWhenItIsTold) {
  TestRegistry registry;
  TestImage().ServeAt(registry);
  int left = 2;
  int status = 429;
  std::string retry_after = "0";
  registry.Guard([&](http::Exchange& exchange) {
    if (exchange.request().path == "/v2/" || left-- <= 0) return true;
    http::Response later{.status = status};
    if (!retry_after.empty()) later.headers.Set("Retry-After", retry_after);
    static_cast<void>(exchange.Respond(later));
    return false;
  });
  const auto client = OpenClient();
  EXPECT_EQ(ManifestOf(*client, ReferenceAt(registry.Name())), TestImage().manifest);
  left = 2;
  status = 503;
  retry_after.clear();
  EXPECT_EQ(ManifestOf(*client, ReferenceAt(registry.Name())), TestImage().manifest);
  left = 1'000'000;
  const size_t before = registry.Count(TestImage::kManifestPath);
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(registry.Name())), HasSubstr("asked 3 times"));
  EXPECT_EQ(registry.Count(TestImage::kManifestPath) - before, 3U);
  retry_after = "86400";
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(registry.Name())), HasSubstr("again in 1d"));
}

TEST(RegistryClient, FollowsFewRedirectsAndNoneToWeakerPlaces) {
  const http::Certificate certificate("localhost");
  TestRegistry plain;
  TestRegistry secure(certificate.options());
  RegistrySettings settings = TestSettings();
  settings.ca_file = certificate.file();
  const auto client = OpenClient(settings);
  const auto redirect = [&](TestRegistry& from, const std::string& to) {
    from.Give(TestImage::kManifestPath, {.status = 302, .headers = {{"Location", to}}});
  };
  secure.Give("/m", Manifest(TestImage().manifest));
  plain.Give("/m", Manifest(TestImage().manifest));
  redirect(plain, "/m");
  EXPECT_EQ(ManifestOf(*client, ReferenceAt(plain.Name())), TestImage().manifest);
  redirect(plain, "https://" + secure.Name() + "/m");
  EXPECT_EQ(ManifestOf(*client, ReferenceAt(plain.Name())), TestImage().manifest);
  redirect(secure, "http://" + plain.Name() + "/m");
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(secure.Name())), HasSubstr("from https to http"));
  redirect(plain, "http://plain.test:" + plain.port_text() + "/m");
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(plain.Name())), HasSubstr("without TLS"));
  redirect(plain, "http://169.254.169.254/latest/meta-data");
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(plain.Name())), HasSubstr("without TLS"));
  redirect(plain, "https://169.254.169.254/latest/meta-data");
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(plain.Name())), HasSubstr("metadata"));
  for (const char* nowhere : {"", "file:///etc/passwd", "//user:pass@x/"}) {
    redirect(plain, nowhere);
    EXPECT_THAT(ManifestOf(*client, ReferenceAt(plain.Name())), HasSubstr("redirects")) << nowhere;
  }
  redirect(plain, TestImage::kManifestPath);
  const size_t before = plain.Count(TestImage::kManifestPath);
  EXPECT_THAT(ManifestOf(*client, ReferenceAt(plain.Name())), HasSubstr("more than 5 times"));
  EXPECT_EQ(plain.Count(TestImage::kManifestPath) - before, Requester::kMaxRedirects + 1);
}

TEST(RegistryClient, SpeaksTlsWhereTheServerDoes) {
  const http::Certificate certificate("localhost");
  TestRegistry registry(certificate.options());
  TestImage().ServeAt(registry);
  RegistrySettings settings = TestSettings();
  // It is not trusted, and nothing is asked without TLS instead.
  EXPECT_THAT(ManifestOf(*OpenClient(settings), ReferenceAt(registry.Name())),
              HasSubstr("certificate is not accepted"));
  settings.ca_file = certificate.file();
  EXPECT_EQ(ManifestOf(*OpenClient(settings), ReferenceAt(registry.Name("localhost"))),
            TestImage().manifest);
  EXPECT_THAT(
      ManifestOf(*OpenClient(settings), ReferenceAt("registry.test:" + registry.port_text())),
      HasSubstr("certificate is not accepted"));
  settings.ca_file = "/nowhere.pem";
  EXPECT_FALSE(RegistryClient::Open(settings));
}

TEST(RegistryClient, AsksNobodyWithoutTlsWhoIsNotNamed) {
  TestRegistry registry;
  TestImage().ServeAt(registry);
  RegistrySettings settings = TestSettings();
  settings.connect_timeout = Millis(300);  // it waits for the rest of what is no request
  const auto reference = ReferenceAt("registry.test:" + registry.port_text());
  EXPECT_FALSE(OpenClient(settings)->FetchDocument(reference, {}));
  EXPECT_EQ(registry.seen().size(), 0U);
  settings.insecure = {"registry.test"};
  EXPECT_EQ(ManifestOf(*OpenClient(settings), reference), TestImage().manifest);
  EXPECT_EQ(registry.seen().back().host, "registry.test:" + registry.port_text());
  settings.private_registries.clear();
  EXPECT_THAT(ManifestOf(*OpenClient(settings), reference), HasSubstr("private_registries"));
}

TEST(RegistryClient, PassesMirrorsByThatAreNotGood) {
  const TestImage image;
  TestRegistry registry;
  TestRegistry wrong;
  TestRegistry empty;
  image.ServeAt(registry);
  const std::string digest = DescriptorOf(image.manifest).digest.text();
  registry.Give("/v2/library/a/manifests/" + digest, Manifest(image.manifest));
  wrong.Give("/v2/library/a/manifests/" + digest, Manifest("{}"));
  RegistrySettings settings = TestSettings();
  settings.mirrors = {{registry.Name(), {"127.0.0.1:1", wrong.Name(), empty.Name()}}};
  std::vector<std::string> notes;
  const CallOptions call{.on_note = [&](const std::string& note) { notes.push_back(note); }};
  EXPECT_EQ(
      ManifestOf(*OpenClient(settings), ReferenceAt(registry.Name(), "/library/a@" + digest), call),
      image.manifest);
  EXPECT_THAT(notes, ElementsAre(HasSubstr("127.0.0.1:1"), HasSubstr("is wrong"),
                                 HasSubstr("does not have")));
}

TEST(RegistryClient, ShowsOfARefusalOnlyWhatTheSpecificationNames) {
  TestRegistry registry;
  registry.Give(TestImage::kManifestPath,
                {.status = 404,
                 .body = R"({"errors":[{"code":"hunter2","message":"hunter2"},)"
                         R"({"code":"MANIFEST_UNKNOWN"}]})"});
  const std::string text = ManifestOf(*OpenClient(), ReferenceAt(registry.Name()));
  EXPECT_THAT(text, HasSubstr("404 MANIFEST_UNKNOWN"));
  EXPECT_THAT(text, testing::Not(HasSubstr("hunter2")));
}

TEST(RegistryClient, IsStoppedWhileItWaitsToAskAgain) {
  TestRegistry registry;
  const Wakeup stop = *Wakeup::Make();
  registry.On(TestImage::kManifestPath, [&](http::Exchange& exchange) {
    static_cast<void>(exchange.Respond({.status = 429, .headers = {{"Retry-After", "50"}}}));
    stop.Raise();
  });
  const auto found =
      OpenClient()->FetchDocument(ReferenceAt(registry.Name()), {.stop_fd = stop.fd()});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().sys_errno(), ECANCELED);
}

}  // namespace
}  // namespace cay::templates::registry
