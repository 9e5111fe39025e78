#include "cli/client/object_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace cay::cli {
namespace {

using ::testing::HasSubstr;

std::string Rendered(std::string_view text) {
  const boost::json::object object =
      boost::json::parse(
          R"({"id":"abc","name":null,"pids":7,"ok":true,"metadata":{"run":"17","a b":"x"},
                             "mounts":[{"source":"/a"}],"odd":"a\u001b[2Jb\nc"})")
          .get_object();
  const auto parsed = ObjectTemplate::Parse(text);
  if (!parsed) return "parse: " + parsed.error().ToString();
  auto rendered = parsed->Render(object);
  return rendered ? *rendered : "render: " + rendered.error().ToString();
}

TEST(ObjectTemplate, FieldsAreFoundAtAnyDepthAndInAnyCase) {
  EXPECT_EQ(Rendered("{{.id}}\\t{{ .ID }} {{.metadata.run}}\\n"), "abc\tabc 17\n");
  EXPECT_EQ(Rendered("pids={{.pids}} ok={{.ok}} name=[{{.name}}]"), "pids=7 ok=true name=[]");
  EXPECT_EQ(Rendered("no field"), "no field");
  EXPECT_EQ(Rendered("{{.mounts}} {{json .id}} {{json .name}}"), R"([{"source":"/a"}] "abc" null)");
  EXPECT_THAT(Rendered("{{.}}"), HasSubstr(R"("pids":7)"));
  EXPECT_EQ(Rendered("json"), Rendered("{{json .}}"));
}

TEST(ObjectTemplate, WhatIsNotThereIsAnErrorButForWhatTheClientNames) {
  EXPECT_EQ(Rendered("[{{.metadata.none}}]"), "[]");
  EXPECT_THAT(Rendered("{{.none}}"), HasSubstr("no field none (there are: id, name, pids"));
  EXPECT_THAT(Rendered("{{.id.deeper}}"),
              HasSubstr("no field deeper (what is before it has no fields"));
  EXPECT_THAT(Rendered("{{.metadata.run.deeper}}"), ::testing::Not(HasSubstr("17")));
}

TEST(ObjectTemplate, WhatIsNotTakenIsRefused) {
  for (const char* text :
       {"", "{{.id", "{{}}", "{{id}}", "{{.id | upper}}", "{{range .mounts}}", "{{..}}", "{{.id.}}",
        "{{json}}", "{{if .ok}}x{{end}}", "{{index .metadata \"run\"}}"}) {
    EXPECT_THAT(Rendered(text), HasSubstr("parse: ")) << text;
  }
}

TEST(ObjectTemplate, WhatWouldMoveATerminalIsShown) {
  EXPECT_EQ(Rendered("{{.odd}}"), "a\\x1b[2Jb\\x0ac");
}

}  // namespace
}  // namespace cay::cli
