#include "template/dockerfile/dockerfile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::templates::dockerfile {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;
using RunStep = Run;  // Test has a Run of its own

Dockerfile Parse(std::string_view text) {
  auto file = ParseDockerfile(text);
  EXPECT_TRUE(file) << text << ": " << (file ? "" : file.error().message());
  return file.value_or(Dockerfile());
}

// The value of the last instruction of a file.
template <class T>
T Last(std::string_view text) {
  const Dockerfile file = Parse(text);
  if (file.instructions.empty()) return T();
  const T* value = file.instructions.back().As<T>();
  EXPECT_NE(value, nullptr) << text;
  return value == nullptr ? T() : *value;
}

// Of one instruction in a stage.
template <class T>
T One(std::string_view line) {
  return Last<T>("FROM a\n" + std::string(line));
}

RunMount Mount(std::string_view text) {
  const RunStep run = One<RunStep>("RUN --mount=" + std::string(text) + " x");
  return run.mounts.empty() ? RunMount() : run.mounts.front();
}

auto HasRule(std::string_view rule) { return Contains(Field(&Warning::rule, rule)); }

TEST(Dockerfile, IsAListOfInstructionsWithTheirLinesAndText) {
  const std::string text =
      "# a comment\n"
      "FROM alpine AS Base\n"
      "\n"
      "  run echo \\\n"
      "  # between\n"
      "    a \\  \n"
      "\n"
      "    b\n"
      "CMD x";
  const Dockerfile file = Parse(text);
  ASSERT_EQ(file.instructions.size(), 3U);
  EXPECT_EQ(file.instructions[0].first_line, 2U);
  EXPECT_EQ(file.instructions[0].source, "FROM alpine AS Base");
  const Instruction& run = file.instructions[1];
  EXPECT_EQ(run.Name(), "RUN");
  EXPECT_EQ(run.first_line, 4U);
  EXPECT_EQ(run.last_line, 8U);
  EXPECT_EQ(run.source, "  run echo \\\n  # between\n    a \\  \n\n    b");
  EXPECT_EQ(run.As<RunStep>()->command.script, "echo     a     b");
  EXPECT_EQ(file.instructions[2].source, "CMD x");
  EXPECT_THAT(file.warnings, HasRule("NoEmptyContinuation"));
  EXPECT_THAT(file.warnings, HasRule("StageNameCasing"));
  EXPECT_THAT(file.warnings, HasRule("ConsistentInstructionCasing"));
}

TEST(Dockerfile, HasDirectivesAtItsTopOnly) {
  const Dockerfile file =
      Parse("# syntax=docker/dockerfile:1\n#Check = skip=all\n# escape=`\nFROM a\nRUN a `\n b\\\n");
  EXPECT_EQ(file.syntax, "docker/dockerfile:1");
  EXPECT_EQ(file.check, "skip=all");
  EXPECT_EQ(file.escape, '`');
  EXPECT_EQ(file.instructions[1].As<RunStep>()->command.script, "a  b\\");
  EXPECT_THAT(file.warnings, HasRule("SyntaxNotUsed"));
  for (const std::string_view before : {"# c\n", "\n", "# unknown=x\n", "#\n", "FROM b\n"}) {
    EXPECT_EQ(Parse(std::string(before) + "# escape=`\nFROM a\n").escape, '\\') << before;
  }
  EXPECT_EQ(Parse("\xEF\xBB\xBF# escape=`\r\nFROM a\r\n").escape, '`');
}

TEST(Dockerfile, IsReadWithCarriageReturnsAndAMarkAtItsBeginning) {
  const Dockerfile file = Parse(
      "\xEF\xBB\xBF"
      "FROM a\r\nRUN x \\\r\n y\r\nENV a=b\r\n");
  ASSERT_EQ(file.instructions.size(), 3U);
  EXPECT_EQ(file.instructions[0].source, "FROM a\r");
  EXPECT_EQ(file.instructions[1].As<RunStep>()->command.script, "x  y");
  EXPECT_EQ(file.instructions[2].As<Env>()->variables.front().value, "b");
}

TEST(Dockerfile, IsContinuedByOneEscapeCharacterAndNotByTwo) {
  EXPECT_EQ(One<RunStep>("RUN a\\\nb").command.script, "ab");
  EXPECT_EQ(One<RunStep>("RUN a\\ \t\nb").command.script, "ab");
  EXPECT_EQ(Parse("FROM a\nRUN a\\\\\nRUN b").instructions[1].As<RunStep>()->command.script,
            "a\\\\");
  EXPECT_EQ(One<RunStep>("\\\nRUN \\\nb").command.script, "b");
  EXPECT_EQ(One<RunStep>("RUN a \\\n# c").command.script, "a");
}

TEST(From, HasImageNameAndPlatform) {
  EXPECT_EQ(Last<From>("FROM a"), (From{.image = "a"}));
  EXPECT_EQ(Last<From>("FROM --platform=$P a:${V} aS b-1._x"),
            (From{.image = "a:${V}", .name = "b-1._x", .platform = "$P"}));
  EXPECT_EQ(Last<From>("ARG V=1\nFROM scratch").image, "scratch");
}

TEST(Run, IsForTheShellOrExecuted) {
  EXPECT_EQ(One<RunStep>("RUN echo \"a  b\" 'c'").command.script, "echo \"a  b\" 'c'");
  EXPECT_EQ(One<RunStep>(R"(RUN [ "a", "b c", "\u00e9\n" ])").command.argv,
            (Words{"a", "b c", "\xC3\xA9\n"}));
  EXPECT_FALSE(One<RunStep>("RUN ['a', 'b']").command.is_exec);
  EXPECT_FALSE(One<RunStep>(R"(RUN ["a"] x)").command.is_exec);
  EXPECT_FALSE(One<RunStep>(R"(RUN [ -f x ])").command.is_exec);
  EXPECT_THAT(Parse("FROM a\nCMD ['a']").warnings, HasRule("JSONArgsNotJSON"));
  EXPECT_THAT(Parse("FROM a\nRUN [ -f x ]").warnings, IsEmpty());
}

TEST(Run, HasNetworkAndSecurity) {
  const RunStep run = One<RunStep>("RUN --network=none --security=insecure -- --x");
  EXPECT_EQ(run.network, RunNetwork::kNone);
  EXPECT_EQ(run.security, RunSecurity::kInsecure);
  EXPECT_EQ(run.command.script, "--x");
  EXPECT_EQ(One<RunStep>("RUN --network=host x").network, RunNetwork::kHost);
  EXPECT_EQ(One<RunStep>("RUN x --network=none").network, RunNetwork::kDefault);
}

TEST(Run, HasMountsOfEveryType) {
  RunMount mount = Mount("target=/t,source=s,from=b,rw");
  EXPECT_EQ(mount.type, RunMount::Type::kBind);
  EXPECT_EQ(mount.target + mount.source + mount.from, "/tsb");
  EXPECT_FALSE(mount.read_only);
  EXPECT_TRUE(Mount("type=bind,dst=/t").read_only);
  mount = Mount("type=cache,id=x,target=/c,sharing=locked,mode=0700,uid=1,gid=2,readonly=true");
  EXPECT_EQ(mount.type, RunMount::Type::kCache);
  EXPECT_EQ(mount.sharing, RunMount::Sharing::kLocked);
  EXPECT_EQ(mount.mode, 0700U);
  EXPECT_EQ(mount.uid, 1U);
  EXPECT_EQ(mount.gid, 2U);
  EXPECT_TRUE(mount.read_only);
  mount = Mount("type=cache,destination=/c/./d/");
  EXPECT_EQ(mount.id, "/c/d");
  EXPECT_FALSE(mount.read_only);
  EXPECT_EQ(Mount("type=tmpfs,target=/t,size=64m").size, 64 * kMiB);
  mount = Mount("type=secret,id=a/b,required");
  EXPECT_EQ(mount.target, "/run/secrets/b");
  EXPECT_TRUE(mount.required);
  mount = Mount("type=secret,src=s,env=TOKEN");
  EXPECT_EQ(mount.id + mount.environment + mount.target, "sTOKEN");
  EXPECT_EQ(Mount("type=secret,target=/a/key").id, "key");
  EXPECT_EQ(Mount("type=ssh,required=false").type, RunMount::Type::kSsh);
  EXPECT_EQ(Mount(R"('"target=/a,b"')").is_read, false) << "quotes wait for ExpandInstruction";
  EXPECT_EQ(One<RunStep>("RUN --mount=target=/a --mount=target=/b x").mounts.size(), 2U);
}

TEST(Run, WithVariablesInAMountKnowsOnlyWhereItIsFrom) {
  const RunMount mount = Mount("type=$T,from=b,target=/x");
  EXPECT_FALSE(mount.is_read);
  EXPECT_EQ(mount.from, "b");
  EXPECT_EQ(mount.text, "type=$T,from=b,target=/x");
}

TEST(Heredoc, BelongsToRun) {
  const Dockerfile file =
      Parse("FROM a\nRUN cat <<EOF 3<<-'B' | x\n\ta $b\\\n# c\nEOF\n\tz\n\tB\nUSER u");
  ASSERT_EQ(file.instructions.size(), 3U);
  const RunStep& run = *file.instructions[1].As<RunStep>();
  ASSERT_EQ(run.heredocs.size(), 2U);
  EXPECT_EQ(run.heredocs[0], (Heredoc{.name = "EOF", .content = "\ta $b\\\n# c\n"}));
  EXPECT_EQ(run.heredocs[1], (Heredoc{.name = "B",
                                      .content = "\tz\n",
                                      .expands = false,
                                      .strips_tabs = true,
                                      .descriptor = 3}));
  EXPECT_EQ(run.heredocs[1].Text(), "z\n");
  EXPECT_EQ(file.instructions[1].last_line, 7U);
  EXPECT_THAT(ProgramOf(run, {"sh", "-c"}).argv,
              ElementsAre("sh", "-c", "cat <<EOF 3<<-'B' | x\n\ta $b\\\n# c\nEOF\n\tz\nB"));
}

TEST(Heredoc, ThatIsAllOfACommandIsTheScript) {
  EXPECT_THAT(ProgramOf(One<RunStep>("RUN <<-EOF\n\techo\n\tEOF"), {"sh", "-c"}).argv,
              ElementsAre("sh", "-c", "echo\n"));
  const RunProgram program =
      ProgramOf(One<RunStep>("RUN <<EOF\n#!/usr/bin/env python\nprint()\nEOF"), {"sh", "-c"});
  EXPECT_THAT(program.argv, ElementsAre("/dev/pipes/EOF"));
  EXPECT_EQ(program.file->path, "/dev/pipes/EOF");
  EXPECT_EQ(program.file->content, "#!/usr/bin/env python\nprint()\n");
  EXPECT_EQ(ProgramOf(One<RunStep>("RUN a"), {"sh", "-c"}),
            (RunProgram{.argv = {"sh", "-c", "a"}}));
  EXPECT_EQ(ProgramOf(One<RunStep>("RUN [\"a\"]"), {"sh", "-c"}), (RunProgram{.argv = {"a"}}));
  EXPECT_THAT(One<RunStep>("RUN <<  EOF\nx\nEOF").heredocs.front().content, "x\n");
}

TEST(Heredoc, IsNoneWhereItIsQuotedOrTheFormIsJson) {
  for (const std::string_view line :
       {"RUN echo \"<<EOF\"", "RUN echo a<<EOF", "RUN [\"<<EOF\"]", "RUN cat <<<EOF",
        "RUN echo '<<EOF", "CMD cat <<EOF", "RUN echo \\<<EOF"}) {
    EXPECT_EQ(Parse("FROM a\n" + std::string(line)).instructions.size(), 2U) << line;
  }
}

TEST(Copy, HasSourcesDestinationAndFlags) {
  const Copy copy = One<Copy>(
      "COPY --from=b --chown=1:2 --chmod=0644 --link --exclude=*.md --exclude=x --parents a b/ c/");
  EXPECT_THAT(copy.files.sources, ElementsAre("a", "b/"));
  EXPECT_EQ(copy.files.destination, "c/");
  EXPECT_EQ(copy.from + copy.files.chown + copy.files.chmod, "b1:20644");
  EXPECT_TRUE(copy.files.link && copy.parents);
  EXPECT_THAT(copy.files.excludes, ElementsAre("*.md", "x"));
  EXPECT_FALSE(One<Copy>("COPY --link=false a b").files.link);
  EXPECT_THAT(One<Copy>(R"(COPY ["a b","c/"])").files.sources, ElementsAre("a b"));
  EXPECT_THAT(One<Copy>(R"(COPY "a b" c)").files.sources, ElementsAre("\"a", "b\""));
}

TEST(Copy, HasHeredocsAsSources) {
  const Copy copy = One<Copy>("COPY <<a <<-\"b\" f /x/\n$A\na\n\t$B\n\tb\n");
  EXPECT_THAT(copy.files.sources, ElementsAre("f"));
  ASSERT_EQ(copy.files.heredocs.size(), 2U);
  EXPECT_EQ(copy.files.heredocs[0].content, "$A\n");
  EXPECT_TRUE(copy.files.heredocs[0].expands);
  EXPECT_EQ(copy.files.heredocs[1].Text(), "$B\n");
  EXPECT_FALSE(copy.files.heredocs[1].expands);
  EXPECT_THAT(One<Copy>(R"(COPY ["<<a","/x"])").files.sources, ElementsAre("<<a"));
}

TEST(Add, HasFlagsOfItsOwn) {
  const Add add = One<Add>("ADD --checksum=sha256:1 --keep-git-dir --unpack=false a b");
  EXPECT_EQ(add.checksum, "sha256:1");
  EXPECT_TRUE(add.keep_git_dir);
  EXPECT_EQ(add.unpack, false);
  EXPECT_EQ(One<Add>("ADD a b").unpack, std::nullopt);
}

TEST(Env, HasBothForms) {
  using N = NameAndValue;
  EXPECT_THAT(One<Env>("ENV a=b c=\"d e\" f=g\\ h").variables,
              ElementsAre(N{"a", "b"}, N{"c", "\"d e\""}, N{"f", "g\\ h"}));
  EXPECT_THAT(One<Env>("ENV a b=c  d").variables, ElementsAre(N{"a", "b=c  d"}));
  EXPECT_THAT(One<Env>("ENV a=b=c 'x y'=z").variables, ElementsAre(N{"a", "b=c"}, N{"'x y'", "z"}));
  EXPECT_THAT(One<Env>("ENV a= b=\"\"").variables, ElementsAre(N{"a", ""}, N{"b", "\"\""}));
  EXPECT_THAT(One<Label>("LABEL \"a b\"=c d=e\\").labels,
              ElementsAre(N{"\"a b\"", "c"}, N{"d", "e"}));
  EXPECT_THAT(Last<Env>("# escape=`\nFROM a\nENV a=b` c d=`\"").variables,
              ElementsAre(N{"a", "b` c"}, N{"d", "`\""}));
  EXPECT_THAT(Parse("FROM a\nENV a b").warnings, HasRule("LegacyKeyValueFormat"));
}

TEST(Arg, HasSeveralWithDefaults) {
  using D = Arg::Declaration;
  EXPECT_THAT(One<Arg>("ARG a b= c=\"d e\"").declarations,
              ElementsAre(D{"a", std::nullopt}, D{"b", ""}, D{"c", "\"d e\""}));
  EXPECT_THAT(Parse("ARG NPM_TOKEN\nFROM a").warnings, HasRule("SecretsUsedInArgOrEnv"));
  EXPECT_THAT(Parse("ARG KEYBOARD PUBLIC_KEY\nFROM a").warnings, IsEmpty());
}

TEST(Command, OfCmdAndEntrypointMayBeEmpty) {
  EXPECT_EQ(One<Cmd>("CMD []").command, (CommandLine{.is_exec = true}));
  EXPECT_EQ(One<Cmd>("CMD a  b").command, (CommandLine{.script = "a  b"}));
  EXPECT_EQ(One<Entrypoint>("ENTRYPOINT [\"a\"]").command.argv, Words{"a"});
  EXPECT_THAT(Parse("FROM a\nCMD a\nCMD b").warnings, HasRule("MultipleInstructionsDisallowed"));
  EXPECT_THAT(Parse("FROM a\nCMD a\nFROM b\nCMD b").warnings, IsEmpty());
}

TEST(Instructions, OfOneText) {
  EXPECT_EQ(One<Workdir>("WORKDIR /a b ").path, "/a b");
  EXPECT_EQ(One<User>("USER 1:2").user, "1:2");
  EXPECT_EQ(One<StopSignal>("STOPSIGNAL SIGINT").signal, "SIGINT");
  EXPECT_EQ(One<Maintainer>("MAINTAINER a b").author, "a b");
  EXPECT_THAT(Parse("FROM a\nMAINTAINER b").warnings, HasRule("MaintainerDeprecated"));
  EXPECT_THAT(Parse("FROM a\nWORKDIR b").warnings, HasRule("WorkdirRelativePath"));
  EXPECT_THAT(Parse("FROM a\nWORKDIR /a\nWORKDIR b").warnings, IsEmpty());
}

TEST(Instructions, OfLists) {
  EXPECT_EQ(One<Expose>("EXPOSE 80  90/udp\t1-2").ports, (Words{"80", "90/udp", "1-2"}));
  EXPECT_THAT(Parse("FROM a\nEXPOSE 1.2.3.4:80:80").warnings, HasRule("ExposeInvalidFormat"));
  EXPECT_EQ(One<Volume>("VOLUME /a /b").paths, (Words{"/a", "/b"}));
  EXPECT_EQ(One<Volume>(R"(VOLUME ["/a b"])").paths, Words{"/a b"});
  EXPECT_EQ(One<Shell>(R"(SHELL ["/bin/bash", "-c"])").argv, (Words{"/bin/bash", "-c"}));
}

TEST(Healthcheck, HasOptionsOrIsNone) {
  EXPECT_EQ(One<HealthcheckOf>("HEALTHCHECK none").check.test, Words{"NONE"});
  const oci::Healthcheck check =
      One<HealthcheckOf>(
          "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=500ms "
          "--start-interval=0 --retries=3 cmd  curl x || exit 1")
          .check;
  EXPECT_EQ(check.test, (Words{"CMD-SHELL", "curl x || exit 1"}));
  EXPECT_EQ(check.interval, seconds(90));
  EXPECT_EQ(check.timeout, milliseconds(1500));
  EXPECT_EQ(check.start_period, milliseconds(500));
  EXPECT_EQ(check.start_interval.count(), 0);
  EXPECT_EQ(check.retries, 3U);
  EXPECT_EQ(One<HealthcheckOf>("HEALTHCHECK CMD [\"a\",\"b\"]").check.test,
            (Words{"CMD", "a", "b"}));
}

TEST(OnBuild, KeepsOneInstructionAsText) {
  EXPECT_EQ(One<OnBuild>("onbuild   run make \\\n all").trigger, "run make  all");
  const OnBuild with_heredoc = One<OnBuild>("ONBUILD RUN <<EOF\na\nEOF");
  EXPECT_EQ(with_heredoc.trigger, "RUN <<EOF\na\nEOF");
  EXPECT_EQ(ParseInstruction(with_heredoc.trigger)->As<RunStep>()->heredocs.front().content, "a\n");
}

TEST(ParseInstruction, GivesTheSameForTheSourceOfOne) {
  const Dockerfile file =
      Parse("# escape=`\nFROM a\nENV a=x`\n`\"\n\nCOPY <<x /y\n\nx\nRUN a `\n# c\n\n b\n");
  for (const Instruction& instruction : file.instructions) {
    const auto again = ParseInstruction(instruction.source, '`');
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->value, instruction.value);
  }
  EXPECT_FALSE(ParseInstruction(""));
  EXPECT_FALSE(ParseInstruction("# c"));
  EXPECT_FALSE(ParseInstruction("RUN a\nRUN b"));
  EXPECT_TRUE(ParseInstruction("# escape=`\nRUN a \\\n b\n"));
}

}  // namespace
}  // namespace cay::templates::dockerfile
