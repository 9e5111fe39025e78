// What is kept of a sandbox as one text: every field of what was asked for, and what older and
// newer programs write.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/fields.h"
#include "sandbox/records/sandbox_json.h"

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;

// Gives each field of a spec another value than it had, whatever fields there are.
struct Filler {
  uint64_t next = 1;
  void operator()(const field::About& about, auto, std::string& text) {
    text = std::string(about.kept) + std::to_string(next++);
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  void operator()(const field::About&, auto, std::optional<T>& number) {
    number = static_cast<T>(next++);
  }
  void operator()(const field::About&, auto, std::optional<Millis>& duration) {
    duration = Millis(next++);
  }
  void operator()(const field::About&, auto, std::optional<OnTimeout>& action) {
    action = OnTimeout::kPause;
  }
  void operator()(const field::About&, auto, bool& flag) { flag = true; }
  void operator()(const field::About&, auto, Privileges& privileges) {
    privileges = Privileges::kRoot;
  }
  void operator()(const field::About& about, auto, StringMap& map) {
    map = {{std::string(about.kept), std::to_string(next++)}};
  }
  void operator()(const field::About&, auto, std::vector<engine::Mount>& mounts) {
    mounts = {{"/from", "/to", false}};
  }
  void operator()(const field::About&, auto, std::vector<engine::Tmpfs>& all) {
    all = {{"/t", next++}};
  }
  void operator()(const field::About&, auto, std::vector<std::string>& texts) {
    texts = {"one", std::to_string(next++)};
  }
  void operator()(const field::About&, auto, AskedEntrypoint& asked) {
    asked = {.kind = AskedEntrypoint::Kind::kOwn, .argv = {"/entry", std::to_string(next++)}};
  }
  void operator()(const field::About&, auto, PackagesSpec& packages) {
    packages.asked.packages = {"pip:six", "apt:jq"};
    packages.template_name = "@team/packages-" + std::to_string(next++);
  }
  void operator()(const field::About&, auto, std::vector<VolumeUse>& volumes) {
    volumes = {{"data", "/data", true}, {"other", "/other", false}};
  }
  void operator()(const field::About&, auto, NetworkSpec& spec) {
    spec.policy = {.mode = network::Mode::kOpen,
                   .allow = {"a.example:" + std::to_string(next++)},
                   .deny = {"b.example"},
                   .presets = {"pypi", "npm"}};
    spec.join = {"app", "shop"};
    spec.aliases = {"db"};
    spec.publish = {"127.0.0.1:8080:80"};
    spec.secrets = {"my-api"};
    spec.granted = {{"my-api", "MY_API", "cay-secret-" + std::to_string(next++)}};
    fields::NetworkLimits::Of(spec.limits, *this);
  }
  void operator()(const field::About&, auto, std::unsigned_integral auto& number) {
    number = static_cast<std::remove_reference_t<decltype(number)>>(next++);
  }
};

// Each field as a text, one after another.
struct Teller {
  std::vector<std::string> told;
  void operator()(const field::About&, auto, const std::string& text) { told.push_back(text); }
  void operator()(const field::About&, auto, const auto& value) {
    if constexpr (requires { value->count(); }) {
      told.push_back(std::to_string(value->count()));
    } else if constexpr (requires { value.value(); }) {
      told.push_back(value ? std::to_string(static_cast<uint64_t>(*value)) : "-");
    } else if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(value)>, bool>) {
      told.push_back(std::to_string(value));
    } else {
      told.push_back(value ? "true" : "false");
    }
  }
  void operator()(const field::About&, auto, const std::vector<VolumeUse>& volumes) {
    for (const VolumeUse& volume : volumes)
      told.push_back(volume.name + volume.path + (volume.read_only ? " ro" : ""));
  }
  void operator()(const field::About&, auto, const Privileges& privileges) {
    told.emplace_back(PrivilegesName(privileges));
  }
  void operator()(const field::About&, auto, const StringMap& map) {
    for (const auto& [key, value] : map) told.push_back(key + "=" + value);
  }
  void operator()(const field::About&, auto, const std::vector<engine::Mount>& mounts) {
    for (const auto& one : mounts) told.push_back(one.source + ":" + one.target);
  }
  void operator()(const field::About&, auto, const std::vector<engine::Tmpfs>& all) {
    for (const auto& one : all) told.push_back(one.target + ":" + std::to_string(one.size));
  }
  void operator()(const field::About&, auto, const std::vector<std::string>& texts) {
    told.insert(told.end(), texts.begin(), texts.end());
  }
  void operator()(const field::About&, auto, const AskedEntrypoint& asked) {
    told.push_back(std::to_string(static_cast<int>(asked.kind)));
    told.insert(told.end(), asked.argv.begin(), asked.argv.end());
  }
  void operator()(const field::About&, auto, const PackagesSpec& packages) {
    told.insert(told.end(), packages.asked.packages.begin(), packages.asked.packages.end());
    told.push_back(packages.template_name);
  }
  void operator()(const field::About&, auto, const NetworkSpec& spec) {
    told.emplace_back(network::ModeName(spec.policy.mode));
    told.emplace_back(network::DnsModeName(spec.policy.dns));
    for (const auto* list : {&spec.policy.allow, &spec.policy.deny, &spec.policy.presets,
                             &spec.join, &spec.aliases, &spec.publish, &spec.secrets})
      told.insert(told.end(), list->begin(), list->end());
    for (const GrantedSecret& one : spec.granted)
      told.push_back(one.name + "=" + one.variable + "=" + one.placeholder);
    fields::NetworkLimits::Of(spec.limits, *this);
  }
};

std::vector<std::string> Told(const SandboxSpec& spec) {
  Teller teller;
  fields::Spec::Of(spec, teller);
  return teller.told;
}

TEST(SandboxDocument, EveryFieldOfASpecComesBack) {
  SandboxRecord record(*SandboxId::Generate());
  Filler filler;
  fields::Spec::Of(record.view.spec, filler);
  SandboxRecord back(record.view.id);
  ASSERT_TRUE(ReadDocument(DocumentOf(record), back));
  EXPECT_EQ(Told(back.view.spec), Told(record.view.spec));
}

TEST(SandboxDocument, WhatSaysNothingOfANetworkHasNone) {
  SandboxRecord back(*SandboxId::Generate());
  back.view.spec.network.policy.mode = network::Mode::kOpen;
  ASSERT_TRUE(ReadDocument(R"({"spec":{"template":"t","noexec":false}})", back));
  EXPECT_EQ(back.view.spec.network, NetworkSpec{});
  // … and is written as programs without networks wrote it.
  EXPECT_FALSE(DocumentOf(back).contains("network"));
}

TEST(SandboxDocument, WhatSaysNothingOfAStartUpProcessHasNone) {
  SandboxRecord back(*SandboxId::Generate());
  ASSERT_TRUE(ReadDocument(R"({"spec":{"template":"t"},"startup":{"command":[]}})", back));
  EXPECT_FALSE(back.view.startup || back.view.health);
  EXPECT_EQ(back.view.spec.entrypoint, AskedEntrypoint{});
  EXPECT_FALSE(DocumentOf(back).contains("startup"));
}

TEST(SandboxDocument, AStateOfANewerProgramIsNotKnown) {
  SandboxRecord back(*SandboxId::Generate());
  ASSERT_TRUE(ReadDocument(R"({"startup":{"command":["x"],"state":"dozing"}})", back));
  EXPECT_EQ(back.view.startup->state, StartupState::kLost);
}

// What cannot be understood reaches nothing.
TEST(SandboxDocument, ANetworkOfANewerProgramIsNoneOrAsFarAsItIsKnown) {
  SandboxRecord back(*SandboxId::Generate());
  ASSERT_TRUE(ReadDocument(
      R"({"spec":{"network":{"mode":"mesh","allow":["a.example",7],"mesh":["x"],
          "limits":{"connections":9,"idle_seconds":"long"}}}})",
      back));
  const NetworkSpec& spec = back.view.spec.network;
  EXPECT_TRUE(spec.none());
  EXPECT_THAT(spec.policy.allow, ElementsAre("a.example"));
  EXPECT_EQ(spec.limits.connections, 9U);
  EXPECT_EQ(spec.limits.idle_seconds, network::NetworkLimits{}.idle_seconds);
  ASSERT_TRUE(ReadDocument(R"({"spec":{"network":"open"}})", back));
  EXPECT_EQ(back.view.spec.network, NetworkSpec{});
}

}  // namespace
}  // namespace cay::sandbox
