#include "template/store/template_name.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace cay::templates {
namespace {

TEST(TemplateName, AnImagesReferenceIsKeptInOneForm) {
  const std::pair<const char*, const char*> forms[] = {
      {"python", "python"},
      {"host", "host"},
      {"a.b_c-1", "a.b_c-1"},
      {"python:3.12-slim", "python:3.12-slim"},
      {"docker.io/library/python:3.12", "python:3.12"},
      {"docker.io/library/python", "python:latest"},
      {"someone/app", "someone/app:latest"},
      {"localhost:5000/a/b:1", "localhost:5000/a/b:1"},
      {"[::1]:5000/a:1", "[::1]:5000/a:1"},
  };
  for (const auto& [asked, kept] : forms) {
    const auto normal = NormalTemplateName(asked);
    ASSERT_TRUE(normal) << asked << ": " << normal.error().ToString();
    EXPECT_EQ(*normal, kept);
    EXPECT_TRUE(CheckTemplateName(*normal));
    EXPECT_EQ(NameOfFile(FileNameOf(*normal)), *normal);
    EXPECT_EQ(FileNameOf(*normal).find('/'), std::string::npos);
  }
  EXPECT_FALSE(CheckTemplateName("docker.io/library/python:3.12")) << "python:3.12 is its form";
}

TEST(TemplateName, WhatIsNoNameIsRefused) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string(".hidden"),
        std::string("../x:1"), std::string("a/../b:1"), std::string("/etc:1"), std::string("Upper"),
        std::string("a b"), std::string("a\0b", 3), std::string("a:"), std::string(":1"),
        std::string("a+b"), std::string("a/b+c:1"), std::string(65, 'a'),
        "a/" + std::string(220, 'b') + ":1"}) {
    EXPECT_FALSE(NormalTemplateName(name)) << name;
    EXPECT_FALSE(CheckTemplateName(name)) << name;
  }
  for (const char* file : {"", ".host", "a+..", "+etc", "a b", "Upper"})
    EXPECT_FALSE(NameOfFile(file)) << file;
}

TEST(TemplateName, AShortNameMeansTheLatestImageOfThatName) {
  EXPECT_EQ(ImageOfName("python")->Canonical(), "docker.io/library/python:latest");
  EXPECT_EQ(ImageOfName("python:3")->Canonical(), "docker.io/library/python:3");
  EXPECT_FALSE(ImageOfName("a b"));
}

}  // namespace
}  // namespace cay::templates
