#include "template/dockerfile/image_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "template/dockerfile/dockerfile.h"
#include "template/dockerfile/expansion.h"

namespace cay::templates::dockerfile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

oci::ImageConfig Base() {
  oci::ImageConfig config{.platform = {.os = "linux", .architecture = "amd64"}};
  config.process.env = {"PATH=/bin", "A=1"};
  config.process.cmd = {"base"};
  config.process.working_dir = "/base";
  config.process.exposed_ports = {{.first = 80, .last = 80}};
  config.process.on_build = {"RUN x"};
  return config;
}

// What the lines make of the base, and an encoder takes.
oci::ImageConfig After(std::initializer_list<std::string_view> lines,
                       const oci::ImageConfig& base = Base()) {
  ImageChanges changes(base);
  for (const std::string_view line : lines) {
    const auto expanded = ExpandInstruction(ParseInstruction(line).value(), Variables());
    EXPECT_TRUE(expanded) << line;
    const auto done = changes.Apply(expanded->instruction);
    EXPECT_TRUE(done) << line << ": " << (done ? "" : done.error().message());
  }
  oci::ImageConfig config = std::move(changes).Take();
  const auto encoded = oci::EncodeImageConfig(config);
  EXPECT_TRUE(encoded) << encoded.error().message();
  EXPECT_EQ(oci::DecodeImageConfig(*encoded).value(), config);
  return config;
}

std::string WhyNot(std::string_view line, oci::ImageConfig base = Base()) {
  ImageChanges changes(std::move(base));
  const auto done = changes.Apply(ParseInstruction(line).value());
  return done ? "it is good" : done.error().message();
}

TEST(ImageChanges, OfEnvReplaceOrAdd) {
  EXPECT_THAT(After({"ENV A=2 B=3", "ENV B=4 PATH="}).process.env,
              ElementsAre("PATH=", "A=2", "B=4"));
}

TEST(ImageChanges, OfLabel) {
  EXPECT_EQ(After({"LABEL a=1 b=2", "LABEL a=3"}).process.labels,
            (StringMap{{"a", "3"}, {"b", "2"}}));
}

TEST(ImageChanges, OfWorkdirAreBelowTheLast) {
  EXPECT_EQ(After({"WORKDIR a/", "WORKDIR ../b//c"}).process.working_dir, "/base/b/c");
  EXPECT_EQ(After({"WORKDIR /x/../y"}).process.working_dir, "/y");
  EXPECT_EQ(After({"WORKDIR ../../.."}).process.working_dir, "/");
  EXPECT_EQ(PathBelow("", "a"), "/a");
  EXPECT_EQ(PathBelow("/a", ""), "/a");
}

TEST(ImageChanges, OfCmdAndEntrypoint) {
  oci::ImageConfig config = After({"CMD echo a"});
  EXPECT_EQ(config.process.cmd, (Words{"/bin/sh", "-c", "echo a"}));
  config = After({"SHELL [\"bash\", \"-ec\"]", "ENTRYPOINT a b"});
  EXPECT_EQ(config.process.entrypoint, (Words{"bash", "-ec", "a b"}));
  EXPECT_THAT(config.process.cmd, IsEmpty()) << "the base's is gone";
  config = After({"CMD [\"a\"]", "ENTRYPOINT [\"e\"]"});
  EXPECT_EQ(config.process.cmd, Words{"a"});
  EXPECT_EQ(After({"ENTRYPOINT [\"e\"]", "CMD [\"a\"]"}).process.cmd, Words{"a"});
  EXPECT_THAT(After({"CMD []"}).process.cmd, IsEmpty());
  EXPECT_THAT(After({"ENTRYPOINT []"}).process.cmd, IsEmpty());
}

TEST(ImageChanges, OfExposeAreSingleSortedPorts) {
  std::string all;
  for (const auto& port :
       After({"EXPOSE 90/udp 8000-8002 80", "EXPOSE 1.2.3.4:9:7"}).process.exposed_ports) {
    all += port.Text() + " ";
  }
  EXPECT_EQ(all, "7/tcp 80/tcp 90/udp 8000/tcp 8001/tcp 8002/tcp ");
}

TEST(ImageChanges, OfTheOthers) {
  const oci::ImageConfig config =
      After({"USER u:g", "VOLUME /a /b", "VOLUME [\"/a\"]", "STOPSIGNAL SIGINT",
             "HEALTHCHECK --interval=5s CMD x", "ONBUILD RUN y", "MAINTAINER m", "RUN x",
             "COPY a b", "ADD a b", "ARG a=b", "FROM x"});
  EXPECT_EQ(config.process.user, "u:g");
  EXPECT_THAT(config.process.volumes, ElementsAre("/a", "/b"));
  EXPECT_EQ(config.process.stop_signal, "SIGINT");
  EXPECT_EQ(config.process.healthcheck->test, (Words{"CMD-SHELL", "x"}));
  EXPECT_EQ(config.process.healthcheck->interval, std::chrono::seconds(5));
  EXPECT_EQ(config.process.on_build, Words{"RUN y"}) << "the base's is done, not inherited";
  EXPECT_EQ(config.author, "m");
  EXPECT_EQ(After({"HEALTHCHECK NONE"}).process.healthcheck->test, Words{"NONE"});
}

TEST(ImageChanges, OfNothingAreNone) {
  oci::ImageConfig base = Base();
  base.process.on_build.clear();
  EXPECT_EQ(After({}, base), base);
}

TEST(ImageChanges, AreBounded) {
  oci::ImageConfig base = Base();
  while (base.process.env.size() < oci::kMaxConfigList) {
    base.process.env.push_back("V" + std::to_string(base.process.env.size()) + "=");
  }
  EXPECT_EQ(WhyNot("ENV A=b", base), "it is good");
  EXPECT_THAT(WhyNot("ENV X=b", base), HasSubstr("line 1: ENV: an image has no more than 1024"));
  EXPECT_THAT(WhyNot("USER " + std::string(oci::kMaxConfigText + 1, 'a')),
              HasSubstr("USER: the user is over the maximum of 131072 bytes"));
  EXPECT_THAT(WhyNot("EXPOSE 1-1025"), HasSubstr("exposed ports"));
}

TEST(CheckSignal, KnowsSignals) {
  for (const std::string_view good :
       {"9", "64", "SIGTERM", "term", "Kill", "RTMIN", "SIGRTMIN+3", "RTMAX-30", "SIGXFSZ"}) {
    EXPECT_TRUE(CheckSignal(good)) << good;
  }
  for (const std::string_view bad :
       {"", "0", "65", "-1", "SIG", "SIGX", "RTMIN-1", "RTMAX+1", "RTMIN+31", "RTMINx", "9 "}) {
    EXPECT_FALSE(CheckSignal(bad)) << bad;
  }
}

}  // namespace
}  // namespace cay::templates::dockerfile
