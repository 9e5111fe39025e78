#include "json/field_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay {
namespace {

using field::About;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Part {
  std::string name;
  std::optional<Millis> wait;
};
struct Whole {
  std::string name = "as it was";
  uint16_t count = 7;
  bool flag = false;
  std::vector<std::string> texts;
  std::optional<Part> part;
  std::vector<Part> parts;
  int word = 0;
};

struct PartFields {
  static void Of(auto& part, auto& visit) {
    visit(About{.name = "name", .needed = true}, field::Text{}, part.name);
    visit(About{"wait"}, field::Duration{}, part.wait);
  }
  static Result<void> Check(const Part& part) {
    if (part.name != "none") return {};
    return Failure(Error::Invalid("no such part"));
  }
};
struct WholeFields {
  static void Of(auto& whole, auto& visit) {
    visit(About{"name"}, field::Text{.max_bytes = 9, .alias = "title"}, whole.name);
    visit(About{"count"}, field::Count{.max = 99, .bounded = true}, whole.count);
    visit(About{"flag"}, field::Flag{.otherwise = true}, whole.flag);
    visit(About{"texts"}, field::Texts{}, whole.texts);
    visit(About{"part"}, field::Object<PartFields>{}, whole.part);
    visit(About{"parts"}, field::Objects<PartFields>{.max_read = 2}, whole.parts);
    visit(About{}, field::Text{}, whole.name);
  }
};

Result<Whole> Read(std::string_view text) {
  return ReadObject<WholeFields, Whole>(TRY(ParseJson(text)));
}
std::string Complaint(std::string_view text) {
  const auto whole = Read(text);
  return whole ? "no error" : whole.error().message();
}

TEST(FieldReader, TakesEachFieldOfTheList) {
  const auto whole = Read(R"({"title":"t","count":3,"flag":false,"texts":["a","b"],
      "part":{"name":"p","wait":"2s"},"parts":[{"name":"q"}]})");
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ(whole->name, "t");
  EXPECT_EQ(whole->count, 3);
  EXPECT_FALSE(whole->flag);
  EXPECT_THAT(whole->texts, ElementsAre("a", "b"));
  EXPECT_EQ(whole->part->wait, Millis(2000));
  EXPECT_EQ(whole->parts.at(0).name, "q");
}

TEST(FieldReader, WhatIsLeftOutStaysAsItWas) {
  const auto whole = Read(R"({"count":null})");
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ(whole->name, "as it was");
  EXPECT_EQ(whole->count, 7);
  EXPECT_TRUE(whole->flag);
  EXPECT_FALSE(whole->part);
}

TEST(FieldReader, TheFirstThatIsWrongIsNamed) {
  EXPECT_EQ(Complaint(R"({"count":100,"name":"much too long"})"),
            "\"name\" is over the maximum of 9b");
  EXPECT_EQ(Complaint(R"({"name":"a","title":"b"})"),
            R"("name" and "title" mean the same, and have different values)");
  EXPECT_EQ(Complaint(R"({"count":100})"), "\"count\" is over the maximum of 99");
  EXPECT_EQ(Complaint(R"({"texts":["a",1]})"),
            "\"texts\" must be an array of strings, not a number");
  EXPECT_EQ(Complaint(R"({"part":{}})"), "\"part.name\" is missing");
  EXPECT_EQ(Complaint(R"({"parts":[{"name":"p"},{"nam":"q"}]})"), "\"parts[1].name\" is missing");
  EXPECT_EQ(Complaint(R"({"part":{"name":"none"}})"), "no such part");
  EXPECT_EQ(Complaint(R"({"parts":[1,2,3]})"), "\"parts\" has more than the maximum of 2 entries");
  EXPECT_THAT(Complaint(R"({"more":1})"), HasSubstr("\"more\""));
}

// What a struct reads by itself.
class WordReader : public FieldReader {
 public:
  using FieldReader::FieldReader;
  using FieldReader::operator();
  void operator()(const About& about, const field::Word&, int& member) {
    Read([&](JsonFields& fields) -> Result<void> {
      member = TRY(fields.RequiredString(about.name)) == "one" ? 1 : 2;
      return {};
    });
  }
};

TEST(FieldReader, ADerivedOneReadsWhatIsSpecial) {
  const JsonValue body = *ParseJson(R"({"word":"one"})");
  auto fields = *JsonFields::Of(body);
  Whole whole;
  WordReader reader(fields);
  reader(About{"word"}, field::Word{}, whole.word);
  EXPECT_TRUE(reader.Finish());
  EXPECT_EQ(whole.word, 1);
}

}  // namespace
}  // namespace cay
