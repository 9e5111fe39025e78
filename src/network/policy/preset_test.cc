#include "network/policy/preset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/policy/policy.h"

namespace cay::network {
namespace {

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const Preset& preset : Presets()) names.push_back(preset.name);
  return names;
}

std::vector<std::string> Rules(std::string_view preset) {
  std::vector<std::string> rules;
  for (const Rule& rule : FindPreset(preset).value()->rules) rules.push_back(rule.text);
  return rules;
}

TEST(Presets, AreInTheProgramInTheOrderOfTheirNames) {
  EXPECT_THAT(Names(),
              testing::ElementsAre("crates", "debian", "docker-hub", "github", "go", "huggingface",
                                   "maven", "npm", "packages", "pypi", "rubygems", "ubuntu"));
}

TEST(Presets, NameNothingButNamesAndTheirPorts) {
  for (const Preset& preset : Presets()) {
    EXPECT_FALSE(preset.text.empty()) << preset.name;
    EXPECT_FALSE(preset.text.ends_with('.')) << preset.name;
    for (const Rule& rule : preset.rules) {
      ASSERT_NE(rule.name(), nullptr) << rule.text;
      EXPECT_FALSE(rule.ports.empty()) << rule.text;
      EXPECT_TRUE(Contains({{22, 22}, {80, 80}, {443, 443}}, rule.ports)) << rule.text;
      EXPECT_NE(rule.name()->name.find('.'), std::string::npos) << rule.text;
    }
  }
}

TEST(Presets, HaveOneWildcard) {
  std::vector<std::string> wildcards;
  for (const Preset& preset : Presets()) {
    if (preset.name == "packages") continue;
    for (const Rule& rule : preset.rules) {
      if (rule.name()->below) wildcards.push_back(rule.text);
    }
  }
  EXPECT_THAT(wildcards, testing::ElementsAre("*.archive.ubuntu.com:80,443"));
}

TEST(Presets, HaveTheNamesThatClientsAskFor) {
  using testing::IsSupersetOf;
  using testing::UnorderedElementsAre;
  EXPECT_THAT(Rules("pypi"), UnorderedElementsAre("pypi.org:443", "files.pythonhosted.org:443"));
  EXPECT_THAT(Rules("npm"), UnorderedElementsAre("registry.npmjs.org:443",
                                                 "registry.yarnpkg.com:443", "nodejs.org:443"));
  EXPECT_THAT(Rules("debian"),
              UnorderedElementsAre("deb.debian.org:80,443", "security.debian.org:80,443"));
  EXPECT_THAT(Rules("ubuntu"),
              IsSupersetOf({"archive.ubuntu.com:80,443", "security.ubuntu.com:80,443",
                            "ports.ubuntu.com:80,443"}));
  EXPECT_THAT(Rules("go"), UnorderedElementsAre("proxy.golang.org:443", "sum.golang.org:443",
                                                "storage.googleapis.com:443"));
  EXPECT_THAT(Rules("crates"),
              UnorderedElementsAre("index.crates.io:443", "static.crates.io:443", "crates.io:443"));
  EXPECT_THAT(Rules("maven"),
              UnorderedElementsAre("repo.maven.apache.org:443", "repo1.maven.org:443"));
  EXPECT_THAT(Rules("rubygems"),
              UnorderedElementsAre("rubygems.org:443", "index.rubygems.org:443"));
  EXPECT_THAT(Rules("docker-hub"), IsSupersetOf({"registry-1.docker.io:443", "auth.docker.io:443",
                                                 "production.cloudflare.docker.com:443"}));
  EXPECT_THAT(Rules("huggingface"),
              IsSupersetOf({"huggingface.co:443", "cas-server.xethub.hf.co:443"}));
  EXPECT_THAT(Rules("github"),
              IsSupersetOf({"github.com:22,443", "ssh.github.com:443", "codeload.github.com:443",
                            "objects.githubusercontent.com:443", "raw.githubusercontent.com:443",
                            "release-assets.githubusercontent.com:443"}));
}

TEST(Presets, OfPackagesHaveAllOfTheRegistries) {
  size_t rules = 0;
  for (const char* registry :
       {"pypi", "npm", "debian", "ubuntu", "go", "crates", "maven", "rubygems"}) {
    EXPECT_THAT(Rules("packages"), testing::IsSupersetOf(Rules(registry))) << registry;
    rules += Rules(registry).size();
  }
  EXPECT_EQ(Rules("packages").size(), rules);
}

TEST(Presets, AreToldInDecisions) {
  const Policy policy =
      Policy::Compile({.mode = Mode::kAllow, .presets = {"pypi", "debian", "pypi"}}, {}).value();
  EXPECT_EQ(policy.OfConnection("files.pythonhosted.org", 443),
            (Decision{true, Why::kRule, "pypi: files.pythonhosted.org:443"}));
  EXPECT_TRUE(policy.OfConnection("deb.debian.org", 80).allowed);
  EXPECT_FALSE(policy.OfConnection("pypi.org", 80).allowed);
  EXPECT_FALSE(policy.OfName("test.pypi.org").allowed);
  EXPECT_FALSE(policy.OfName("registry.npmjs.org").allowed);
}

TEST(Presets, SayWhoseAnswersMayBeKept) {
  EXPECT_FALSE(FindPreset("pypi").value()->kept.empty());
  EXPECT_TRUE(FindPreset("maven").value()->kept.empty());
  EXPECT_TRUE(FindPreset("github").value()->kept.empty());
  for (const Preset& preset : Presets()) {
    for (const Rule& rule : preset.kept) {
      const std::string name = (rule.name()->below ? "a." : "") + rule.name()->name;
      EXPECT_FALSE(rule.ports.empty()) << rule.text;
      EXPECT_TRUE(Contains({{80, 80}, {443, 443}}, rule.ports)) << rule.text;
      EXPECT_TRUE(MayBeKept(name, rule.ports.front().first)) << rule.text;
      EXPECT_FALSE(MayBeKept(name, 8080)) << rule.text;
      EXPECT_FALSE(MayBeKept("x" + name, rule.ports.front().first) && !rule.name()->below);
    }
  }
  EXPECT_FALSE(MayBeKept("", 443));
  EXPECT_FALSE(MayBeKept("example.com", 443));
}

TEST(Presets, AreKnownToBeReachedByAPolicyOrNot) {
  const auto reaches = [](const Spec& spec) { return ReachesKept(*Policy::Compile(spec, {})); };
  EXPECT_TRUE(reaches({.mode = Mode::kAllow, .presets = {"pypi"}}));
  EXPECT_TRUE(reaches({.mode = Mode::kOpen}));
  EXPECT_FALSE(reaches({.mode = Mode::kAllow, .presets = {"debian", "github"}}));
  EXPECT_FALSE(reaches({.mode = Mode::kNone}));
}

TEST(FindPreset, NamesThoseThatThereAre) {
  const auto preset = FindPreset("pypl");
  ASSERT_FALSE(preset);
  EXPECT_EQ(preset.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(preset.error().remedy().text().starts_with("did you mean pypi? there are crates, "));
  EXPECT_TRUE(FindPreset("PyPI").error().remedy().text().starts_with("there are crates, debian"));
  EXPECT_FALSE(FindPreset(""));
}

TEST(ParsePresets, ReadsWhatTheHeaderShows) {
  const auto presets = ParsePresets(
      "# A comment.\n"
      "one: What this is\n"
      "  example.com:443   *.example.com:80,443\n"
      "\n"
      "  # Another one.\n"
      "  10.1.2.0/24:5432\n"
      "  ~ *.example.com:80\n"
      "both: What these are together\n"
      "  = one\n"
      "  example.org\n");
  ASSERT_TRUE(presets) << presets.error().ToString();
  ASSERT_EQ(presets->size(), 2U);
  EXPECT_EQ(presets->front().name, "one");
  EXPECT_EQ(presets->front().text, "What this is");
  ASSERT_EQ(presets->front().rules.size(), 3U);
  EXPECT_EQ(presets->front().rules[1].text, "*.example.com:80,443");
  ASSERT_EQ(presets->front().kept.size(), 1U);
  EXPECT_EQ(presets->front().kept[0].text, "*.example.com:80");
  EXPECT_TRUE(presets->back().kept.empty());
  ASSERT_EQ(presets->back().rules.size(), 4U);
  EXPECT_EQ(presets->back().rules[3].text, "example.org");
}

TEST(ParsePresets, NamesTheLineThatIsWrong) {
  struct Case {
    const char *text, *error;
  };
  for (const Case& one : {
           Case{"one: x\n  example.com:0\n", "line 2: not a network rule"},
           Case{"  example.com\n", "line 1: a rule stands before every preset"},
           Case{"one\n  example.com\n", "line 1: a preset begins as in"},
           Case{"one:\n  example.com\n", "line 1: a preset begins as in"},
           Case{": x\n  example.com\n", "line 1: a preset begins as in"},
           Case{"One: x\n  example.com\n", "line 1: a preset begins as in"},
           Case{"one: x\n  a.com\none: y\n  b.com\n", "line 3: there is a preset one already"},
           Case{"one: x\n  = two\ntwo: y\n  b.com\n", "line 2: no preset two stands above"},
           Case{"one: x\n  = one\n", "line 2: no preset one stands above"},
           Case{"one: x\ntwo: y\n  b.com\n", "the preset one has no rules"},
           Case{"one: x\n  a.com\n  ~ b.com\n", "line 3: b.com is of no rule above"},
           Case{"one: x\n  a.com:80\n  ~ a.com:443\n", "line 3: a.com:443 is of no rule above"},
           Case{"one: x\n  10.0.0.0/8\n  ~ 10.0.0.0/8\n", "line 3: 10.0.0.0/8 is of no rule"},
           Case{"one: x\n  =\n", "the preset one has no rules"},
       }) {
    const auto presets = ParsePresets(one.text);
    ASSERT_FALSE(presets) << one.text;
    EXPECT_TRUE(presets.error().message().starts_with(one.error))
        << one.text << ": " << presets.error().message();
  }
}

TEST(ParsePresets, BoundsWhatItReads) {
  std::string rules = "one: x\n";
  for (int i = 0; i < 256; ++i) rules += "  a" + std::to_string(i) + ".example\n";
  EXPECT_TRUE(ParsePresets(rules));
  EXPECT_FALSE(ParsePresets(rules + "  b.example\n"));
  EXPECT_FALSE(ParsePresets(rules + "two: y\n = one one\n"));
  std::string presets;
  for (int i = 0; i < 64; ++i) presets += "p" + std::to_string(i) + ": x\n  a.example\n";
  EXPECT_TRUE(ParsePresets(presets));
  EXPECT_FALSE(ParsePresets(presets + "q: x\n  a.example\n"));
  const std::string comment(64 * 1024 - 1, '#');
  EXPECT_TRUE(ParsePresets(comment + "\n"));
  EXPECT_FALSE(ParsePresets(comment + "\n\n"));
}

}  // namespace
}  // namespace cay::network
