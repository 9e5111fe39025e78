// Configurations as builders write them, and as they must not be.
#include "template/oci/image_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "template/oci/history.h"

namespace cay::templates::oci {
namespace {

using std::chrono::nanoseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Sha(char letter) { return "sha256:" + std::string(64, letter); }

// An image of one layer, with these members of `config`.
std::string With(std::string_view process, std::string_view more = "") {
  return R"({"architecture":"amd64","os":"linux","config":{)" + std::string(process) +
         R"(},"rootfs":{"type":"layers","diff_ids":[")" + Sha('1') + R"("]})" + std::string(more) +
         "}";
}

std::string WhyNot(std::string_view json) {
  const auto config = DecodeImageConfig(json);
  return config ? "it was read" : config.error().message();
}

ErrorCode CodeOf(std::string_view json) { return DecodeImageConfig(json).error().code(); }

// As Docker writes it for an image with all that a Dockerfile can say.
const std::string kDockers = R"({
  "architecture": "amd64",
  "config": {
    "Hostname": "", "Domainname": "", "User": "app:1000", "AttachStdin": false, "Tty": false,
    "ExposedPorts": { "8080/tcp": {}, "53/udp": {}, "9000": {}, "7000-7009/TCP": {} },
    "Env": [ "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PYTHON_VERSION=3.12.11", "EMPTY=" ],
    "Cmd": [ "python3" ],
    "Healthcheck": {
      "Test": [ "CMD-SHELL", "curl -f http://localhost/ || exit 1" ],
      "Interval": 30000000000, "Timeout": 10000000000, "StartPeriod": 5000000000,
      "StartInterval": 1500000001, "Retries": 3
    },
    "ArgsEscaped": true, "Image": "sha256:0", "Volumes": { "/data": {}, "/var/lib/x": null },
    "WorkingDir": "/app", "Entrypoint": [ "/entry.sh", "--" ], "OnBuild": [ "RUN true" ],
    "Labels": { "maintainer": "someone", "a.b": "" }, "StopSignal": "SIGINT",
    "Shell": [ "/bin/bash", "-c" ]
  },
  "container": "0123", "container_config": { "Cmd": null }, "docker_version": "20.10.23",
  "created": "2026-03-17T20:41:29.123456789Z", "author": "someone <someone@example.com>",
  "history": [
    { "created": "2026-03-17T00:00:00Z", "created_by": "# debian.sh --arch 'amd64'", "comment": "debuerreotype 0.15" },
    { "created": "2026-03-17T20:41:29Z", "created_by": "ENV LANG=C.UTF-8", "comment": "buildkit.dockerfile.v0", "empty_layer": true },
    { "created": "2026-03-17T20:41:29.5+01:00", "created_by": "RUN /bin/sh -c true", "author": "x" }
  ],
  "os": "linux", "variant": "v2", "os.version": "1", "os.features": ["f"],
  "rootfs": { "type": "layers", "diff_ids": [ ")" +
                             Sha('1') + R"(", ")" + Sha('2') + R"(" ] }
})";

TEST(ImageConfig, OfDockerIsRead) {
  const auto config = DecodeImageConfig(kDockers);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->platform.Text(), "linux/amd64/v2");
  EXPECT_EQ(config->platform.os_version, "1");
  EXPECT_EQ(config->created, "2026-03-17T20:41:29.123456789Z");
  const ProcessConfig& process = config->process;
  EXPECT_EQ(process.user, "app:1000");
  std::vector<std::string> ports;
  for (const ExposedPort& port : process.exposed_ports) ports.push_back(port.Text());
  EXPECT_THAT(ports, ElementsAre("53/udp", "7000-7009/tcp", "8080/tcp", "9000/tcp"));
  EXPECT_THAT(process.env, SizeIs(4));
  EXPECT_THAT(process.cmd, ElementsAre("python3"));
  EXPECT_THAT(process.entrypoint, ElementsAre("/entry.sh", "--"));
  EXPECT_THAT(process.volumes, ElementsAre("/data", "/var/lib/x"));
  EXPECT_EQ(process.working_dir, "/app");
  EXPECT_EQ(process.labels, (StringMap{{"maintainer", "someone"}, {"a.b", ""}}));
  EXPECT_EQ(process.stop_signal, "SIGINT");
  EXPECT_THAT(process.shell, ElementsAre("/bin/bash", "-c"));
  EXPECT_THAT(process.on_build, ElementsAre("RUN true"));
  ASSERT_TRUE(process.healthcheck);
  EXPECT_EQ(process.healthcheck->interval, std::chrono::seconds(30));
  EXPECT_EQ(process.healthcheck->start_interval, nanoseconds(1'500'000'001));
  EXPECT_EQ(process.healthcheck->retries, 3U);
  ASSERT_THAT(config->history, SizeIs(3));
  EXPECT_TRUE(config->history[1].empty_layer);
  EXPECT_EQ(config->history[0].comment, "debuerreotype 0.15");
  EXPECT_EQ(config->diff_ids[1].text(), Sha('2'));
}

TEST(ImageConfig, IsEncodedAsItIsDecoded) {
  for (const std::string& json : {kDockers, With("")}) {
    const ImageConfig config = DecodeImageConfig(json).value();
    const auto text = EncodeImageConfig(config);
    ASSERT_TRUE(text) << text.error().message();
    EXPECT_EQ(DecodeImageConfig(*text), config);
  }
}

TEST(ImageConfig, IsEncodedWithoutWhatIsEmpty) {
  EXPECT_EQ(
      EncodeImageConfig(DecodeImageConfig(With(R"("ExposedPorts":{"80":{}},"User":"")")).value()),
      R"({"architecture":"amd64","os":"linux","config":{"ExposedPorts":{"80/tcp":{}}},)"
      R"("rootfs":{"type":"layers","diff_ids":[")" +
          Sha('1') + R"("]}})");
}

TEST(ImageConfig, ThatCouldNotBeDecodedIsNotEncoded) {
  ImageConfig config = DecodeImageConfig(With("")).value();
  config.process.user = "\xff";
  EXPECT_THAT(EncodeImageConfig(config).error().message(), HasSubstr("no UTF-8"));
  config = DecodeImageConfig(With("")).value();
  config.process.env = {"=x"};
  EXPECT_THAT(EncodeImageConfig(config).error().message(), HasSubstr("without a name"));
}

// Kaniko writes an entry for each instruction, with time zero.
TEST(ImageConfig, OfKanikoHasEmptyLayersInItsHistory) {
  const auto config = DecodeImageConfig(R"({"architecture":"amd64","os":"linux",
    "created":"0001-01-01T00:00:00Z","config":{"Env":null,"Cmd":["/bin/sh"],"Labels":null},
    "history":[{"created":"0001-01-01T00:00:00Z","created_by":"ENV A=b","empty_layer":true},
               {"author":"kaniko","created":"0001-01-01T00:00:00Z","created_by":"COPY . /"},
               {"created":"0001-01-01T00:00:00Z","created_by":"CMD","empty_layer":true}],
    "rootfs":{"type":"layers","diff_ids":[")" +
                                        Sha('1') + R"("]}})");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_THAT(config->history, SizeIs(3));
  EXPECT_THAT(config->process.env, IsEmpty());
}

TEST(ImageConfig, MayHaveNoConfigNoHistoryAndNoLayer) {
  const auto config = DecodeImageConfig(
      R"({"architecture":"arm64","os":"linux","config":null,"rootfs":{"type":"layers","diff_ids":null}})");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->process, ProcessConfig());
  EXPECT_THAT(config->diff_ids, IsEmpty());
}

TEST(ImageConfig, AHistoryIsCompletedBelowWhatItTells) {
  auto config = DecodeImageConfig(R"({"architecture":"amd64","os":"linux",
    "history":[{"created_by":"ENV A=b","empty_layer":true},{"created_by":"COPY . /"}],
    "rootfs":{"type":"layers","diff_ids":[")" +
                                  Sha('1') + R"(",")" + Sha('2') + R"(",")" + Sha('3') + R"("]}})");
  ASSERT_TRUE(config) << config.error().message();
  CompleteHistory(*config);
  ASSERT_THAT(config->history, SizeIs(4));
  EXPECT_EQ(config->history[1], HistoryEntry());
  EXPECT_EQ(config->history[3].created_by, "COPY . /");
  const ImageConfig complete = *config;
  CompleteHistory(*config);
  EXPECT_EQ(*config, complete);
  const auto read_again = DecodeImageConfig(*EncodeImageConfig(complete));
  ASSERT_TRUE(read_again) << read_again.error().message();
  EXPECT_EQ(*read_again, complete);
}

TEST(ImageConfig, ThatIsWrongSaysWhere) {
  const std::pair<std::string, std::string> all[] = {
      {"[]", "the document must be a JSON object"},
      {R"({"os":"linux","rootfs":{"type":"layers"}})", "\"architecture\" is missing"},
      {R"({"architecture":"amd64","rootfs":{"type":"layers"}})", "\"os\" is missing"},
      {R"({"architecture":"amd64","os":"linux"})", "\"rootfs\" is missing"},
      {R"({"architecture":"amd64","os":"linux","rootfs":[]})", "\"rootfs\" must be an object"},
      {R"({"architecture":"amd64","os":"linux","rootfs":{}})", "\"rootfs.type\" must be"},
      {R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers+base"}})",
       "\"rootfs.type\" must be"},
      {R"({"rootfs":{"type":"layers","diff_ids":["sha256:1"]}})", "\"rootfs.diff_ids[0]\""},
      {R"({"rootfs":{"type":"layers","diff_ids":[1]}})", "\"rootfs.diff_ids[0]\" must be a string"},
      {R"({"os":1,"rootfs":{"type":"layers"}})", "\"os\" must be a string"},
      {R"({"os":"a\u0001","architecture":"a","rootfs":{"type":"layers"}})", "\"os\" has a byte"},
      {With("", R"(,"config":{})"), "twice"},
      {With("", R"(,"Config":{})"), "\"Config\" differs"},
      {With("", R"(,"RootFS":{})"), "\"RootFS\" differs"},
      {With(R"("user":"root")"), "\"config.user\" differs"},
      {With(R"("User":0)"), "\"config.User\" must be a string"},
      {With(R"("User":"a\u0000b")"), "\"config.User\" has a NUL byte"},
      {With(R"("Env":{})"), "\"config.Env\" must be an array"},
      {With(R"("Env":["A=1",2])"), "\"config.Env[1]\" must be a string"},
      {With(R"("Env":["A=1","B=\u0000"])"), "\"config.Env[1]\" has a NUL byte"},
      {With(R"("Env":["A=1",""])"), "\"config.Env[1]\" is a variable without a name"},
      {With(R"("Env":["=x"])"), "\"config.Env[0]\" is a variable without a name"},
      {With(R"("Entrypoint":"/bin/sh")"), "\"config.Entrypoint\" must be an array"},
      {With(R"("ExposedPorts":["80"])"), "\"config.ExposedPorts\" must be an object"},
      {With(R"("ExposedPorts":{"80":1})"), "\"config.ExposedPorts.80\" must be an object"},
      {With(R"("ExposedPorts":{"0/tcp":{}})"), "\"config.ExposedPorts\": no port: \"0/tcp\""},
      {With(R"("ExposedPorts":{"65536/tcp":{}})"), "no port"},
      {With(R"("ExposedPorts":{"80/icmp":{}})"), "no port"},
      {With(R"("ExposedPorts":{"90-80/tcp":{}})"), "no port"},
      {With(R"("ExposedPorts":{"80/":{}})"), "no port"},
      {With(R"("ExposedPorts":{"-80":{}})"), "no port"},
      {With(R"("Volumes":{"":{}})"), "\"config.Volumes\" has an empty name"},
      {With(R"("Labels":{"a":1})"), "\"config.Labels.a\" must be a string"},
      {With(R"("Healthcheck":[])"), "\"config.Healthcheck\" must be an object"},
      {With(R"("Healthcheck":{"Test":"curl"})"), "\"config.Healthcheck.Test\" must be an array"},
      {With(R"("Healthcheck":{"Interval":"30s"})"), "\"config.Healthcheck.Interval\" must be"},
      {With(R"("Healthcheck":{"Interval":-1})"), "\"config.Healthcheck.Interval\" must be"},
      {With(R"("Healthcheck":{"Retries":2147483648})"), "\"config.Healthcheck.Retries\" is over"},
      {With("", R"(,"created":"yesterday")"), "\"created\" is no time"},
      {With("", R"(,"history":{})"), "\"history\" must be an array"},
      {With("", R"(,"history":[{"empty_layer":"yes"}])"), "\"history[0].empty_layer\" must be"},
      {With("", R"(,"history":[{"created":"2026-13-01T00:00:00Z"}])"), "\"history[0].created\""},
      {With("", R"(,"history":[{},{}])"), "2 entries that made a layer"},
  };
  for (const auto& [json, why] : all) EXPECT_THAT(WhyNot(json), HasSubstr(why)) << json;
}

TEST(ImageConfig, IsBounded) {
  const auto list = [](size_t entries) {
    std::string json = R"("Env":[)";
    for (size_t i = 0; i < entries; ++i) json += i == 0 ? "\"A=\"" : ",\"A=\"";
    return With(json + "]");
  };
  EXPECT_TRUE(DecodeImageConfig(list(kMaxConfigList)));
  EXPECT_EQ(CodeOf(list(kMaxConfigList + 1)), ErrorCode::kLimitTooHigh);
  const auto text = [](size_t bytes) {
    return With(R"("WorkingDir":")" + std::string(bytes, 'a') + "\"");
  };
  EXPECT_TRUE(DecodeImageConfig(text(kMaxConfigText)));
  EXPECT_EQ(CodeOf(text(kMaxConfigText + 1)), ErrorCode::kLimitTooHigh);
  std::string padded = With("");
  padded.append(kMaxImageConfig - padded.size(), ' ');
  EXPECT_TRUE(DecodeImageConfig(padded));
  EXPECT_EQ(CodeOf(padded + " "), ErrorCode::kLimitTooHigh);
  std::string layers = "\"" + Sha('1') + "\"";
  for (size_t i = 1; i < kMaxLayers + 1; ++i) layers += ",\"" + Sha('1') + "\"";
  EXPECT_EQ(CodeOf(R"({"rootfs":{"type":"layers","diff_ids":[)" + layers + "]}}"),
            ErrorCode::kLimitTooHigh);
  EXPECT_EQ(CodeOf(R"({"os":")" + std::string(65, 'a') +
                   R"(","architecture":"a","rootfs":{"type":"layers"}})"),
            ErrorCode::kLimitTooHigh);
}

TEST(ImageConfig, HasADiffIdForEachLayerOfTheManifest) {
  const ImageConfig config = DecodeImageConfig(kDockers).value();
  const Descriptor layer{.media_type = std::string(kOciLayerTar), .digest = config.diff_ids[0]};
  Manifest manifest{
      .media_type = std::string(kOciManifest), .config = layer, .layers = {layer, layer}};
  EXPECT_TRUE(CheckLayers(config, manifest));
  manifest.layers.pop_back();
  const auto checked = CheckLayers(config, manifest);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message(), HasSubstr("2 layers"));
}

TEST(EnvironmentOf, TakesTheLastValueAndWhatIsTakenAway) {
  EXPECT_THAT(EnvironmentOf({"A=1", "B=2", "A=3", "C", "D=", "E=4", "E"}),
              ElementsAre("A=3", "B=2", "D="));
  EXPECT_THAT(EnvironmentOf({"A=1", "B=2", "A", "A=x=y"}), ElementsAre("B=2", "A=x=y"));
  EXPECT_THAT(EnvironmentOf({}), IsEmpty());
}

}  // namespace
}  // namespace cay::templates::oci
