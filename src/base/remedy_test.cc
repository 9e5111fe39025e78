#include "base/remedy.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

using Part = Remedy::Part;

std::string_view Shout(Action action) { return action == Action::kStart ? "START {}!" : "?"; }

TEST(Remedy, EachFaceHasItsOwnWordForAnAction) {
  const Remedy remedy = "start it first: " + Remedy(Action::kStart, "a1") + "; or not";
  EXPECT_EQ(remedy.InWords(Shout), "start it first: START a1!; or not");
  EXPECT_EQ(remedy.text(), "start it first: start a1; or not");
  EXPECT_TRUE(remedy.Has(Action::kStart));
  EXPECT_FALSE(remedy.Has(Action::kPause));
}

TEST(Remedy, WordsAreOnePartAndNothingIsNone) {
  EXPECT_TRUE(Remedy().empty());
  EXPECT_TRUE(Remedy("").empty());
  EXPECT_EQ((Remedy("a") + "b" + std::string("c")).parts(), (std::vector<Part>{{{}, "abc"}}));
}

TEST(Remedy, ComesBackFromItsEncoding) {
  const Remedy remedy = "see " + Remedy(Action::kReadProcess, "7") + ", or " +
                        Remedy(Action::kList) + Remedy(Action::kUse, "team/web");
  EXPECT_EQ(Remedy::Decoded(remedy.Encoded()).parts(), remedy.parts());
  EXPECT_TRUE(Remedy::Decoded("").empty());
  EXPECT_EQ(Remedy::Decoded("plain").parts(), (std::vector<Part>{{{}, "plain"}}));
}

TEST(Remedy, AnEncodingOfAnotherProgramIsWords) {
  EXPECT_EQ(Remedy::Decoded("a \x1E"
                            "fly\x1F"
                            "b1\x1E c")
                .text(),
            "a b1 c");
  for (const char* cut : {"a\x1E", "a\x1Estart", "a\x1Estart\x1F",
                          "a\x1Estart\x1F"
                          "b",
                          "\x1E\x1E\x1F"}) {
    (void)Remedy::Decoded(cut).text();
  }
  EXPECT_EQ(Remedy::Decoded("a\x1Estart\x1F"
                            "b")
                .parts(),
            (std::vector<Part>{{{}, "a"}, {Action::kStart, "b"}}));
}

TEST(Remedy, EveryActionHasANameOfItsOwn) {
  for (size_t i = 1; i < kActionCount; ++i) {
    const auto action = static_cast<Action>(i);
    EXPECT_EQ(ActionFromName(ActionName(action)), action);
  }
  EXPECT_FALSE(ActionFromName(""));
  EXPECT_FALSE(ActionFromName("fly"));
}

}  // namespace
}  // namespace cay
