#include "sandbox/projects/content_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "sandbox/projects/content_types_child.h"

namespace cay::sandbox {
namespace {

pid_t launched = -1;

Result<pid_t> Fork(const Fd& control) {
  launched = ::fork();
  if (launched == 0) ::_exit(ServeContentTypes(Fd::Adopt(control.get())));
  return launched;
}

class ContentTypesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = ContentTypes::Start(&Fork);
    ASSERT_TRUE(started) << started.error().ToString();
    types_ = std::move(*started);
  }
  std::string TypeOf(std::string_view content) {
    const auto type = types_->TypeOf(content);
    return type ? *type : type.error().ToString();
  }
  std::unique_ptr<ContentTypes> types_;
};

TEST_F(ContentTypesTest, AreTheContentsAndNotTheNames) {
  EXPECT_EQ(TypeOf("hello\nworld\n"), "text/plain");
  EXPECT_EQ(TypeOf(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16)), "image/png");
  EXPECT_EQ(TypeOf("%PDF-1.7\n%\xe2\xe3\n"), "application/pdf");
  EXPECT_EQ(TypeOf("<!DOCTYPE html><html><script>alert(1)</script></html>"), "text/html");
  EXPECT_EQ(TypeOf("#!/bin/sh\necho\n"), "text/x-shellscript");
  EXPECT_EQ(TypeOf(std::string("\x7f"
                               "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0\1\0\0\0",
                               24)),
            "application/x-executable");
  EXPECT_EQ(TypeOf(std::string("\0\1\2\3\xfe\xff\0\7", 8)), "application/octet-stream");
  EXPECT_EQ(TypeOf(""), "");
}

TEST_F(ContentTypesTest, OfALargeContentItsBeginningIsLookedAt) {
  EXPECT_EQ(TypeOf(std::string(10 << 20, 'a')), "text/plain");
  EXPECT_EQ(TypeOf(std::string(ContentTypes::kLookedAt, 'a') + std::string(100, '\0')),
            "text/plain");
}

TEST_F(ContentTypesTest, AProcessThatWasKilledIsReplaced) {
  ASSERT_GT(launched, 0);  // kill(-1) ends everybody
  ::kill(launched, SIGKILL);
  EXPECT_EQ(TypeOf("hello\n"), "text/plain");
}

// Whatever it is, there is an answer, and the next one is right.
TEST_F(ContentTypesTest, WhatIsCutOrDamagedCostsNobodyElse) {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::string program(ContentTypes::kLookedAt, '\0');
  file.read(program.data(), static_cast<std::streamsize>(program.size()));
  unsigned state = 1;
  for (int round = 0; round < 50; ++round) {
    std::string damaged = program;
    for (int i = 0; i < 200; ++i) {
      state = state * 1'103'515'245 + 12'345;
      damaged[(state >> 8) % damaged.size()] = static_cast<char>(state >> 24);
    }
    EXPECT_THAT(TypeOf(damaged), testing::HasSubstr("/"));
  }
  EXPECT_EQ(TypeOf("hello\n"), "text/plain");
}

TEST(ContentTypes, WithoutADatabaseSaySoAndWhatToInstall) {
  const auto started = ContentTypes::Start([](const Fd& control) -> Result<pid_t> {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::setenv("MAGIC", "/nonexistent", 1);
      ::_exit(ServeContentTypes(Fd::Adopt(control.get())));
    }
    return pid;
  });
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().remedy().text(), testing::HasSubstr("libmagic-mgc"));
}

}  // namespace
}  // namespace cay::sandbox
