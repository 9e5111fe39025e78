#include "template/oci/platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "template/oci/manifest.h"

namespace cay::templates::oci {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Platform Of(std::string_view text) { return Platform::Parse(text).value(); }

Descriptor Entry(std::string_view content, std::string_view platform,
                 std::string_view media_type = kOciManifest) {
  Descriptor entry{.media_type = std::string(media_type), .digest = Digest::Of(content).value()};
  if (!platform.empty()) entry.platform = Of(platform);
  return entry;
}

Descriptor Attestation(std::string_view content) {
  Descriptor entry = Entry(content, "unknown/unknown");
  entry.annotations = {{"vnd.docker.reference.digest", Digest::Of("amd64")->text()},
                       {"vnd.docker.reference.type", "attestation-manifest"}};
  return entry;
}

Index Of(std::vector<Descriptor> manifests) {
  return {.media_type = std::string(kOciIndex), .manifests = std::move(manifests)};
}

// The platform that is chosen, or what is said instead.
std::string Chosen(const Index& index, std::string_view wanted) {
  const auto chosen = ChooseManifest(index, Of(wanted));
  if (!chosen) return chosen.error().message();
  return (*chosen)->platform ? (*chosen)->platform->Text() : "without a platform";
}

TEST(Platform, IsNormalisedAsContainerdDoes) {
  const std::pair<std::string_view, std::string_view> all[] = {
      {"linux/x86_64", "linux/amd64"},      {"linux/x86-64", "linux/amd64"},
      {"Linux/AMD64", "linux/amd64"},       {"linux/amd64/v1", "linux/amd64"},
      {"linux/amd64/v3", "linux/amd64/v3"}, {"linux/aarch64", "linux/arm64"},
      {"linux/arm64/v8", "linux/arm64"},    {"linux/arm64/8", "linux/arm64"},
      {"linux/arm64/v9", "linux/arm64/v9"}, {"linux/arm", "linux/arm/v7"},
      {"linux/arm/7", "linux/arm/v7"},      {"linux/arm/6", "linux/arm/v6"},
      {"linux/armhf", "linux/arm/v7"},      {"linux/armel", "linux/arm/v6"},
      {"linux/i386", "linux/386"},          {"macos/arm64", "darwin/arm64"},
      {"linux/riscv64", "linux/riscv64"},
  };
  for (const auto& [text, normal] : all) {
    EXPECT_EQ(Of(text).Text(), normal);
    EXPECT_EQ(Of(Of(text).Text()), Of(text)) << text;
  }
}

TEST(Platform, ThatIsNoneIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("linux"), std::string("linux/"), std::string("/amd64"),
        std::string("linux/arm/v7/x"), std::string("linux/a b"), std::string("linux/*"),
        std::string("linux/") + std::string(65, 'a'), std::string(1000, '/')}) {
    EXPECT_FALSE(Platform::Parse(text)) << text;
  }
}

TEST(Platform, OfThisProgramIsOneOfLinux) {
  EXPECT_EQ(Platform::Native().os, "linux");
  EXPECT_EQ(Platform::Native().Normalized(), Platform::Native());
}

TEST(Platform, RunsWhatItsVariantIncludes) {
  const std::pair<std::string_view, std::string_view> good[] = {
      {"linux/amd64", "linux/amd64"},         {"linux/amd64/v3", "linux/amd64/v2"},
      {"linux/amd64/v3", "linux/amd64"},      {"linux/arm/v7", "linux/arm/v6"},
      {"linux/arm/v7", "linux/armel"},        {"linux/arm/v8", "linux/arm/v5"},
      {"linux/arm64", "linux/arm64/v8"},      {"linux/arm64/v8.5", "linux/arm64"},
      {"linux/arm64/v9", "linux/arm64/v8.5"}, {"linux/arm64/v9.2", "linux/arm64/v8.7"},
      {"linux/arm64/v9.2", "linux/arm64/v9"}, {"linux/mips/softfloat", "linux/mips/softfloat"},
  };
  for (const auto& [machine, image] : good) EXPECT_TRUE(Runs(Of(machine), Of(image))) << image;
  const std::pair<std::string_view, std::string_view> bad[] = {
      {"linux/amd64", "linux/amd64/v2"},      {"linux/amd64", "linux/386"},
      {"linux/arm/v6", "linux/arm/v7"},       {"linux/arm64", "linux/arm/v7"},
      {"linux/arm64", "linux/arm64/v9"},      {"linux/arm64/v9", "linux/arm64/v8.6"},
      {"linux/arm64/v8.9", "linux/arm64/v9"}, {"linux/amd64", "windows/amd64"},
      {"linux/mips/softfloat", "linux/mips"}, {"linux/amd64", "linux/amd64/x"},
  };
  for (const auto& [machine, image] : bad) EXPECT_FALSE(Runs(Of(machine), Of(image))) << image;
}

TEST(Platform, NeedsItsFeatures) {
  Platform image = Of("linux/amd64");
  image.os_features = {"b", "a", "b"};
  Platform machine = Of("linux/amd64");
  EXPECT_FALSE(Runs(machine, image));
  machine.os_features = {"a", "b", "c"};
  EXPECT_TRUE(Runs(machine, image));
}

TEST(ChooseManifest, TakesTheNearestVariant) {
  const Index index = Of({Entry("5", "linux/arm/v5"), Entry("6", "linux/arm/v6"),
                          Entry("7", "linux/arm/v7"), Entry("64", "linux/arm64")});
  EXPECT_EQ(Chosen(index, "linux/arm/v7"), "linux/arm/v7");
  EXPECT_EQ(Chosen(index, "linux/arm/v8"), "linux/arm/v7");
  EXPECT_EQ(Chosen(index, "linux/arm/v6"), "linux/arm/v6");
  EXPECT_EQ(Chosen(index, "linux/arm64/v8"), "linux/arm64");
}

TEST(ChooseManifest, TakesTheFirstOfEqualOnes) {
  const Index index = Of({Entry("one", "linux/amd64"), Entry("two", "linux/amd64")});
  EXPECT_EQ((*ChooseManifest(index, Of("linux/amd64")))->digest, Digest::Of("one"));
}

TEST(ChooseManifest, NamesThePlatformsThatAreThere) {
  const Index index = Of({Entry("amd64", "linux/amd64"), Entry("arm", "linux/arm/v7"),
                          Entry("again", "linux/amd64"), Attestation("attestation")});
  const auto chosen = ChooseManifest(index, Of("linux/arm64"));
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(chosen.error().message(),
            "there is no image for linux/arm64; there is one for linux/amd64, linux/arm/v7");
}

TEST(ChooseManifest, NamesAFewOfManyPlatforms) {
  std::vector<Descriptor> entries;
  for (int i = 100; i < 200; ++i) {
    entries.push_back(Entry("x", "linux/cpu" + std::to_string(i)));
  }
  EXPECT_THAT(Chosen(Of(entries), "linux/amd64"),
              AllOf(HasSubstr("linux/cpu131 and 68 more"), Not(HasSubstr("cpu132"))));
}

TEST(ChooseManifest, NeverTakesAnAttestationOrAnArtifact) {
  Descriptor annotated = Entry("annotated", "linux/amd64");
  annotated.annotations = {{"vnd.docker.reference.type", "attestation-manifest"}};
  Descriptor artifact = Entry("artifact", "linux/amd64");
  artifact.artifact_type = "application/vnd.example.sbom.v1+json";
  const Index index =
      Of({annotated, artifact, Attestation("unknown"),
          Entry("blob", "linux/amd64", "application/vnd.example.thing"), Attestation("another")});
  EXPECT_THAT(Chosen(index, "linux/amd64"), HasSubstr("has no image at all"));
  EXPECT_THAT(Chosen(index, "unknown/unknown"), HasSubstr("has no image at all"));
}

TEST(ChooseManifest, KnowsAnImageByTheTypeOfItsConfiguration) {
  Descriptor image = Entry("image", "linux/amd64");
  image.artifact_type = kOciConfig;
  EXPECT_EQ(Chosen(Of({image}), "linux/amd64"), "linux/amd64");
}

TEST(ChooseManifest, TakesAnEntryWithoutAPlatformOnlyWhereItIsTheOnlyOne) {
  const Descriptor silent = Entry("silent", "");
  EXPECT_EQ(Chosen(Of({silent, Attestation("unknown")}), "linux/amd64"), "without a platform");
  EXPECT_THAT(Chosen(Of({silent, Entry("other", "")}), "linux/amd64"),
              HasSubstr("does not say for which platforms"));
  EXPECT_THAT(Chosen(Of({silent, Entry("other", "linux/arm64")}), "linux/amd64"),
              HasSubstr("there is one for linux/arm64"));
  EXPECT_EQ(Chosen(Of({silent, Entry("amd64", "linux/amd64")}), "linux/amd64"), "linux/amd64");
}

TEST(ChooseManifest, TakesAnEntryThatLeavesAPartOutAsOneWithoutAPlatform) {
  Descriptor partial = Entry("partial", "");
  for (const Platform& part :
       {Platform{.os = "linux", .architecture = ""}, Platform{.os = "", .architecture = "arm64"}}) {
    partial.platform = part;
    EXPECT_EQ(Chosen(Of({partial, Attestation("unknown")}), "linux/amd64"), part.Text());
    EXPECT_THAT(Chosen(Of({partial, Entry("other", "")}), "linux/amd64"),
                HasSubstr("does not say for which platforms"));
    EXPECT_EQ(Chosen(Of({partial, Entry("amd64", "linux/amd64")}), "linux/amd64"), "linux/amd64");
  }
}

TEST(ChooseManifest, TakesANestedIndex) {
  EXPECT_EQ(Chosen(Of({Entry("nested", "linux/amd64", kDockerList)}), "linux/amd64"),
            "linux/amd64");
}

}  // namespace
}  // namespace cay::templates::oci
