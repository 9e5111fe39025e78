#include "build/fetch/fetch_tree.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cay::build {
namespace {

std::string Name(char digit) { return std::string(40, digit); }

GitPlace PlaceOf(const std::string& ref, const std::vector<std::string>& lines) {
  RefLines read(ref);
  for (const std::string& line : lines) read.Take(line);
  return read.Place();
}

TEST(RefLines, WithoutARefItIsHead) {
  EXPECT_EQ(PlaceOf("", {Name('a') + "\trefs/remotes/x/HEAD", Name('b') + "\tHEAD"}).commit,
            Name('b'));
}

TEST(RefLines, ABranchGoesBeforeATagOfItsName) {
  const std::vector<std::string> lines = {Name('a') + "\trefs/heads/v1",
                                          Name('b') + "\trefs/tags/v1"};
  EXPECT_EQ(PlaceOf("v1", lines).commit, Name('a'));
  EXPECT_EQ(PlaceOf("refs/tags/v1", lines).commit, Name('b'));
  EXPECT_EQ(PlaceOf("refs/heads/v1", lines).commit, Name('a'));
}

TEST(RefLines, AnAnnotatedTagIsItsCommit) {
  const GitPlace place =
      PlaceOf("v1", {Name('a') + "\trefs/tags/v1", Name('b') + "\trefs/tags/v1^{}"});
  EXPECT_EQ(place.commit, Name('b'));
  EXPECT_EQ(place.tag, Name('a'));
}

TEST(RefLines, OfOthersThatEndLikeItNothingIsTaken) {
  EXPECT_EQ(
      PlaceOf("v1", {Name('a') + "\trefs/heads/other/v1", Name('b') + "\trefs/x/tags/v1"}).commit,
      "");
  EXPECT_EQ(PlaceOf("pull/1/head", {Name('a') + "\trefs/pull/1/head"}).commit, Name('a'));
}

TEST(RefLines, WhatIsNoNameOfACommitIsNothing) {
  EXPECT_EQ(PlaceOf("v1", {"--help\trefs/heads/v1", "$(id)\trefs/heads/v1",
                           Name('A') + "\trefs/heads/v1", Name('a') + " refs/heads/v1"})
                .commit,
            "");
}

TEST(FetchLines, AreOfOnePieceHoweverTheyCome) {
  std::vector<std::string> lines;
  const FetchLine take = [&](std::string_view line) { lines.emplace_back(line); };
  FetchLines read(take);
  read.Add("one\ntw");
  read.Add("o\r\r\nthree");
  read.Finish();
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(FetchLines, AreBounded) {
  size_t most = 0;
  size_t all = 0;
  const FetchLine take = [&](std::string_view line) {
    most = std::max(most, line.size());
    all += line.size();
  };
  FetchLines read(take);
  read.Add(std::string(3 * kMaxFetchLine + 5, 'x'));
  read.Finish();
  EXPECT_EQ(most, kMaxFetchLine);
  EXPECT_EQ(all, 3 * kMaxFetchLine + 5);
}

}  // namespace
}  // namespace cay::build
