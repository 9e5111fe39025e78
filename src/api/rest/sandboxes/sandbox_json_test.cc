#include "api/rest/sandboxes/sandbox_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::api::rest {
namespace {

using ::testing::HasSubstr;

Result<sandbox::SandboxSpec> Spec(std::string_view text) {
  return ReadSandboxSpec(TRY(ParseJson(text)));
}

TEST(SandboxJson, ASpecIsReadFromItsFields) {
  const auto spec = Spec(R"({"project_name":"p","name":"n","memory_limit":"1g","cpu_limit":"1.0",
      "pids_limit":10,"disk_limit":1048576,"timeout":3600,"idle_timeout":"5m","on_timeout":"stop",
      "env":{"A":"b"},"metadata":{"k":"v"},"network":"none","mounts":[{"source":"/a","target":"/b"}],
      "tmpfs":[{"target":"/t","size":"1m"}],"best_effort":true,"environment":"host","privileges":"root"})");
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_EQ(spec->project, "p");
  EXPECT_EQ(spec->memory, kGiB);
  EXPECT_EQ(spec->cpus, 1000U);
  EXPECT_EQ(spec->disk, kMiB);
  EXPECT_EQ(spec->timeout, Millis(3'600'000));
  EXPECT_EQ(spec->on_timeout, sandbox::OnTimeout::kStop);
  EXPECT_EQ(spec->env.at("A"), "b");
  EXPECT_TRUE(spec->mounts.at(0).read_only);
  EXPECT_EQ(spec->tmpfs.at(0).size, kMiB);
  EXPECT_EQ(spec->template_name, "host");
  EXPECT_EQ(spec->privileges, Privileges::kRoot);
  EXPECT_EQ(Spec(R"({"privileges":"none"})")->privileges, Privileges::kNone);
}

TEST(SandboxJson, WhatIsWrongIsNamed) {
  const auto message = [](std::string_view text) {
    const auto spec = Spec(text);
    return spec ? "no error" : spec.error().message();
  };
  EXPECT_THAT(message(R"({"memory":"1g"})"), HasSubstr("unknown field \"memory\""));
  EXPECT_THAT(message(R"({"privileges":"all"})"), HasSubstr("\"none\" or \"root\""));
  EXPECT_THAT(message(R"({"mounts":[{"source":"/a"}]})"), HasSubstr("\"mounts[0].target\""));
  EXPECT_THAT(message(R"({"mounts":[{"source":"/a","target":"/b","rw":true}]})"),
              HasSubstr("\"mounts[0].rw\""));
  EXPECT_THAT(message(R"({"template":"a","environment":"b"})"), HasSubstr("differ"));
  EXPECT_THAT(message(R"({"network":7})"), HasSubstr("\"network\""));
  EXPECT_THAT(message(R"({"network":""})"), HasSubstr("\"network\" is empty"));
  EXPECT_THAT(message(R"({"network":{"mode":"all"}})"), HasSubstr("network.mode"));
  EXPECT_THAT(message(R"({"network":{"allow":"a.example"}})"), HasSubstr("allow"));
  EXPECT_THAT(message(R"({"network":{"dns":"system"}})"), HasSubstr("\"network.dns\""));
  EXPECT_THAT(message(R"({"network":{"limits":{"idle":"1500ms"}}})"),
              HasSubstr("\"network.limits.idle\" is not whole seconds"));
  EXPECT_THAT(message(R"({"network":{"limits":{"rate":1}}})"),
              HasSubstr("\"network.limits.rate\""));
  EXPECT_THAT(message(R"({"on_timeout":"explode"})"), HasSubstr("\"on_timeout\""));
  EXPECT_THAT(message(R"({"env":{"A":1}})"), HasSubstr("\"env.A\" must be a string"));
  EXPECT_THAT(message("[]"), HasSubstr("an object"));
}

TEST(SandboxJson, AnEntrypointIsTrueOrAList) {
  using Kind = sandbox::AskedEntrypoint::Kind;
  const auto read = [](std::string_view text) { return Spec(text)->entrypoint; };
  EXPECT_EQ(read("{}").kind, Kind::kLeftOut);
  EXPECT_EQ(read(R"({"entrypoint":null})").kind, Kind::kLeftOut);
  EXPECT_EQ(read(R"({"entrypoint":true})").kind, Kind::kImages);
  EXPECT_EQ(read(R"({"entrypoint":false})").kind, Kind::kNone);
  EXPECT_EQ(read(R"({"entrypoint":["/a","b"]})").argv, (std::vector<std::string>{"/a", "b"}));
  EXPECT_EQ(Spec(R"({"cmd":["x"]})")->cmd, (std::vector<std::string>{"x"}));
  EXPECT_THAT(Spec(R"({"entrypoint":"/a"})").error().message(), HasSubstr("\"entrypoint\""));
  EXPECT_THAT(Spec(R"({"entrypoint":[1]})").error().message(), HasSubstr("\"entrypoint\""));
}

TEST(SandboxJson, AViewSaysWhatStartsWithItAndHowItIs) {
  sandbox::SandboxView view{.id = *SandboxId::Parse("abcdefghij0123456789")};
  EXPECT_THAT(SandboxJson(view).text(), HasSubstr(R"("startup":null,"health":null)"));
  sandbox::Startup& startup = view.startup.emplace();
  startup.plan.command = {"/entry"};
  startup.plan.stop_signal = 3;
  startup.state = sandbox::StartupState::kExited;
  startup.process = 7;
  startup.exit_code = 2;
  view.health.emplace().log.push_back({.exit_code = 1, .output = "no"});
  const std::string text(SandboxJson(view).text());
  EXPECT_THAT(text, HasSubstr(R"("command":["/entry"],"process_id":7,"state":"exited")"));
  EXPECT_THAT(text, HasSubstr(R"("exit_code":2,"signal":null,"stop_signal":"SIGQUIT")"));
  EXPECT_THAT(text, HasSubstr(R"("status":"starting","failing_streak":0)"));
  EXPECT_THAT(text, HasSubstr(R"("exit_code":1,"output":"no","output_truncated":false)"));
}

TEST(SandboxJson, ANetworkIsAnObjectOrAText) {
  const auto read = [](std::string_view network) {
    const auto spec = Spec(R"({"network":)" + std::string(network) + "}");
    EXPECT_TRUE(spec) << spec.error().ToString();
    return spec ? spec->network : sandbox::NetworkSpec{};
  };
  using network::Mode;
  EXPECT_EQ(read("null"), sandbox::NetworkSpec{});
  EXPECT_EQ(read(R"("none")"), sandbox::NetworkSpec{.said = true}) << "which is not to be silent";
  EXPECT_EQ(read(R"({"limits":{"connections":256,"idle":"1h"}})").said_limits, 0b10001U)
      << "those that were said, whatever they are";
  EXPECT_EQ(read(R"({"limits":{"bytes":null}})").said_limits, 0U);
  EXPECT_EQ(read(R"("open")").policy, (network::Spec{.mode = Mode::kOpen}));
  EXPECT_EQ(read(R"("pypi,npm")").policy,
            (network::Spec{.mode = Mode::kAllow, .presets = {"pypi", "npm"}}));
  EXPECT_EQ(read(R"({"presets":["pypi"]})").policy.mode, Mode::kAllow);
  EXPECT_EQ(read(R"({"allow":["a.example:443"]})").policy.mode, Mode::kAllow);
  EXPECT_EQ(read(R"({"mode":"none","allow":["a.example:443"]})").policy.mode, Mode::kNone);
  EXPECT_EQ(read(R"({"deny":["a.example"]})").policy.mode, Mode::kNone);
  const sandbox::NetworkSpec spec = read(R"({"mode":"open","deny":["a.example"],
      "limits":{"connections":5,"bytes_per_second":"1m","bytes":"1g","idle":"5m"}})");
  EXPECT_EQ(spec.policy, (network::Spec{.mode = Mode::kOpen, .deny = {"a.example"}}));
  EXPECT_EQ(spec.limits.connections, 5U);
  EXPECT_EQ(spec.limits.connections_per_second, network::NetworkLimits{}.connections_per_second);
  EXPECT_EQ(spec.limits.bytes_per_second, kMiB);
  EXPECT_EQ(spec.limits.bytes, kGiB);
  EXPECT_EQ(spec.limits.idle_seconds, 300U);
}

TEST(SandboxJson, AViewSaysItsNetworkInOneWord) {
  sandbox::SandboxView view{.id = *SandboxId::Parse("abcdefghij0123456789")};
  EXPECT_THAT(SandboxJson(view).text(), HasSubstr(R"("network":"none")"));
  view.spec.network.policy = {.mode = network::Mode::kAllow, .allow = {"a.example"}};
  EXPECT_THAT(SandboxJson(view).text(), HasSubstr(R"("network":"allow")"));
}

TEST(SandboxJson, AChangeTakesOnlyWhatCanBeChanged) {
  const auto change = ReadSandboxChange(*ParseJson(R"({"memory_limit":"1g","metadata":{}})"));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->memory, kGiB);
  EXPECT_TRUE(change->metadata->empty());
  EXPECT_FALSE(change->timeout);
  EXPECT_FALSE(change->network);
  const auto closed = ReadSandboxChange(*ParseJson(R"({"network":"none"})"));
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->network, sandbox::NetworkSpec{.said = true});
  EXPECT_FALSE(ReadSandboxChange(*ParseJson(R"({"disk_limit":"1g"})")));
}

sandbox::SandboxView EmptyView() {
  return {.id = *SandboxId::Parse("abcdefghij0123456789"),
          .reason = {},
          .owner = {},
          .spec = {},
          .limits = {},
          .not_enforced = {},
          .expires_unix_ms = {},
          .idle_expires_unix_ms = {}};
}

TEST(SandboxJson, AViewSaysWhatThereIs) {
  sandbox::SandboxView view = EmptyView();
  view.limits.cpus = 1500;
  view.created_unix_ms = 1'767'225'600'123;
  view.spec.timeout = Millis(1500);
  const std::string text = SandboxJson(view).text();
  EXPECT_THAT(text, HasSubstr(R"("id":"abcdefghij0123456789")"));
  EXPECT_THAT(text, HasSubstr(R"("memory_limit":"512m","cpu_limit":"1.5")"));
  EXPECT_THAT(text, HasSubstr(R"("cpus":1.5)"));
  EXPECT_THAT(text, HasSubstr(R"("created_at":"2026-01-01T00:00:00.123Z")"));
  EXPECT_THAT(text, HasSubstr(R"("expires_at":null)"));
  EXPECT_THAT(text, HasSubstr(R"("timeout":1.5,"idle_timeout":0)"));
  EXPECT_TRUE(ParseJson(text));
}

}  // namespace
}  // namespace cay::api::rest
