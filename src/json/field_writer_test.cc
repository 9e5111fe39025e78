#include "json/field_writer.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace cay {
namespace {

using field::About;

struct Item {
  int number = 0;
};
struct ItemFields {
  static void Of(const Item& item, auto& visit) {
    visit(About{"number"}, field::Number{}, item.number);
  }
};
struct Told {
  std::optional<std::string> maybe = std::nullopt;
  std::optional<int64_t> ended = std::nullopt;
  std::map<std::string, int> figures = {};
  std::vector<Item> items;
};
struct ToldFields {
  static void Of(const Told& told, auto& visit) {
    visit(About{"maybe"}, field::Text{}, told.maybe);
    visit(About{.name = "often", .sometimes = true}, field::Text{}, told.maybe);
    visit(About{"pieces"}, field::Text{}, field::TextPieces{"a", "", "\xFF"});
    visit(About{"bytes"}, field::Base64{}, std::string_view("\xFF"));
    visit(About{"began"}, field::Time{}, int64_t{0});
    visit(About{"at"}, field::Time{.always = true}, int64_t{0});
    visit(About{"ended"}, field::Time{}, told.ended);
    visit(About{"took"}, field::Seconds{}, Millis(1500));
    visit(About{"figures"}, field::Figures{}, told.figures);
    visit(About{"first"}, field::Object<ItemFields>{}, told.items.front());
    visit(About{"items"}, field::Objects<ItemFields>{}, told.items);
    visit(About{"json"}, field::Own{}, std::string_view("[1]"));
    visit(About{}, field::Flag{}, true);
  }
};

TEST(FieldWriter, WritesWhatTheListGives) {
  const Told told{
      .maybe = "m", .ended = 1'767'225'600'123, .figures = {{"f", 1}}, .items = {{1}, {2}}};
  EXPECT_EQ(ObjectJson<ToldFields>(told).text(),
            R"({"maybe":"m","often":"m","pieces":"a)"
            "\uFFFD"
            R"(","bytes":"/w==","began":null,"at":"1970-01-01T00:00:00.000Z",)"
            R"("ended":"2026-01-01T00:00:00.123Z","took":1.5,"figures":{"f":1},)"
            R"("first":{"number":1},"items":[{"number":1},{"number":2}],"json":[1]})");
}

TEST(FieldWriter, NothingIsNullOrLeftOut) {
  const std::string text = ObjectJson<ToldFields>(Told{.items = {{1}}}).text();
  EXPECT_TRUE(text.starts_with(R"({"maybe":null,"pieces":)")) << text;
  EXPECT_NE(text.find(R"("ended":null)"), std::string::npos) << text;
}

}  // namespace
}  // namespace cay
