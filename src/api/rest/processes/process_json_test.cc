#include "api/rest/processes/process_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "json/field_reader.h"
#include "json/field_writer.h"
#include "sandbox/processes/process_fields.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ProcessJson, SignalsAreNamesOrNumbers) {
  EXPECT_EQ(*ParseSignal("SIGTERM"), SIGTERM);
  EXPECT_EQ(*ParseSignal("KILL"), SIGKILL);
  EXPECT_EQ(*ParseSignal("15"), 15);
  for (const char* bad : {"", "0", "65", "-9", "SIGNOPE", "sigterm", "9 "}) {
    EXPECT_FALSE(ParseSignal(bad)) << bad;
  }
}

TEST(ProcessJson, AnOutcomeIsAnExitCodeOrASignal) {
  sandbox::ProcessRecord record;
  record.state = sandbox::ProcessState::kExited;
  record.exit_code = 0;
  EXPECT_THAT(ObjectJson<fields::Ending>(record).text(),
              AllOf(HasSubstr(R"("exit_code":0,"signal":null,"timed_out":false)"),
                    HasSubstr(R"("success":true)")));
  record.exit_code.reset();
  record.signal = SIGKILL;
  EXPECT_THAT(
      ObjectJson<fields::Ending>(record).text(),
      AllOf(HasSubstr(R"("exit_code":null,"signal":"SIGKILL")"), HasSubstr(R"("success":false)")));
}

// Of the members that are written the first, those of stdout.
std::string Written(const sandbox::KeptText& kept) {
  const std::string text =
      ObjectJson<fields::Outputs>(fields::ToldOutputs{.out = {.kept = kept}, .err = {}}).text();
  return text.substr(0, text.find(",\"stderr\"")) + "}";
}

TEST(ProcessJson, OutputThatIsNoTextIsBase64Too) {
  EXPECT_EQ(Written({.bytes = "a\xC3\xA4", .gap_at = 3}),
            "{\"stdout\":\"a\xC3\xA4\",\"stdout_gap\":null}");
  EXPECT_EQ(Written({.bytes = "a\xFF", .gap_at = 2}),
            "{\"stdout\":\"a\uFFFD\",\"stdout_base64\":\"Yf8=\",\"stdout_gap\":null}");
  EXPECT_EQ(Written({.bytes = "a\xFFz", .gap_at = 2, .omitted = 7}),
            "{\"stdout\":\"a\uFFFD\\n[7 bytes "
            "omitted]\\nz\",\"stdout_base64\":\"Yf96\",\"stdout_gap\":{\"at\":2,\"bytes\":"
            "7}}");
}

TEST(ProcessJson, AGapBeginsAndEndsBetweenTwoCharacters) {
  EXPECT_EQ(Written({.bytes = "a\xE2\x82\xA4z", .gap_at = 3, .omitted = 5}),
            R"({"stdout":"a\n[8 bytes omitted]\nz","stdout_gap":{"at":3,"bytes":5}})");
  EXPECT_EQ(Written({.bytes = "az", .gap_at = 1, .omitted = 1}),
            R"({"stdout":"a\n[1 byte omitted]\nz","stdout_gap":{"at":1,"bytes":1}})");
}

TEST(ProcessJson, ATerminalHasASize) {
  const auto size_of = [](std::string_view text) {
    return ReadObject<fields::TerminalSize, protocol::TerminalSize>(*ParseJson(text), "terminal");
  };
  EXPECT_EQ(*size_of(R"({"rows":10,"columns":20})"), (protocol::TerminalSize{10, 20}));
  EXPECT_FALSE(size_of(R"({"rows":65536})"));
  EXPECT_FALSE(size_of(R"({"row":1})"));
  EXPECT_FALSE(size_of("true"));
}

}  // namespace
}  // namespace cay::api::rest
