#include "sandbox/projects/allowed_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;

AllowedTypes Allowed(const std::vector<std::string>& types) { return *AllowedTypes::Parse(types); }

TEST(AllowedTypes, NoneAllowEverything) {
  EXPECT_TRUE(AllowedTypes().everything());
  EXPECT_TRUE(AllowedTypes().Check("x/y", "application/x-executable"));
}

TEST(AllowedTypes, TheContentDecidesAndTheClientsWordBesideIt) {
  const AllowedTypes allowed = Allowed({"Text/*", "image/png"});
  EXPECT_TRUE(allowed.Check("text/csv; charset=utf-8", "text/plain"));
  EXPECT_TRUE(allowed.Check("application/octet-stream", "image/png"));
  EXPECT_TRUE(allowed.Check("", "IMAGE/PNG"));
  EXPECT_TRUE(allowed.Check("text/plain", ""));
  EXPECT_FALSE(allowed.Check("image/png", "application/x-executable"));
  EXPECT_FALSE(allowed.Check("image/svg+xml", "text/xml"));
  EXPECT_FALSE(allowed.Check("image/jpeg", ""));
  EXPECT_FALSE(allowed.Check("", "image/pngx"));
  EXPECT_FALSE(allowed.Check("", "text"));
}

TEST(AllowedTypes, ARefusalNamesTheTypeAndTheKey) {
  const auto refused = Allowed({"text/*"}).Check("text/plain", "application/pdf");
  EXPECT_THAT(refused.error().message(), HasSubstr("application/pdf"));
  EXPECT_THAT(refused.error().remedy().text(), HasSubstr("projects.allowed_types"));
  EXPECT_EQ(refused.error().sys_errno(), EMEDIUMTYPE);
}

TEST(AllowedTypes, WhatIsNoTypeIsRefused) {
  for (const char* text :
       {"", "text", "text/", "/plain", "*/*", "text/*x", "text/a b", "a/b/c", "text/plain;x"})
    EXPECT_FALSE(AllowedTypes::Parse({text})) << text;
  EXPECT_FALSE(AllowedTypes::Parse(std::vector<std::string>(257, "a/b")));
}

}  // namespace
}  // namespace cay::sandbox
