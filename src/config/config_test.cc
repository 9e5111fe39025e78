#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>

#include "base/os/file.h"
#include "config/pool_text.h"
#include "config/toml_values.h"

namespace cay::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Environment = std::map<std::string, std::string>;

struct RemovedAtTheEnd {
  const std::string path = testing::TempDir() + "/config_test." + std::to_string(::getpid());
  ~RemovedAtTheEnd() { std::remove(path.c_str()); }
};

Sources From(const std::string& toml, Environment environment = {}) {
  static const RemovedAtTheEnd file;
  std::ofstream(file.path) << toml;
  return {.file = file.path,
          .environment = [environment = std::move(environment)](
                             const std::string& name) -> std::optional<std::string> {
            const auto found = environment.find(name);
            if (found == environment.end()) return std::nullopt;
            return found->second;
          },
          .flags = {}};
}

Config Good(const Sources& sources) {
  LoadResult result = LoadAndExplain(sources);
  for (const Error& problem : result.problems) ADD_FAILURE() << problem.ToString();
  return std::move(result.loaded.config);
}

std::string Problem(const std::string& toml) {
  const LoadResult result = LoadAndExplain(From(toml));
  return result.problems.empty() ? "no problem" : result.problems.front().ToString();
}

TEST(Keys, HaveNamesAndFlagsOfTheirOwn) {
  std::set<std::string_view> seen;
  for (const Key& key : Keys()) {
    EXPECT_TRUE(seen.insert(key.name).second) << key.name;
    if (!key.flag.empty()) {
      EXPECT_TRUE(seen.insert(key.flag).second || key.flag == key.name) << key.flag;
    }
    EXPECT_FALSE(key.doc.empty()) << key.name;
  }
}

TEST(Keys, TakeTheirExamplesAndShowWhatWasSet) {
  for (const Key& key : Keys()) {
    Config config;
    const Values values = {std::string(key.example)};
    const Result<void> set = key.set(config, values);
    ASSERT_TRUE(set) << key.name << ": " << set.error().ToString();
    Config again;
    ASSERT_TRUE(key.set(again, key.show(config))) << key.name;
    EXPECT_EQ(key.show(again), key.show(config)) << key.name;
  }
}

TEST(LoadConfig, ReadsTheFile) {
  const Config config =
      Good(From("listen = [\"127.0.0.1:1\", \"unix:/run/x\"]\n[limits.defaults]\nmemory = "
                "\"64m\"\ncpus = 0.5\npids = 10\n"
                "[timeouts]\nidle = 90\n[metrics]\npublic = true\n"));
  EXPECT_THAT(config.listen, ElementsAre("127.0.0.1:1", "unix:/run/x"));
  EXPECT_EQ(config.manager.default_limits.memory, 64 * kMiB);
  EXPECT_EQ(config.manager.default_limits.cpus, 500U);
  EXPECT_EQ(config.manager.default_limits.pids, 10U);
  EXPECT_EQ(config.manager.default_idle_timeout, Millis(90'000));
  EXPECT_TRUE(config.gate.metrics_public);
}

TEST(LoadConfig, LetsTheEnvironmentWinOverTheFileAndFlagsOverBoth) {
  Sources sources =
      From("[limits.defaults]\nmemory = \"64m\"\npids = 10\ndisk = \"2g\"\n",
           {{"CAY_LIMITS_DEFAULTS_MEMORY", "65m"}, {"CAY_LIMITS_DEFAULTS_PIDS", "11"}});
  sources.flags = {{"limits.defaults.pids", {"12"}}};
  const LoadResult result = LoadAndExplain(sources);
  ASSERT_THAT(result.problems, IsEmpty());
  const engine::Limits& limits = result.loaded.config.manager.default_limits;
  EXPECT_EQ(limits.disk, 2 * kGiB);
  EXPECT_EQ(limits.memory, 65 * kMiB);
  EXPECT_EQ(limits.pids, 12U);
  EXPECT_THAT(result.loaded.origins.at("limits.defaults.disk"), HasSubstr(":4"));
  EXPECT_EQ(result.loaded.origins.at("limits.defaults.memory"), "CAY_LIMITS_DEFAULTS_MEMORY");
  EXPECT_EQ(result.loaded.origins.at("limits.defaults.pids"), "--set limits.defaults.pids");
  EXPECT_EQ(result.loaded.origins.at("limits.defaults.cpus"), "default");
}

TEST(LoadConfig, AppendsFlagsOfAListAndReplacesTheFilesList) {
  Sources sources =
      From("mount_roots = [\"/a\"]\n", {{"CAY_HOSTS_ALLOWED", "x.example y.example"}});
  sources.flags = {{"mount_roots", {"/b"}}, {"mount_roots", {"/c d"}}};
  const Config config = Good(sources);
  EXPECT_THAT(config.manager.mount_roots, ElementsAre("/b", "/c d"));
  EXPECT_THAT(config.gate.allowed_hosts, ElementsAre("x.example", "y.example"));
}

TEST(LoadConfig, RefusesUnknownKeysWithWhereTheyAreAndWhatTheyMayBe) {
  EXPECT_THAT(Problem("\n[limits.defaults]\nmemroy = 1\n"),
              HasSubstr(":3:1: limits.defaults.memroy: there is no such key (did you mean "
                        "limits.defaults.memory?)"));
  EXPECT_THAT(Problem("certificate = \"x\"\n"), HasSubstr("did you mean tls.certificate?"));
  EXPECT_THAT(Problem("zzz = 1\n"), HasSubstr("cay config show"));
  EXPECT_THAT(Problem("[[pools]]\ntemplate = \"host\"\nminimum = 1\nmemmory = \"1g\"\n"),
              HasSubstr("did you mean memory?"));
}

TEST(LoadConfig, RefusesValuesWithWhereTheyAre) {
  EXPECT_THAT(Problem("[limits.defaults]\nmemory = \"lots\"\n"),
              HasSubstr(":2:1: limits.defaults.memory: "));
  EXPECT_THAT(Problem("listen = \"127.0.0.1:1\"\n"), HasSubstr("this is a list"));
  EXPECT_THAT(Problem("state_dir = [\"/a\"]\n"), HasSubstr("not a list"));
  EXPECT_THAT(Problem("[log]\nlevel = \"loud\"\n"),
              HasSubstr("none of error, warning, info, debug"));
  EXPECT_THAT(Problem("[metrics]\npublic = \"yes\"\n"), HasSubstr("neither true nor false"));
  EXPECT_THAT(Problem("state_dir = 1979-05-27\n"), HasSubstr("a value of this kind"));
  EXPECT_THAT(Problem("a = \n"), HasSubstr(":1:"));
  EXPECT_THAT(Problem("[limits]\nsandboxes = -1\n"), HasSubstr("limits.sandboxes"));
}

TEST(LoadConfig, RefusesDefaultsOverMaxima) {
  EXPECT_THAT(Problem("[limits.maxima]\nmemory = \"100m\"\n"),
              HasSubstr("limits.defaults.memory (512m) is over limits.maxima.memory (100m)"));
  EXPECT_THAT(Problem("[timeouts]\nmax_lifetime = \"1m\"\n"), HasSubstr("timeouts.lifetime (1d)"));
  EXPECT_THAT(Problem("[timeouts]\nlifetime = 0\n"), HasSubstr("timeouts.lifetime"));
}

TEST(LoadConfig, WhatLeavesAServerNothingToWorkWithIsRefused) {
  EXPECT_THAT(Problem("[timeouts]\nlauncher = 0\n"),
              HasSubstr("timeouts.launcher (0s) is less than 1s"));
  EXPECT_THAT(Problem("[limits]\noutput_held = \"8m\"\n"),
              HasSubstr("limits.output_held (8m) is less than 16m"));
  EXPECT_EQ(Problem("[timeouts]\nlauncher = \"1s\"\n[limits]\noutput_held = \"16m\"\n"),
            "no problem");
}

TEST(LoadConfig, MoreLaunchersThanThereCanBeAreRefused) {
  EXPECT_EQ(Problem("[limits]\nlaunchers = 16\n"), "no problem");
  EXPECT_THAT(Problem("[limits]\nlaunchers = 17\n"),
              HasSubstr("limits.launchers (17) is more than 16"));
}

TEST(LoadConfig, RefusesHalfOfTls) {
  EXPECT_THAT(Problem("[tls]\ncertificate = \"/x\"\n"), HasSubstr("tls.key is missing"));
}

TEST(LoadConfig, RefusesAFileThatWasNamedAndIsNotThere) {
  const LoadResult result = LoadAndExplain({.file = "/nonexistent/cay.toml"});
  ASSERT_EQ(result.problems.size(), 1U);
  EXPECT_THAT(result.problems[0].message(), HasSubstr("/nonexistent/cay.toml"));
}

TEST(LoadConfig, SaysHowManyMoreProblemsThereAre) {
  const Sources sources = From("aaa = 1\nbbb = 2\nccc = 3\n");
  const Result<Loaded> loaded = LoadConfig(sources);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().ToString(), HasSubstr("2 more"));
}

TEST(LoadConfig, GivesPoolsTheDefaultLimits) {
  const Config config =
      Good(From("[limits.defaults]\nmemory = \"64m\"\n[[pools]]\ntemplate = \"host\"\nminimum = "
                "2\nmaximum = 9\ncpus = 0.25\n"
                "shrink_after = \"2m\"\n"));
  ASSERT_EQ(config.manager.pools.size(), 1U);
  const sandbox::PoolOptions& pool = config.manager.pools[0];
  EXPECT_EQ(pool.template_name, "host");
  EXPECT_EQ(pool.minimum, 2U);
  EXPECT_EQ(pool.maximum, 9U);
  EXPECT_EQ(pool.limits.memory, 64 * kMiB);
  EXPECT_EQ(pool.limits.cpus, 250U);
  EXPECT_EQ(pool.shrink_after, Millis(120'000));
}

TEST(ParsePool, RefusesWhatMakesNoSense) {
  for (const char* text : {"", "host", "=2", "host=", "host=x", "host=3:2", "host=0",
                           "host=1,memory", "host=1,colour=red", "host=1:99999999"}) {
    EXPECT_FALSE(ParsePool(text, {})) << text;
  }
}

TEST(Compare, TellsWhatAReloadAppliesFromWhatItDoesNot) {
  Config before;
  Config after;
  after.listen = {"127.0.0.1:1"};
  after.manager.default_limits.memory = 1 * kGiB;
  const Changes changes = Compare(before, after);
  EXPECT_THAT(changes.applied, ElementsAre("limits.defaults.memory"));
  EXPECT_THAT(changes.need_restart, ElementsAre("listen"));
}

TEST(Templates, HaveNetworksInTablesOfTheirOwn) {
  const Config config =
      Good(From("[templates.host.network]\nallow = [\"example.com:443\", \"example.org\"]\n"
                "dns = \"real\"\nlimits = {connections = 7, idle = "
                "\"5m\"}\n[templates.\"my.web\".network]\nmode = "
                "\"none\"\n"));
  const auto& networks = config.manager.network.of_templates;
  ASSERT_EQ(networks.size(), 2U);
  EXPECT_EQ(networks.at("host").policy.mode, network::Mode::kAllow);
  EXPECT_THAT(networks.at("host").policy.allow, ElementsAre("example.com:443", "example.org"));
  EXPECT_EQ(networks.at("host").policy.dns, network::DnsMode::kReal);
  EXPECT_EQ(networks.at("host").limits.connections, 7U);
  EXPECT_EQ(networks.at("host").limits.idle_seconds, 300U);
  EXPECT_EQ(networks.at("my.web").policy.mode, network::Mode::kNone);
  const Config from_environment = Good(
      From("", {{"CAY_TEMPLATES_NETWORKS", "host.network.presets=pypi host.network.presets=npm"}}));
  EXPECT_THAT(from_environment.manager.network.of_templates.at("host").policy.presets,
              ElementsAre("pypi", "npm"));
}

TEST(Templates, AreRefusedWithWhereTheyAreAndWhatTheyMayBe) {
  EXPECT_THAT(Problem("[templates.host.network]\nmode = \"allow\"\nalow = [\"example.com\"]\n"),
              HasSubstr(":3:1: templates.host.network.alow: the template host has no setting "
                        "\"network.alow\" (did you mean network.allow?)"));
  EXPECT_THAT(Problem("[templates.host]\nmemory = \"1g\"\n"), HasSubstr(":2:1: "));
  EXPECT_THAT(Problem("[templates.host.network]\nallow = \"example.com\"\n"),
              HasSubstr("this is a list"));
  EXPECT_THAT(Problem("[templates.host.network]\nmode = [\"allow\"]\n"), HasSubstr("not a list"));
  EXPECT_THAT(Problem("[templates.host.network]\nallow = [\"*\"]\n"), HasSubstr(":2:1: "));
}

TEST(Templates, AreWithinWhatHoldsForAll) {
  const std::string open = "[templates.host.network]\nmode = \"open\"\n";
  EXPECT_THAT(Problem("[network]\nmax_mode = \"allow\"\n" + open),
              HasSubstr("templates.host.network: network: the network mode \"open\" is over"));
  EXPECT_THAT(Problem("[network]\nmax_connections = 5\n" + open + "limits.connections = 6\n"),
              HasSubstr("templates.host.network: \"network.limits.connections\" of 6 is over"));
  EXPECT_THAT(Problem("[templates.host.network]\nallow = [\"10.0.0.1:80\"]\n"),
              HasSubstr("network.private_allowed"));
  Good(From("[network]\nmax_connections = 5\nmax_bytes = \"1g\"\nmax_idle = \"1m\"\n" + open));
}

TEST(NetworkMaxima, AreThoseThatALimitMayBe) {
  const Config config =
      Good(From("[network]\nmax_connections = 64\nmax_connections_per_second = 50\n"
                "max_bytes_per_second = \"10m\"\nmax_bytes = \"10g\"\nmax_idle = \"10m\"\n"));
  const sandbox::NetworkMaxima& maxima = config.manager.network.maxima;
  EXPECT_EQ(maxima.connections, 64U);
  EXPECT_EQ(maxima.connections_per_second, 50U);
  EXPECT_EQ(maxima.bytes_per_second, 10 * kMiB);
  EXPECT_EQ(maxima.bytes, 10 * kGiB);
  EXPECT_EQ(maxima.idle, Millis(600'000));
  EXPECT_THAT(Problem("[network]\nmax_connections = 0\n"), HasSubstr("not from 1 to 4096"));
  EXPECT_THAT(Problem("[network]\nmax_connections = 4097\n"), HasSubstr("not from 1 to 4096"));
  EXPECT_THAT(Problem("[network]\nmax_idle = \"1500ms\"\n"), HasSubstr("whole seconds"));
}

TEST(RenderToml, IsReadBackAsTheSame) {
  Sources sources = From(
      "[[pools]]\ntemplate = \"host\"\nminimum = 2\n[hosts]\nallowed = "
      "[\"a.example\"]\n[http]\nunix_mode = \"0600\"\n"
      "[limits.defaults]\ncpus = 1.5\n"
      "[templates.host.network]\nallow = [\"example.com:80,443\"]\n");
  const LoadResult first = LoadAndExplain(sources);
  ASSERT_THAT(first.problems, IsEmpty());
  const Config second = Good(From(RenderToml(first.loaded)));
  const Changes changes = Compare(first.loaded.config, second);
  EXPECT_THAT(changes.applied, IsEmpty());
  EXPECT_THAT(changes.need_restart, IsEmpty());
}

TEST(CpuTime, IsInWholeSecondsAndWithinItsMaximum) {
  const Config config =
      Good(From("[limits.defaults]\ncpu_time = \"5m\"\n[limits.maxima]\ncpu_time = 600\n"));
  EXPECT_EQ(config.manager.default_cpu_time, Millis(300'000));
  EXPECT_EQ(config.manager.max_cpu_time, Millis(600'000));
  EXPECT_THAT(Problem("[limits.maxima]\ncpu_time = \"1h\"\n"),
              HasSubstr("limits.defaults.cpu_time (0s) is over limits.maxima.cpu_time (1h)"));
  EXPECT_THAT(Problem("[limits.defaults]\ncpu_time = \"1500ms\"\n"), HasSubstr("whole seconds"));
}

TEST(Health, ThresholdsAreWholePercents) {
  const Config config = Good(From("[health]\nmemory = 80\ncpu = \"70%\"\ndisk = 0\n"));
  EXPECT_EQ(config.manager.health.memory, 80);
  EXPECT_EQ(config.manager.health.cpu, 70);
  EXPECT_EQ(config.manager.health.disk, 0);
  EXPECT_THAT(Problem("[health]\nmemory = 101\n"), HasSubstr("health.memory"));
  EXPECT_THAT(Problem("[health]\nmemory = \"much\"\n"), HasSubstr("health.memory"));
}

TEST(Commands, PatternsAreCheckedAndRendered) {
  const Config config =
      Good(From("[commands]\nrefuse = ['wipe=rm\\s+-rf\\s+\"?/']\nflag = [\"a=x\", \"b=y\"]\n"
                "[log]\nexecutions = \"full\"\n"));
  EXPECT_THAT(config.commands.refuse, ElementsAre("wipe=rm\\s+-rf\\s+\"?/"));
  EXPECT_THAT(config.commands.flag, ElementsAre("a=x", "b=y"));
  EXPECT_EQ(config.commands.log, sandbox::ExecutionLog::kFull);
  const LoadResult loaded =
      LoadAndExplain(From("[commands]\nrefuse = ['wipe=rm\\s+-rf\\s+\"?/']\n"));
  EXPECT_THAT(Good(From(RenderToml(loaded.loaded))).commands.refuse,
              ElementsAre("wipe=rm\\s+-rf\\s+\"?/"));
  EXPECT_THAT(Problem("[commands]\nrefuse = [\"a=(\"]\n"), HasSubstr("missing )"));
  EXPECT_THAT(Problem("[log]\nexecutions = \"yes\"\n"), HasSubstr("off, summary, full"));
}

TEST(Projects, AllowedTypesAreCheckedAndRendered) {
  const LoadResult loaded =
      LoadAndExplain(From("[projects]\nallowed_types = [\"text/*\", \"image/png\"]\n"));
  EXPECT_THAT(Good(From(RenderToml(loaded.loaded))).projects.allowed_types,
              ElementsAre("text/*", "image/png"));
  EXPECT_THAT(Problem("[projects]\nallowed_types = [\"png\"]\n"), HasSubstr("\"png\""));
}

TEST(Network, BoundsAreCheckedAndRendered) {
  const LoadResult loaded = LoadAndExplain(
      From("[network]\nmax_mode = \"allow\"\nprivate_allowed = [\"10.1.2.0/24:5432\", "
           "\"host.cay.internal:8000\"]\ndeny = [\"*.example.com\"]\n"
           "resolver = [\"192.0.2.53:53\", \"[2001:db8::53]:5353\"]\n"));
  const auto& network = Good(From(RenderToml(loaded.loaded))).manager.network;
  EXPECT_EQ(network.bounds.max_mode, network::Mode::kAllow);
  EXPECT_THAT(network.bounds.private_allowed,
              ElementsAre("10.1.2.0/24:5432", "host.cay.internal:8000"));
  EXPECT_THAT(network.bounds.deny, ElementsAre("*.example.com"));
  EXPECT_THAT(network.resolvers, ElementsAre("192.0.2.53:53", "[2001:db8::53]:5353"));
}

TEST(Network, WhatIsWrongIsRefusedWithItsLine) {
  EXPECT_THAT(Problem("[network]\nmax_mode = \"all\"\n"), HasSubstr(":2:"));
  EXPECT_THAT(Problem("[network]\ndeny = [\"*\"]\n"), HasSubstr("network.deny"));
  EXPECT_THAT(Problem("[network]\nprivate_allowed = [\"db.example.com:5432\"]\n"),
              HasSubstr("what a name resolves to is not trusted"));
  for (const char* wrong : {"192.0.2.53", "dns.example.com:53", "192.0.2.0/24:53",
                            "192.0.2.53:53,54", "192.0.2.53:53-54", "192.0.2.53/32:53"}) {
    EXPECT_THAT(Problem("[network]\nresolver = [\"" + std::string(wrong) + "\"]\n"),
                HasSubstr("is not ADDRESS:PORT"))
        << wrong;
  }
}

TEST(Network, ThePackageCacheIsASizeOrNothing) {
  const LoadResult loaded =
      LoadAndExplain(From("[network]\ncache = \"2g\"\ncache_shared = true\n"));
  const auto& network = Good(From(RenderToml(loaded.loaded))).manager.network;
  EXPECT_EQ(network.cache, 2 * kGiB);
  EXPECT_TRUE(network.cache_shared);
  EXPECT_EQ(Good(From("")).manager.network.cache, 0U);
  EXPECT_EQ(Good(From("[network]\ncache = \"0\"\n")).manager.network.cache, 0U);
  EXPECT_THAT(Problem("[network]\ncache = \"1k\"\n"), HasSubstr("less than 1m"));
  EXPECT_THAT(Problem("[network]\ncache = \"much\"\n"), HasSubstr("network.cache"));
}

TEST(Network, AProxyIsShownWithoutItsPassword) {
  const LoadResult loaded =
      LoadAndExplain(From("[network]\nproxy = \"http://me:hunter2@proxy.example:3128\"\n"
                          "no_proxy = [\"*.corp.example\", \"10.0.0.0/8\"]\n"));
  EXPECT_EQ(loaded.loaded.config.manager.network.proxy, "http://me:hunter2@proxy.example:3128");
  EXPECT_THAT(loaded.loaded.config.manager.network.no_proxy,
              ElementsAre("*.corp.example", "10.0.0.0/8"));
  const std::string shown = RenderToml(loaded.loaded);
  EXPECT_THAT(shown, HasSubstr("\"http://me:***@proxy.example:3128\""));
  EXPECT_THAT(shown, testing::Not(HasSubstr("hunter2")));
  // What was shown is not taken for what it stands for.
  EXPECT_THAT(Problem("[network]\nproxy = \"http://me:***@proxy.example:3128\"\n"),
              HasSubstr("shown instead"));
}

TEST(Network, AWrongProxyIsRefusedWithoutItsPassword) {
  for (const char* wrong : {"https://me:hunter2@a.example:1", "http://me:hunter2@a.example"}) {
    const std::string problem = Problem("[network]\nproxy = \"" + std::string(wrong) + "\"\n");
    EXPECT_THAT(problem, HasSubstr("network.proxy"));
    EXPECT_THAT(problem, testing::Not(HasSubstr("hunter2")));
  }
  EXPECT_THAT(Problem("[network]\nno_proxy = [\"10.0.0.1/8\"]\n"), HasSubstr("network.no_proxy"));
}

TEST(Network, AProxysPasswordIsNotTakenFromACommandLine) {
  Sources sources = From("");
  sources.flags = {{"network.proxy", {"http://me:hunter2@proxy.example:3128"}}};
  const LoadResult refused = LoadAndExplain(sources);
  ASSERT_FALSE(refused.problems.empty());
  EXPECT_THAT(refused.problems.front().ToString(),
              testing::AllOf(HasSubstr("--set network.proxy: everybody"),
                             HasSubstr("CAY_NETWORK_PROXY"), testing::Not(HasSubstr("hunter2"))));
  sources.flags = {{"network.proxy", {"http://me@proxy.example:3128"}}};
  EXPECT_TRUE(LoadAndExplain(sources).problems.empty());
}

TEST(Pulls, AreSaidBesideTheTablesOfTemplates) {
  const Config config =
      Good(From("[templates]\npull = \"always\"\nallow = [\"python\", \"team/*\"]\n"
                "mirrors = [\"docker.io=mirror.example:5000\"]\nmax_size = \"2g\"\n"
                "max_concurrent_pulls = 3\npull_timeout = \"5m\"\n"
                "[templates.host.network]\nmode = \"allow\"\n"
                "[templates.\"python:3.12\".network]\nmode = \"open\"\n"));
  EXPECT_EQ(config.pulls.policy, sandbox::PullPolicy::kAlways);
  EXPECT_THAT(config.pulls.allow, ElementsAre("python", "team/*"));
  EXPECT_THAT(config.pulls.mirrors, ElementsAre("docker.io=mirror.example:5000"));
  EXPECT_EQ(config.pulls.max_size, 2 * kGiB);
  EXPECT_EQ(config.pulls.at_a_time, 3U);
  EXPECT_EQ(config.pulls.timeout, Millis(300'000));
  EXPECT_TRUE(config.manager.network.of_templates.contains("host"));
  EXPECT_TRUE(config.manager.network.of_templates.contains("python:3.12"));
}

TEST(Space, IsOneBudgetAndAnAge) {
  EXPECT_EQ(Good(From("")).space, templates::SpaceBudget());
  const Config config = Good(From("[templates]\nspace = \"100g\"\nspace_age = \"30d\"\n"));
  EXPECT_EQ(config.space.max_bytes, 100 * kGiB);
  EXPECT_EQ(config.space.max_age, Millis(30LL * 24 * 3'600'000));
  EXPECT_THAT(Problem("[templates]\nspace = \"much\"\n"), HasSubstr("templates.space"));
}

TEST(Pulls, WhatIsWrongIsSaidByItsKey) {
  EXPECT_THAT(Problem("[templates]\npul = \"never\"\n"), HasSubstr("did you mean templates.pull"));
  EXPECT_THAT(Problem("[templates]\npull = \"often\"\n"), HasSubstr("none of never, missing"));
  EXPECT_THAT(Problem("[templates]\npull = [\"never\"]\n"), HasSubstr("one value, not a list"));
  EXPECT_THAT(Problem("[templates]\nallow = [\"a b\"]\n"), HasSubstr("no pattern of images"));
  EXPECT_THAT(Problem("[templates]\nmirrors = [\"docker.io\"]\n"), HasSubstr("no mirror"));
  EXPECT_THAT(Problem("[templates]\nprivate_registries = [\"10.0.0.1/8\"]\n"),
              HasSubstr("templates.private_registries"));
  EXPECT_THAT(Problem("[templates]\ncredentials = \"config.json\"\n"), HasSubstr("absolute"));
  EXPECT_THAT(Problem("[templates]\nmax_concurrent_pulls = 17\n"), HasSubstr("from 1 to 16"));
  EXPECT_THAT(Problem("[templates]\npull_timeout = \"10ms\"\n"), HasSubstr("less than 1s"));
}

// CAY_WRITE_DOCS=1 writes it anew.
TEST(RenderMarkdown, IsTheDocumentInTheTree) {
  const std::string path = CAY_SOURCE_DIR "/docs/configuration.md";
  if (::getenv("CAY_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(WriteFileAtomic(path, RenderMarkdown(), 0644));
  }
  const Result<std::string> document = ReadFile(path);
  ASSERT_TRUE(document);
  EXPECT_EQ(*document, RenderMarkdown());
}

}  // namespace
}  // namespace cay::config
