#include "template/dockerfile/stages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::templates::dockerfile {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A file and its stages.
struct Read {
  explicit Read(std::string_view text, const StageOptions& options = {})
      : file(ParseDockerfile(text).value()), stages(Stages::Of(file, options).value()) {}

  Dockerfile file;
  Stages stages;
};

std::string WhyNot(std::string_view text, const StageOptions& options = {}) {
  const auto file = ParseDockerfile(text);
  if (!file) return "not parsed: " + file.error().message();
  const auto stages = Stages::Of(*file, options);
  return stages ? "it is good" : stages.error().message();
}

auto HasRule(std::string_view rule) { return Contains(Field(&Warning::rule, rule)); }

// What a stage that begins with an image has when it was gone through.
StageVariables Through(const Stages& stages, size_t index) {
  const Stage& stage = stages.all()[index];
  StageVariables variables =
      stage.base ? Through(stages, *stage.base) : StageVariables(stages, {"PATH=/bin", "I=image"});
  for (const Instruction& instruction : stage.instructions) {
    const auto expanded = variables.Step(instruction);
    EXPECT_TRUE(expanded) << expanded.error().message();
  }
  return variables;
}

TEST(Stages, AreThoseOfTheFileInTheirOrder) {
  const Read read(
      "FROM a AS one\nRUN x\nFROM scratch\nCOPY --from=one /a /b\nFROM ONE AS three\n"
      "COPY --from=1 /a /b\nRUN --mount=from=debian:12,target=/x --mount=from=one,target=/y z\n");
  const auto& all = read.stages.all();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].image, "a");
  EXPECT_EQ(all[0].instructions.size(), 1U);
  EXPECT_EQ(all[1].image, "scratch");
  EXPECT_THAT(all[1].needs, ElementsAre(0));
  EXPECT_EQ(all[1].Display(1), "stage-1");
  EXPECT_EQ(all[2].base, 0U);
  EXPECT_EQ(all[2].image, "");
  EXPECT_THAT(all[2].needs, ElementsAre(0, 1));
  EXPECT_THAT(all[2].images, ElementsAre("debian:12"));
  EXPECT_EQ(all[2].from->first_line, 5U);
  EXPECT_EQ(read.stages.target(), 2U);
  EXPECT_THAT(read.stages.order(), ElementsAre(0, 1, 2));
}

TEST(Stages, ThatTheTargetDoesNotNeedAreLeftOut) {
  const std::string text =
      "FROM a AS one\nFROM b AS two\nFROM one AS three\nFROM c AS four\nCOPY --from=two a b\n"
      "FROM three AS five\nCOPY --from=four a b\nFROM d AS six";
  const auto order = [&text](std::string target) {
    return Read(text, {.target = std::move(target)}).stages.order();
  };
  EXPECT_THAT(order(""), ElementsAre(5));
  EXPECT_THAT(order("Five"), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(order("four"), ElementsAre(1, 3));
  EXPECT_THAT(order("2"), ElementsAre(0, 2));
  EXPECT_THAT(order("0"), ElementsAre(0));
}

TEST(Stages, SayWhatIsWrong) {
  const std::pair<std::string_view, std::string_view> all[] = {
      {"FROM a AS b\nFROM c AS B", "line 2: FROM: line 1 has a stage \"b\" already"},
      {"FROM a\nCOPY --from=later x y\nFROM b AS later",
       "line 2: COPY: the stage \"later\" has to stand before this one"},
      {"FROM a AS b\nCOPY --from=b x y", "cannot take files from itself"},
      {"FROM a\nCOPY --from=0 x y", "there is no stage 0 before this one"},
      {"FROM a\nRUN --mount=from=7,target=/x y", "line 2: RUN: there is no stage 7"},
      {"ARG X\nFROM $X", "line 2: FROM: the image is empty"},
      {"FROM ${X:?needed}", "line 1: FROM: the variable X: needed"},
      {"ARG X=${Y:?no}\nFROM a", "line 1: ARG: the variable Y: no"},
      {"FROM --platform=$X a", "--platform"},
      {"FROM a:b:c", "line 1: FROM: "},
      {"FROM a\nCOPY --from=X:y:z a b", "line 1: FROM: "},
  };
  for (const auto& [text, why] : all) EXPECT_THAT(WhyNot(text), HasSubstr(why)) << text;
  EXPECT_EQ(WhyNot("FROM a:b:c\nFROM b"), "it is good") << "it is not needed";
  EXPECT_THAT(WhyNot("FROM a AS builder\nFROM b AS c", {.target = "bilder"}),
              HasSubstr("no stage \"bilder\", did you mean \"builder\"? (there are: builder, c)"));
  EXPECT_THAT(WhyNot("FROM a", {.target = "1"}), HasSubstr("(none has a name)"));
}

TEST(Stages, MayBeCalledAsTheirImage) {
  const Read read("FROM golang AS golang\nFROM debian\nFROM x AS debian");
  EXPECT_EQ(read.stages.all()[0].image, "golang");
  EXPECT_EQ(read.stages.all()[1].image, "debian");
  EXPECT_THAT(read.stages.warnings(), HasRule("LaterStageInFrom"));
  EXPECT_THAT(Read("FROM a AS scratch\nFROM b").stages.warnings(), HasRule("ReservedStageName"));
}

TEST(Stages, HaveGlobalArgumentsInFrom) {
  const std::string text =
      "ARG V=1 IMAGE=a:$V\nARG PLATFORM\nFROM --platform=${PLATFORM:-$BUILDPLATFORM} $IMAGE\n";
  const oci::Platform arm{.os = "linux", .architecture = "arm64"};
  const Read read(text, {.build_platform = arm});
  EXPECT_EQ(read.stages.all()[0].image, "a:1");
  EXPECT_EQ(read.stages.all()[0].platform, arm);
  const Read other(text, {.build_args = {{"V", "2"}, {"PLATFORM", "linux/amd64"}}});
  EXPECT_EQ(other.stages.all()[0].image, "a:2");
  EXPECT_EQ(other.stages.all()[0].platform->architecture, "amd64");
  EXPECT_THAT(other.stages.warnings(), IsEmpty());
  EXPECT_THAT(Read("FROM a$X").stages.warnings(), HasRule("UndefinedArgInFrom"));
}

TEST(Stages, WarnOfBuildArgumentsThatNothingDeclares) {
  const StageOptions options{.build_args = {{"A", "1"}, {"B", "1"}, {"HTTP_PROXY", "x"}}};
  const Read read("FROM a\nARG A", options);
  ASSERT_EQ(read.stages.warnings().size(), 1U);
  EXPECT_THAT(read.stages.warnings()[0].text, HasSubstr("\"B\""));
}

TEST(Stages, DoWhatOnBuildOfTheirBaseSays) {
  const Read read(
      "FROM a AS s\nFROM b AS one\nONBUILD COPY --from=s /x /y\nONBUILD RUN z\nFROM one AS two\n"
      "FROM two\n");
  const auto& all = read.stages.all();
  ASSERT_EQ(all[2].triggers.size(), 2U);
  EXPECT_EQ(all[2].triggers[0].As<Copy>()->from, "s");
  EXPECT_EQ(all[2].triggers[0].first_line, 5U);
  EXPECT_THAT(all[2].needs, ElementsAre(0, 1));
  EXPECT_THAT(all[1].needs, IsEmpty());
  EXPECT_THAT(all[3].triggers, IsEmpty());
  EXPECT_THAT(read.stages.order(), ElementsAre(0, 1, 2, 3));
}

TEST(FindStage, TellsStagesFromImages) {
  const Read read("FROM a AS one\nFROM b AS two\nFROM c");
  const auto& all = read.stages.all();
  EXPECT_EQ(FindStage(all, 2, "TWO").value(), 1U);
  EXPECT_EQ(FindStage(all, 2, "0").value(), 0U);
  EXPECT_EQ(FindStage(all, 2, "nginx:1").value(), std::nullopt);
  EXPECT_FALSE(FindStage(all, 1, "two"));
  EXPECT_FALSE(FindStage(all, 2, "2"));
}

TEST(PlatformArguments, AreThoseOfBuildKit) {
  const StringMap arguments =
      PlatformArguments({.os = "linux", .architecture = "amd64"},
                        {.os = "linux", .architecture = "arm", .variant = "v7"}, "");
  EXPECT_EQ(arguments.at("BUILDPLATFORM"), "linux/amd64");
  EXPECT_EQ(arguments.at("BUILDVARIANT"), "");
  EXPECT_EQ(arguments.at("TARGETPLATFORM"), "linux/arm/v7");
  EXPECT_EQ(arguments.at("TARGETOS"), "linux");
  EXPECT_EQ(arguments.at("TARGETARCH"), "arm");
  EXPECT_EQ(arguments.at("TARGETVARIANT"), "v7");
  EXPECT_EQ(arguments.at("TARGETSTAGE"), "default");
  EXPECT_EQ(arguments.size(), 11U);
  EXPECT_TRUE(IsProxyArgument("no_proxy"));
  EXPECT_FALSE(IsProxyArgument("No_Proxy"));
}

TEST(StageVariables, AreWhatArgAndEnvGive) {
  const Read read(
      "ARG G=global\nFROM a\nARG G D=$G/d O=default U I\nENV E=$D E2=$E\nARG O2=$O\nENV O=env\n"
      "ARG TARGETSTAGE\n",
      {.build_args = {{"O", "given"}}});
  const StageVariables variables = Through(read.stages, 0);
  const auto value = [&variables](std::string_view name) {
    const std::string* found = variables.all().Find(name);
    return found == nullptr ? "not set" : *found;
  };
  EXPECT_EQ(value("PATH"), "/bin");
  EXPECT_EQ(value("G"), "global");
  EXPECT_EQ(value("D"), "global/d");
  EXPECT_EQ(value("E"), "global/d");
  EXPECT_EQ(value("E2"), "") << "E was not set before the instruction";
  EXPECT_EQ(value("O2"), "given");
  EXPECT_EQ(value("O"), "env");
  EXPECT_EQ(value("U"), "not set");
  EXPECT_EQ(value("I"), "image");
  EXPECT_EQ(value("TARGETSTAGE"), "default");
  EXPECT_THAT(
      variables.arguments(),
      ElementsAre(Arg::Declaration{"D", "global/d"}, Arg::Declaration{"G", "global"},
                  Arg::Declaration{"I", std::nullopt}, Arg::Declaration{"O", "given"},
                  Arg::Declaration{"O2", "given"}, Arg::Declaration{"TARGETSTAGE", "default"},
                  Arg::Declaration{"U", std::nullopt}));
}

TEST(StageVariables, AreGlobalOnlyWhereTheyAreDeclared) {
  const Read read(
      "ARG G=1\nFROM a AS b\nARG G A=2\nENV E=3\nFROM b\nENV F=$A$G\nFROM c\nENV F=$A$G");
  EXPECT_EQ(*Through(read.stages, 1).all().Find("F"), "21") << "a base's are inherited";
  EXPECT_EQ(*Through(read.stages, 2).all().Find("F"), "");
}

TEST(StageVariables, DoNotExpandADefaultThatABuildArgumentReplaces) {
  const Read read("FROM a\nARG A=${X:?needed}", {.build_args = {{"A", "$B"}}});
  EXPECT_EQ(*Through(read.stages, 0).all().Find("A"), "$B");
  const Read without("FROM a\nARG A=${X:?needed}");
  StageVariables variables(without.stages, {});
  const auto step = variables.Step(without.stages.all()[0].instructions[0]);
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().message(), "line 2: ARG: the variable X: needed");
}

TEST(StageVariables, TellWhatIsNotSet) {
  const Read read("FROM a\nARG A\nENV B=$A$C");
  StageVariables variables(read.stages, {});
  const auto instructions = read.stages.all()[0].instructions;
  ASSERT_TRUE(variables.Step(instructions[0]));
  EXPECT_THAT(variables.Step(instructions[1])->unset, ElementsAre("C"));
}

TEST(StageVariables, AreBounded) {
  std::string text = "FROM a\nENV H=" + std::string(1000, 'a') + "\n";
  for (int i = 0; i < 12; ++i) text += "ENV H=$H$H\n";
  const Read read(text);
  StageVariables variables(read.stages, {});
  std::string error;
  for (const Instruction& instruction : read.stages.all()[0].instructions) {
    const auto step = variables.Step(instruction);
    if (!step) error = step.error().message();
  }
  EXPECT_THAT(error, HasSubstr("over the maximum"));
  std::string many = "FROM a\n";
  for (int i = 0; i < 10; ++i) {
    many += "ENV V" + std::to_string(i) + "=" + std::string(100'000, 'a') + "\n";
    many += "ENV W" + std::to_string(i) + "=$V0$V0$V0$V0$V0\n";
  }
  ASSERT_LT(many.size(), kMaxDockerfile + 10);
  const Read all(many.substr(0, kMaxDockerfile));
  StageVariables together(all.stages, {});
  error.clear();
  for (const Instruction& instruction : all.stages.all()[0].instructions) {
    const auto step = together.Step(instruction);
    if (!step) error = step.error().message();
  }
  EXPECT_THAT(error, HasSubstr("the variables are together over the maximum"));
}

}  // namespace
}  // namespace cay::templates::dockerfile
