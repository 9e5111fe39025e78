#include "base/id.h"

#include <gtest/gtest.h>

#include <set>

namespace cay {
namespace {

TEST(SandboxId, GeneratedOnesAreValidAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = SandboxId::Generate();
    ASSERT_TRUE(id);
    EXPECT_TRUE(SandboxId::Parse(id->text()));
    seen.insert(id->text());
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(SandboxId, WhatCouldBecomeAPathIsRefused) {
  using namespace std::string_view_literals;
  for (const auto text :
       {""sv, ".."sv, "aaaaaaaaaaaaaaaaaaa"sv, "aaaaaaaaaaaaaaaaaaaaa"sv, "aaaaaaaaaa/aaaaaaaaa"sv,
        "aaaaaaaaaaaaaaaaaaa\0"sv, "AAAAAAAAAAAAAAAAAAAA"sv, "..aaaaaaaaaaaaaaaaaa"sv}) {
    EXPECT_FALSE(SandboxId::Parse(text)) << text;
  }
  EXPECT_FALSE(SandboxId::Parse(std::string(10'000, 'a')));
}

}  // namespace
}  // namespace cay
