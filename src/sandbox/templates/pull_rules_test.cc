#include "sandbox/templates/pull_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

using templates::oci::ImageReference;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kDigest =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

bool Fits(std::string_view pattern, const std::string& image) {
  const auto reference = ImageReference::Parse(image);
  EXPECT_TRUE(reference) << image;
  EXPECT_TRUE(CheckImagePattern(pattern)) << pattern;
  return reference && MatchesImage(pattern, *reference);
}

TEST(ImagePatterns, AreNamesAsTheyAreTyped) {
  EXPECT_TRUE(Fits("python", "python:3.12-slim"));
  EXPECT_TRUE(Fits("python", "docker.io/library/python"));
  EXPECT_TRUE(Fits("docker.io/library/python", "python:3"));
  EXPECT_TRUE(Fits("python:3.*", "python:3.12-slim"));
  EXPECT_FALSE(Fits("python:3.*", "python:2.7"));
  EXPECT_FALSE(Fits("python", "pythons:3"));
  EXPECT_FALSE(Fits("python", "someone/python:3"));
  EXPECT_FALSE(Fits("python", "registry.example/python:3"));
}

TEST(ImagePatterns, AStarStaysWithinAPartOfAPath) {
  EXPECT_TRUE(Fits("team/*", "team/app:1"));
  EXPECT_FALSE(Fits("team/*", "team/more/app:1"));
  EXPECT_TRUE(Fits("team/**", "team/more/app:1"));
  EXPECT_TRUE(Fits("registry.example:5000/**", "registry.example:5000/a/b:1"));
  EXPECT_FALSE(Fits("registry.example:5000/**", "registry.example/a/b:1"));
  EXPECT_TRUE(Fits("*.example/app", "eu.example/app:1"));
  EXPECT_FALSE(Fits("*.example/app", "evil.test/x.example/app:1"));
  EXPECT_TRUE(Fits("**", "registry.example/a/b:1"));
  EXPECT_TRUE(Fits("*", "python:3")) << "of the default registry's own";
  EXPECT_FALSE(Fits("*", "registry.example/python:3"));
}

TEST(ImagePatterns, OneOfATagDoesNotVouchForADigest) {
  const std::string by_digest = "python:3.12@" + std::string(kDigest);
  EXPECT_FALSE(Fits("python:3.12", by_digest)) << "the digest may be of anything";
  EXPECT_TRUE(Fits("python", by_digest));
  EXPECT_TRUE(Fits("python:3.12@" + std::string(kDigest), by_digest));
}

TEST(ImagePatterns, AreBounded) {
  std::string stars;
  for (int i = 0; i < 100; ++i) stars += "*a";
  const std::string image = "registry.example/" + std::string(200, 'a') + "b:1";
  EXPECT_FALSE(Fits("registry.example/" + stars, image));
  EXPECT_FALSE(CheckImagePattern(""));
  EXPECT_FALSE(CheckImagePattern(":tag"));
  EXPECT_FALSE(CheckImagePattern("a b"));
  EXPECT_FALSE(CheckImagePattern(std::string(5000, 'a')));
}

TEST(PullRules, SayWhichImagesThereAre) {
  PullRules rules;
  const ImageReference image = *ImageReference::Parse("python:3");
  EXPECT_TRUE(CheckAllowed(rules, image));
  rules.allow = {"node", "team/*"};
  const auto refused = CheckAllowed(rules, image);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.error().message(), HasSubstr("node, team/*"));
}

TEST(PullRules, MirrorsAreOfTheirRegistries) {
  PullRules rules;
  rules.mirrors = {"docker.io=one.example", "registry.example:5000=two.example:81",
                   "docker.io=three.example"};
  const auto settings = SettingsOf(rules);
  ASSERT_TRUE(settings) << settings.error().ToString();
  ASSERT_EQ(settings->mirrors.size(), 2U);
  EXPECT_THAT(settings->mirrors[0].hosts, ElementsAre("one.example", "three.example"));
  EXPECT_EQ(settings->mirrors[1].registry, "registry.example:5000");
  for (const char* wrong : {"docker.io", "=a.example", "docker.io=", "docker.io=a b"}) {
    rules.mirrors = {wrong};
    EXPECT_FALSE(SettingsOf(rules)) << wrong;
  }
}

}  // namespace
}  // namespace cay::sandbox
