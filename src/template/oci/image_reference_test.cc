#include "template/oci/image_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::templates::oci {
namespace {

using ::testing::HasSubstr;

const std::string kHex(64, 'a');
const std::string kDigest = "sha256:" + kHex;

std::string Repeated(std::string_view piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

struct Good {
  std::string text;
  std::string domain;
  std::string path;
  std::string tag;
  bool digest = false;
  std::string familiar{};  // empty: as `text`
};

TEST(ImageReference, IsReadAsDockerReadsIt) {
  const Good all[] = {
      {"python", "docker.io", "library/python", "latest", false, "python:latest"},
      {"python:3.12-slim", "docker.io", "library/python", "3.12-slim"},
      {"library/python:3", "docker.io", "library/python", "3", false, "python:3"},
      {"docker.io/python:3", "docker.io", "library/python", "3", false, "python:3"},
      {"docker.io/library/python:3", "docker.io", "library/python", "3", false, "python:3"},
      {"index.docker.io/python:3", "docker.io", "library/python", "3", false, "python:3"},
      {"Docker.IO/python:3", "docker.io", "library/python", "3", false, "python:3"},
      {"someone/app:1", "docker.io", "someone/app", "1"},
      {"library/a/b:1", "docker.io", "library/a/b", "1"},
      {"python@" + kDigest, "docker.io", "library/python", "", true},
      {"python:3@" + kDigest, "docker.io", "library/python", "3", true},
      {"registry.example/org/app@" + kDigest, "registry.example", "org/app", "", true},
      {"Registry.Example/app:A", "registry.example", "app", "A", false, "registry.example/app:A"},
      {"localhost/app:1", "localhost", "app", "1"},
      {"LOCALHOST/app:1", "localhost", "app", "1", false, "localhost/app:1"},
      {"localhost:5000/a/b:tag@" + kDigest, "localhost:5000", "a/b", "tag", true},
      {"localhost:5000", "docker.io", "library/localhost", "5000"},
      {"test.com:5000", "docker.io", "library/test.com", "5000"},
      {"test:5000/repo:tag", "test:5000", "repo", "tag"},
      {"192.168.1.1/repo:1", "192.168.1.1", "repo", "1"},
      {"192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", "5050"},
      {"[::1]:5000/repo:1", "[::1]:5000", "repo", "1"},
      {"[2001:DB8::1]/repo:1", "[2001:db8::1]", "repo", "1", false, "[2001:db8::1]/repo:1"},
      {"xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com", "myimage", "xn--n3h.com"},
      {"foo_bar.com:8080", "docker.io", "library/foo_bar.com", "8080"},
      {"a__b/c---d/e.f_g:_", "docker.io", "a__b/c---d/e.f_g", "_"},
      // Each of these short forms would mean something else without its domain.
      {"docker.io/my.site/app:1", "docker.io", "my.site/app", "1"},
      {"docker.io/localhost/app:1", "docker.io", "localhost/app", "1"},
      {"library/sha256:" + kHex, "docker.io", "library/sha256", kHex},
      {kHex + ":1", "docker.io", "library/" + kHex, "1"},
  };
  for (const Good& good : all) {
    const auto reference = ImageReference::Parse(good.text);
    ASSERT_TRUE(reference) << good.text << ": " << reference.error().message();
    EXPECT_EQ(reference->domain, good.domain) << good.text;
    EXPECT_EQ(reference->path, good.path) << good.text;
    EXPECT_EQ(reference->tag, good.tag) << good.text;
    EXPECT_EQ(reference->digest.has_value(), good.digest) << good.text;
    EXPECT_EQ(reference->Familiar(), good.familiar.empty() ? good.text : good.familiar);
    EXPECT_EQ(ImageReference::Parse(reference->Familiar()), *reference) << good.text;
    EXPECT_EQ(ImageReference::Parse(reference->Canonical()), *reference) << good.text;
  }
}

TEST(ImageReference, ThatIsWrongSaysWhat) {
  const std::pair<std::string, std::string> all[] = {
      {"", "it is empty"},
      {":tag", "has an empty part"},
      {"@" + kDigest, "has an empty part"},
      {"/app", "has an empty part"},
      {"a//b", "has an empty part"},
      {"a/", "has an empty part"},
      {"registry.example/", "has an empty part"},
      {"Python", "must be in lower case"},
      {"someone/App", "must be in lower case"},
      {"test:5000/Uppercase/x", "must be in lower case"},
      {"Someone/app", "is in upper case"},
      {"-app", "is not a part"},
      {"app-", "is not a part"},
      {"a___b", "is not a part"},
      {"a..b", "is not a part"},
      {"a._b", "is not a part"},
      {"aa/asdf$$^/aa", "is not a part"},
      {"app name", "is not a part"},
      {"app\n", "is not a part"},
      {"\xc3\xa9t\xc3\xa9", "is not a part"},
      {std::string("app\0x", 5), "is not a part"},
      {"[2001:db8::1]:5000", "is not a part"},
      {"https://registry.example/app", "no scheme"},
      {"app:", "is not a tag"},
      {"app:-x", "is not a tag"},
      {"app:.x", "is not a tag"},
      {"app:a:b", "is not a tag"},
      {"app:a/b", "the port \"a\" is not a number from 1 to 65535"},
      {"app:" + std::string(129, 'x'), "is not a tag"},
      {"registry.example:0/app", "the port"},
      {"registry.example:/app", "the port"},
      {"registry.example:65536/app", "the port"},
      {"registry.example:080/app", "the port"},
      {".example/app", "is not the name of a registry's host"},
      {"registry.example./app", "is not the name of a registry's host"},
      {"-x.example/app", "is not the name of a registry's host"},
      {"a_b.example/app", "is not the name of a registry's host"},
      {"user:secret@registry.example/app", "not a digest"},
      {"[fe80::1%eth0]:5000/app", "is not an IPv6 address"},
      {"[::ffff:1.2.3.4]/app", "is not an IPv6 address"},
      {"[1:2]/app", "is not an IPv6 address"},
      {"[::1/app:1", "is not an IPv6 address"},
      {"[::1]x:50/app", "is not an IPv6 address"},
      {std::string("[::1\0]/app", 10), "is not an IPv6 address"},
      {"app@sha256:" + std::string(63, 'a'), "64 hexadecimal letters"},
      {"app@sha256:" + std::string(64, 'A'), "64 hexadecimal letters"},
      {"app@md5:" + kHex, "cannot be verified"},
      {"app@", "not a digest"},
      {"app@" + kDigest + "@" + kDigest, "64 hexadecimal letters"},
      {kHex, "which repository"},
      {kDigest, "which repository"},
      {std::string(ImageReference::kMaxText + 1, 'a'), "longer than"},
  };
  for (const auto& [text, why] : all) {
    const auto reference = ImageReference::Parse(text);
    ASSERT_FALSE(reference) << text;
    EXPECT_THAT(reference.error().message(), HasSubstr(why)) << text;
  }
}

TEST(ImageReference, HasANameOfAtMost255BytesWithItsDomain) {
  for (const std::string& domain :
       {std::string("registry.example/"), std::string("docker.io/x/")}) {
    std::string name = domain + Repeated("a/", 100);
    name += std::string(255 - name.size(), 'a');
    EXPECT_TRUE(ImageReference::Parse(name + ":" + std::string(128, 't') + "@" + kDigest));
    const auto longer = ImageReference::Parse(name + "a");
    ASSERT_FALSE(longer);
    EXPECT_THAT(longer.error().message(), HasSubstr("longer than 255 bytes"));
  }
  // The domain and "library/" count where they are not written.
  EXPECT_TRUE(ImageReference::Parse(std::string(237, 'a')));
  EXPECT_FALSE(ImageReference::Parse(std::string(238, 'a')));
}

TEST(ImageReference, IsAskedForByItsDigestWhereItHasOne) {
  EXPECT_EQ(ImageReference::Parse("python:3@" + kDigest)->Wanted(), kDigest);
  EXPECT_EQ(ImageReference::Parse("python:3")->Wanted(), "3");
  EXPECT_EQ(ImageReference::Parse("python")->Wanted(), "latest");
}

TEST(ImageReference, OfAnotherAlgorithmIsNotSupported) {
  EXPECT_EQ(ImageReference::Parse("app@sha384:" + kHex).error().code(), ErrorCode::kNotSupported);
}

}  // namespace
}  // namespace cay::templates::oci
