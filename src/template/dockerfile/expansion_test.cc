#include "template/dockerfile/expansion.h"

#include <stdio.h>
#include <stdlib.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "template/dockerfile/dockerfile.h"

namespace cay::templates::dockerfile {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;
using RunStep = Run;  // Test has a Run of its own

const Variables kVariables =
    Variables::Of({"V=a/b.c/b.d", "W=", "S=*x?y", "M=a\nb", "P=80 81", "Q=a=b"});

// The word expanded, or why it is not.
std::string Of(std::string_view word, const Variables& variables = kVariables, char escape = '\\') {
  const auto expanded = ExpandWord(word, variables, {.escape = escape});
  return expanded ? *expanded : "error: " + expanded.error().message();
}

template <class T>
T Instructions(std::string_view line, char escape = '\\') {
  const auto instruction = ParseInstruction(line, escape);
  EXPECT_TRUE(instruction) << line;
  const auto expanded = ExpandInstruction(*instruction, kVariables, escape);
  EXPECT_TRUE(expanded) << line << ": " << (expanded ? "" : expanded.error().message());
  return expanded ? *expanded->instruction.As<T>() : T();
}

std::string WhyNot(std::string_view line) {
  const auto instruction = ParseInstruction(line);
  if (!instruction) return "not parsed: " + instruction.error().message();
  const auto expanded = ExpandInstruction(*instruction, kVariables);
  return expanded ? "it is good" : expanded.error().message();
}

// The expected words are BuildKit's (v0.18, shell.Lex.ProcessWord), recorded.
TEST(ExpandWord, GivesWhatBuildKitGives) {
  const std::pair<std::string_view, std::string_view> all[] = {
      {"$V", "a/b.c/b.d"},
      {"${V}", "a/b.c/b.d"},
      {"$Vx", ""},
      {"${V}x", "a/b.c/b.dx"},
      {"$$V", "V"},
      {"\\$V", "$V"},
      {"\\\\$V", "\\a/b.c/b.d"},
      {"$", "$"},
      {"$/", "$/"},
      {"${U}", ""},
      {"$U", ""},
      {"${U:-d}", "d"},
      {"${U-d}", "d"},
      {"${W:-d}", "d"},
      {"${W-d}", ""},
      {"${U:+d}", ""},
      {"${V:+d}", "d"},
      {"${W:+d}", ""},
      {"${W+d}", "d"},
      {"${V:?e}", "a/b.c/b.d"},
      {"${W?e}", ""},
      {"${U:-$V}", "a/b.c/b.d"},
      {"${U:-${W:-x}}", "x"},
      {"${U:-\"a b\"}", "a b"},
      {"${U:-'$V'}", "$V"},
      {"${V#*/}", "b.c/b.d"},
      {"${V##*/}", "b.d"},
      {"${V%/*}", "a/b.c"},
      {"${V%%/*}", "a"},
      {"${V#a}", "/b.c/b.d"},
      {"${V#x}", "a/b.c/b.d"},
      {"${V%d}", "a/b.c/b."},
      {"${V#?}", "/b.c/b.d"},
      {"${V%%.*}", "a/b"},
      {"${V%.?}", "a/b.c/b"},
      {"${V#\"*\"}", "a/b.c/b.d"},
      {"${V##\"#\"}", "a/b.c/b.d"},
      {"${V#\\*}", "a/b.c/b.d"},
      {"${S#\\*}", "x?y"},
      {"${S%%\\?*}", "*x"},
      {"${V/b/X}", "a/X.c/b.d"},
      {"${V//b/X}", "a/X.c/X.d"},
      {"${V/\\//X}", "aXb.c/b.d"},
      {"${V//\\//-}", "a-b.c-b.d"},
      {"${V//?/x}", "xxxxxxxxx"},
      {"${V/*/x}", "x"},
      {"${V//*/x}", "x"},
      {"${V//b*c/x}", "a/x/b.d"},
      {"${V/b.//}", "a//c/b.d"},
      {"${U//a/b}", ""},
      {"${V//a/}", "/b.c/b.d"},
      {"${V/a/$W|}", "|/b.c/b.d"},
      {"${V//./_}", "a/b_c/b_d"},
      {"${M//*/x}", "x\nx"},
      {"${M#*}", "a\nb"},
      {"${M##*}", "\nb"},
      {"${M%*b}", "a\n"},
      {"${V///x}", "xax/xbx.xcx/xbx.xdx"},
      {"\"$V\"", "a/b.c/b.d"},
      {"'$V'", "$V"},
      {"\"\\$V\"", "$V"},
      {"\"\\a\"", "\\a"},
      {"\"a\\\"b\"", "a\"b"},
      {"'a\\'", "a\\"},
      {"a\\ b", "a b"},
      {"a\"b c\"d", "ab cd"},
      {"\"\"", ""},
      {"$1", ""},
      {"$12x", "x"},
      {"${1}", ""},
      {"$@", ""},
      {"$?x", "x"},
      {"${@}", ""},
      {"${U:-\\}}", "}"},
      {"x${V:+}y", "xy"},
      {"$V$V", "a/b.c/b.da/b.c/b.d"},
      {"${V}${W}${U}", "a/b.c/b.d"},
      {"\"${V#*/}\"", "b.c/b.d"},
      {"\"${U:-\"q\"}\"", "q"},
      {"#$V", "#a/b.c/b.d"},
      {"~", "~"},
      {"a#b", "a#b"},
  };
  for (const auto& [word, expected] : all) EXPECT_EQ(Of(word), expected) << word;
}

TEST(ExpandWord, HasTheEscapeCharacterOfTheFile) {
  EXPECT_EQ(Of("a`$V", kVariables, '`'), "a$V");
  EXPECT_EQ(Of("\"`\"\"\\", kVariables, '`'), "\"\\");
  EXPECT_EQ(Of("a\\$W", kVariables, '`'), "a\\");
  EXPECT_EQ(Of("a\\"), "a");
}

TEST(ExpandWord, SaysWhatIsWrong) {
  const std::pair<std::string_view, std::string_view> all[] = {
      {"${V", "without the matching \"}\""},
      {"${", "without the matching \"}\""},
      {"${V:-x", "without the matching \"}\""},
      {"${V/x", "without the matching \"/\""},
      {"${V/x/y", "without the matching \"}\""},
      {"${}", "followed by the name of a variable"},
      {"${:x}", "followed by the name of a variable"},
      {"${{V}}", "followed by the name of a variable"},
      {"${V@Q}", "\"${V@\" is no way to replace a variable"},
      {"${V:x}", "\"${V:x\" is no way"},
      {"${V^^}", "\"${V^\" is no way"},
      {"${\xC3\xA9}", "is no way"},
      {"${U:?is needed}", "the variable U: is needed"},
      {"${U?}", "the variable U: must be set"},
      {"${W:?}", "the variable W: must not be empty"},
      {"'a", "a single quote (') without the matching one"},
      {"\"a", "a double quote (\") without the matching one"},
      {"\"a\\\"", "a double quote"},
      {"${V#\\a}", "a backslash before another character"},
  };
  for (const auto& [word, why] : all) EXPECT_THAT(Of(word), HasSubstr(why)) << word;
}

// Texts of an alphabet, all of them up to a length.
Words All(std::string_view alphabet, size_t length) {
  Words all = {""};
  for (size_t begin = 0, end = 1, i = 0; i < length; ++i, begin = end, end = all.size()) {
    for (size_t k = begin; k < end; ++k) {
      for (const char c : alphabet) all.push_back(all[k] + c);
    }
  }
  return all;
}

// The shell's own: of the patterns that mean the same there.
TEST(ExpandWord, TakesPatternsAwayAsTheShellDoes) {
  const Words values = All("ab", 4);
  Words words;
  for (const std::string& pattern : All("ab*?", 3)) {
    for (const std::string_view kind : {"#", "##", "%", "%%"}) {
      // "##" with nothing behind it is the shell's "#" with a pattern "#".
      if (!pattern.empty()) words.push_back("${V" + std::string(kind) + pattern + "}");
    }
  }
  std::string script = "for V in ''";
  for (const std::string& value : values) script += " '" + value + "'";
  script += "; do printf '%s\\n'";
  for (const std::string& word : words) script += " \"" + word + "\"";
  script += "; done";
  char path[] = "/tmp/cay-expansion-XXXXXX";
  const int file = ::mkstemp(path);
  ASSERT_GE(file, 0);
  FILE* out = ::fdopen(file, "w");
  const size_t written = ::fwrite(script.data(), 1, script.size(), out);
  ASSERT_EQ(::fclose(out), 0);
  ASSERT_EQ(written, script.size());
  FILE* shell = ::popen(("/bin/sh " + std::string(path)).c_str(), "r");
  ASSERT_NE(shell, nullptr);
  Words lines;
  char line[64];
  while (::fgets(line, sizeof line, shell) != nullptr) lines.emplace_back(line);
  EXPECT_EQ(::pclose(shell), 0);
  EXPECT_EQ(::remove(path), 0);
  size_t compared = 0;
  Words all = values;
  all.insert(all.begin(), "");
  for (const std::string& value : all) {
    const Variables variables = Variables::Of({"V=" + value});
    for (const std::string& word : words) {
      ASSERT_LT(compared, lines.size());
      ASSERT_EQ(Of(word, variables) + "\n", lines[compared]) << word << " of " << value;
      ++compared;
    }
  }
  EXPECT_GT(compared, 10'000U);
}

TEST(ExpandWords, SplitsWhatIsNotQuoted) {
  const Variables variables = Variables::Of({"P= 80  81 ", "E="});
  EXPECT_THAT(*ExpandWords("$P", variables), ElementsAre("80", "81"));
  EXPECT_THAT(*ExpandWords("\"$P\"", variables), ElementsAre(" 80  81 "));
  EXPECT_THAT(*ExpandWords("a$P\\ b '' $E", variables), ElementsAre("a", "80", "81", " b"));
  EXPECT_THAT(*ExpandWords("", variables), IsEmpty());
}

TEST(ExpandWord, IsBoundedInSizeDepthAndWork) {
  const auto code = [](std::string_view word, const Variables& variables) {
    const auto expanded = ExpandWord(word, variables);
    return expanded ? ErrorCode::kInternal : expanded.error().code();
  };
  Variables variables;
  variables.Set("H", std::string(kMaxExpandedWord / 2, 'a'));
  EXPECT_TRUE(ExpandWord("$H$H", variables));
  EXPECT_EQ(code("$H${H}b", variables), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(code("${H//a/bbb}", variables), ErrorCode::kLimitTooHigh);
  std::string deep;
  std::string end;
  for (size_t i = 0; i < kMaxExpansionDepth; ++i) {
    deep += "${U:-";
    end += '}';
  }
  EXPECT_TRUE(ExpandWord(deep + end, variables));
  EXPECT_EQ(code("${U:-" + deep + end + "}", variables), ErrorCode::kLimitTooHigh);
  // What is thrown away is counted as well.
  std::string thrown;
  for (int i = 0; i < 1000; ++i) thrown += "${U:+$H}";
  EXPECT_EQ(code(thrown, variables), ErrorCode::kLimitTooHigh);
  std::string stars;
  for (int i = 0; i < 1000; ++i) stars += "*a";
  EXPECT_EQ(code("${H#" + stars + "b}", variables), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(code("${H%b" + stars + "}", variables), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(code("${H//b" + stars + "/c}", variables), ErrorCode::kLimitTooHigh);
}

TEST(ExpandWord, TellsWhichNamesWereNotSet) {
  std::set<std::string> unset;
  ASSERT_TRUE(ExpandWord("$A${B}${C:-x}${D:+x}${V}${E#x}", kVariables, {}, &unset));
  EXPECT_THAT(unset, ElementsAre("A", "B", "E"));
}

TEST(ExpandInstruction, ExpandsTheWordsOfSome) {
  EXPECT_EQ(Instructions<From>("FROM --platform=${U:-x} a:${V%%/*}").image, "a:a");
  EXPECT_EQ(Instructions<Workdir>("WORKDIR \"$V\"/x").path, "a/b.c/b.d/x");
  EXPECT_EQ(Instructions<User>("USER ${U:-u}").user, "u");
  EXPECT_EQ(Instructions<StopSignal>("STOPSIGNAL SIG${U:-INT}").signal, "SIGINT");
  EXPECT_EQ(Instructions<Volume>("VOLUME /$V").paths, Words{"/a/b.c/b.d"});
  EXPECT_EQ(Instructions<Volume>("VOLUME [\"/$V\"]").paths, Words{"/a/b.c/b.d"});
  EXPECT_EQ(Instructions<Expose>("EXPOSE $P 9").ports, (Words{"80", "81", "9"}));
  EXPECT_EQ(Instructions<Label>("LABEL a=\"b $V\" \"c d\"='$V'").labels[0].value, "b a/b.c/b.d");
  EXPECT_EQ(Instructions<Label>("LABEL a=\"b $V\" \"c d\"='$V'").labels[1],
            (NameAndValue{"c d", "$V"}));
  const Env env = Instructions<Env>("ENV a=b c=\"d e\" f=g\\ h V=x g=$V");
  EXPECT_EQ(env.variables[1].value, "d e");
  EXPECT_EQ(env.variables[2].value, "g h");
  EXPECT_EQ(env.variables[4].value, "a/b.c/b.d") << "as it was before the instruction";
  EXPECT_EQ(Instructions<Env>("ENV a  b \"$V\" c ").variables[0].value, "b a/b.c/b.d c");
  EXPECT_EQ(Instructions<Env>("ENV a=`\"b` c\\d", '`').variables[0].value, "\"b c\\d");
  EXPECT_EQ(Instructions<Arg>("ARG a=$V b=$a").declarations[1].value, "a/b.c/b.d");
}

TEST(ExpandInstruction, ExpandsCopyAndItsHeredocs) {
  const Copy copy = Instructions<Copy>(
      "COPY --chown=${U:-1} --chmod=0${U:-644} --exclude=$V a$W <<-x <<'y' /$V\n"
      "\t$V \"${U:-q}\" \\$V 'z'\n\tx\n\t$V\ny\n");
  EXPECT_EQ(copy.files.chown + copy.files.chmod, "10644");
  EXPECT_THAT(copy.files.excludes, ElementsAre("a/b.c/b.d"));
  EXPECT_THAT(copy.files.sources, ElementsAre("a"));
  EXPECT_EQ(copy.files.destination, "/a/b.c/b.d");
  EXPECT_EQ(copy.files.heredocs[0].Text(), "a/b.c/b.d \"q\" $V 'z'\n");
  EXPECT_EQ(copy.files.heredocs[1].Text(), "\t$V\n");
  EXPECT_EQ(Instructions<Add>("ADD --checksum=sha256:${U:-"
                              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef} "
                              "https://h/$V /x")
                .files.sources,
            Words{"https://h/a/b.c/b.d"});
  EXPECT_EQ(Instructions<Add>("ADD --checksum=24454f830c https://h/x.git#v1 /x").checksum,
            "24454f830c");
}

TEST(ExpandInstruction, ReadsTheMountsOfRun) {
  const RunStep run =
      Instructions<RunStep>("RUN --mount=type=${U:-cache},id=$V,target=/x$W,uid=${U:-7} echo $V");
  EXPECT_TRUE(run.mounts[0].is_read);
  EXPECT_EQ(run.mounts[0].type, RunMount::Type::kCache);
  EXPECT_EQ(run.mounts[0].id, "a/b.c/b.d");
  EXPECT_EQ(run.mounts[0].uid, 7U);
  EXPECT_EQ(run.command.script, "echo $V");
  EXPECT_EQ(Instructions<RunStep>("RUN --mount='\\\"target=/a b\\\"' x").mounts[0].target, "/a b");
}

TEST(ExpandInstruction, LeavesCommandsAsTheyAre) {
  for (const std::string_view line :
       {"RUN echo $V", "CMD [\"$V\"]", "ENTRYPOINT $V", "SHELL [\"$V\"]", "ONBUILD ENV a=$V",
        "HEALTHCHECK CMD $V", "MAINTAINER $V", "RUN <<x\n$V\nx"}) {
    const auto instruction = ParseInstruction(line);
    ASSERT_TRUE(instruction) << line;
    EXPECT_EQ(ExpandInstruction(*instruction, kVariables)->instruction, *instruction) << line;
  }
}

TEST(ExpandInstruction, ChecksWhatHadToWait) {
  const std::pair<std::string_view, std::string_view> all[] = {
      {"WORKDIR ${V", "line 1: WORKDIR: \"${\" without"},
      {"EXPOSE ${U:-x}", "EXPOSE: no port: \"x\""},
      {"EXPOSE 70000", "no port"},
      {"EXPOSE 1-5000", "no more than 1024 exposed ports"},
      {"STOPSIGNAL $V", "is no signal"},
      {"VOLUME $U", "a path is empty"},
      {"ENV $U=x", "a name is empty"},
      {"ENV $Q=x", "has no \"=\""},
      {"LABEL \"\"=x", "a name is empty"},
      {"COPY $U /x", "a source is empty"},
      {"COPY [a /x", "brackets that are not closed"},
      {"COPY https://h/x /x", "ADD fetches, COPY does not"},
      {"COPY --chmod=${U:-9} a /x", "--chmod is as"},
      {"COPY --chmod=10000 a /x", "--chmod is as"},
      {"COPY --chmod=u=z a /x", "--chmod is as"},
      {"COPY --chmod=u=rwX,go+r- a /x", "--chmod is as"},
      {"COPY --exclude=[ a /x", "--exclude: the pattern"},
      {"COPY --exclude=! a /x", "--exclude: \"!\" alone"},
      {"ADD --checksum=sha256:1 a /x", "--checksum: "},
      {"ADD --checksum=xyz a /x", "--checksum is a digest, or the name of a commit"},
      {"ADD --checksum=sha256:1 a b /x", "--checksum is for one source"},
      {"RUN --mount=type=$V,target=/x y", "--mount: type is one of"},
      {"RUN --mount=target=$U y", "--mount: bind needs a target"},
  };
  for (const auto& [line, why] : all) EXPECT_THAT(WhyNot(line), HasSubstr(why)) << line;
  EXPECT_EQ(WhyNot("COPY --chmod=u=rwX,go=,a+x a /x"), "it is good");
  EXPECT_EQ(WhyNot("COPY --chmod=00644 a /x"), "it is good");
}

TEST(ExpandInstruction, IsBounded) {
  Variables variables;
  variables.Set("H", std::string(kMaxExpandedWord, 'a'));
  EXPECT_TRUE(ExpandInstruction(*ParseInstruction("VOLUME $H $H $H $H"), variables));
  const auto over = ExpandInstruction(*ParseInstruction("VOLUME $H $H $H $H b"), variables);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code(), ErrorCode::kLimitTooHigh);
}

TEST(Variables, AreTheLastOfAName) {
  Variables variables = Variables::Of({"B=1", "A", "B=2=3"});
  EXPECT_THAT(variables.Environment(), ElementsAre("A=", "B=2=3"));
  EXPECT_EQ(variables.size(), 5U);
  variables.Set("B", "");
  EXPECT_EQ(variables.size(), 2U);
  EXPECT_EQ(variables.Find("C"), nullptr);
}

}  // namespace
}  // namespace cay::templates::dockerfile
