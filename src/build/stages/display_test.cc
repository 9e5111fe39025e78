#include "build/stages/display.h"

#include <gtest/gtest.h>

namespace cay::build {
namespace {

using templates::dockerfile::Instruction;

Instruction Of(std::string source) {
  return {.value = templates::dockerfile::Run{}, .source = std::move(source)};
}

TEST(Display, LinesThatAnEscapeJoinsAreOne) {
  EXPECT_EQ(DisplayOf(Of("RUN apt-get update && \\\n    apt-get install -y jq")),
            "RUN apt-get update && apt-get install -y jq");
  EXPECT_EQ(DisplayOf(Of("RUN <<EOF\na\tb\nEOF")), "RUN <<EOF a b EOF");
}

TEST(Display, WhatDoesNotPrintIsNotShown) {
  EXPECT_EQ(DisplayOf(Of("RUN echo \x1b[31mred")), "RUN echo ?[31mred");
}

TEST(Display, CredentialsOfUrlsAreNotShown) {
  const std::string text = "ADD https://user:s3cret@example.org/x /";
  EXPECT_EQ(DisplayOf(Of(text)), "ADD https://***@example.org/x /");
  EXPECT_EQ(HistoryOf(Of(text)), DisplayOf(Of(text)));
}

TEST(Display, ALongOneIsCutBetweenCharacters) {
  const std::string shown = DisplayOf(Of("RUN " + std::string(155, 'x') + "éé"));
  EXPECT_EQ(shown, "RUN " + std::string(155, 'x') + "…");
}

TEST(Display, AnImagesHistoryHasMore) {
  const std::string text = "RUN " + std::string(1000, 'x');
  EXPECT_EQ(HistoryOf(Of(text)), text);
}

}  // namespace
}  // namespace cay::build
