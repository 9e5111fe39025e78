#include "sandbox/projects/project_names.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/digest.h"

namespace cay::sandbox {
namespace {

TEST(Sha256, IsThatOfTheStandardsExample) {
  // FIPS 180-4's example, and the empty message.
  EXPECT_EQ(*Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  auto pieces = Sha256::Start();
  ASSERT_TRUE(pieces);
  EXPECT_TRUE(pieces->Add("a"));
  EXPECT_TRUE(pieces->Add("bc"));
  EXPECT_EQ(*std::move(*pieces).Hex(), *Sha256Hex("abc"));
}

TEST(ProjectName, IsOneComponentOfAPath) {
  for (const char* good : {"a", "web", "My.Project_1-x", "0"}) EXPECT_TRUE(CheckProjectName(good));
  EXPECT_TRUE(CheckProjectName(std::string(128, 'a')));
  for (const char* bad : {"", ".", "..", ".a", "-a", "a/b", "a b", "a\n", "\xc3\xa4"}) {
    EXPECT_EQ(CheckProjectName(bad).error().code(), ErrorCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(CheckProjectName(std::string(129, 'a')));
  EXPECT_FALSE(CheckProjectName(std::string_view("a\0b", 3)));
}

TEST(FileName, MayHaveAnythingButWhatAPathOrATerminalWouldUnderstand) {
  for (const char* good :
       {"a", "...", "-rf", "a b (1).txt", "\xe2\x82\xac.csv", ".bashrc", "a\\b"}) {
    EXPECT_TRUE(CheckFileName(good)) << good;
  }
  EXPECT_TRUE(CheckFileName(std::string(255, 'a')));
  for (const char* bad :
       {"", ".", "..", "a/b", "/", "a\nb", "\x1b[31m", "a\x7f", "\xff", "\xc2\x9b"}) {
    EXPECT_EQ(CheckFileName(bad).error().code(), ErrorCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(CheckFileName(std::string(256, 'a')));
  EXPECT_FALSE(CheckFileName(std::string_view("a\0", 2)));
}

TEST(Owner, BecomesAComponentThatNoOtherOwnerHas) {
  EXPECT_EQ(*OwnerComponent("local"), "local");
  std::set<std::string> seen;
  for (const char* owner : {"..", ".", "", "a/b", "A", "a", "\n", "=a"}) {
    const std::string component = *OwnerComponent(owner);
    EXPECT_EQ(component.find('/'), std::string::npos) << owner;
    EXPECT_NE(component, "..");
    EXPECT_NE(component, ".");
    EXPECT_FALSE(component.empty());
    EXPECT_LE(component.size(), 255U);
    EXPECT_TRUE(seen.insert(component).second) << owner;
  }
}

TEST(NumberedName, KeepsTheEndingAndTheLength) {
  EXPECT_EQ(NumberedName("report.txt", 1), "report (1).txt");
  EXPECT_EQ(NumberedName("a.tar.gz", 2), "a.tar (2).gz");
  EXPECT_EQ(NumberedName("Makefile", 3), "Makefile (3)");
  EXPECT_EQ(NumberedName(".profile", 1), ".profile (1)");
  const std::string long_name = std::string(251, 'x') + ".txt";
  EXPECT_EQ(NumberedName(long_name, 12), std::string(246, 'x') + " (12).txt");
  const std::string all_ending = "x." + std::string(253, 'e');
  EXPECT_EQ(NumberedName(all_ending, 1).size(), 255U);
  // Not in the middle of a character.
  std::string euros;
  for (int i = 0; i < 85; ++i) euros += "\xe2\x82\xac";
  EXPECT_TRUE(CheckFileName(NumberedName(euros, 1)));
}

TEST(FreeName, IsTheFirstThatIsNotTaken) {
  const std::set<std::string> taken = {"a.txt", "a (1).txt", "a (3).txt"};
  const auto is_taken = [&](const std::string& name) { return taken.contains(name); };
  EXPECT_EQ(FreeName("b.txt", is_taken), "b.txt");
  EXPECT_EQ(FreeName("a.txt", is_taken), "a (2).txt");
}

}  // namespace
}  // namespace cay::sandbox
