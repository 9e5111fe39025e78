#include "http/client/location.h"

#include <gtest/gtest.h>

namespace cay::http {
namespace {

std::string Text(const Result<Location>& location) {
  return location ? location->Origin() + location->target : "refused";
}

TEST(Location, KeepsPathAndQueryAsTheyAreWritten) {
  EXPECT_EQ(Text(Location::Parse("https://a.example/v2/x%2Fy?s=a%20b&t")),
            "https://a.example:443/v2/x%2Fy?s=a%20b&t");
  EXPECT_EQ(Text(Location::Parse("HTTP://A.Example:5000")), "http://a.example:5000/");
  EXPECT_EQ(Text(Location::Parse("https://a.example?q")), "https://a.example:443/?q");
  EXPECT_EQ(Text(Location::Parse("https://[::1]:9/x#part")), "https://[::1]:9/x");
}

TEST(Location, RefusesWhatIsNoAddressOfAServer) {
  for (const std::string_view text :
       {"", "/x", "ftp://a/x", "unix:/run/x", "https://user:pass@a/x", "https:///x",
        "https://a:0/x", "https://a/x y", "https://a/\x01", "https://a/\xc3\xa4", "https://a/%zz",
        "https://a:b/"}) {
    EXPECT_EQ(Text(Location::Parse(text)), "refused") << text;
  }
  EXPECT_EQ(Text(Location::Parse("https://a/" + std::string(Location::kMaxBytes, 'x'))), "refused");
}

TEST(Location, ResolvesReferencesOfAnswers) {
  const Location base = *Location::Parse("https://a.example:5000/v2/x/blobs/uploads/?n=1");
  EXPECT_EQ(Text(base.Resolve("/v2/y?z=1")), "https://a.example:5000/v2/y?z=1");
  EXPECT_EQ(Text(base.Resolve("//b.example/y")), "https://b.example:443/y");
  EXPECT_EQ(Text(base.Resolve("http://b.example/y?q=/")), "http://b.example:80/y?q=/");
  EXPECT_EQ(Text(base.Resolve("id")), "https://a.example:5000/v2/x/blobs/uploads/id");
  EXPECT_EQ(Text(base.Resolve("../z")), "https://a.example:5000/v2/x/blobs/z");
  EXPECT_EQ(Text(base.Resolve("file:///etc/passwd")), "refused");
  EXPECT_EQ(Text(base.Resolve("//user@b.example/y")), "refused");
  EXPECT_EQ(Text(base.Resolve("/a b")), "refused");
}

TEST(Location, SaysThePortInTheHostFieldOnlyWhereItIsUnusual) {
  EXPECT_EQ(Location::Parse("https://a.example/")->HostField(), "a.example");
  EXPECT_EQ(Location::Parse("https://a.example:80/")->HostField(), "a.example:80");
  EXPECT_EQ(Location::Parse("http://[::1]/")->HostField(), "[::1]");
  EXPECT_EQ(Location::Parse("http://[::1]:5000/")->HostField(), "[::1]:5000");
}

TEST(Location, KnowsWhichServersAreTheSame) {
  const Location base = *Location::Parse("https://a.example/");
  EXPECT_TRUE(SameOrigin(base.url, Location::Parse("https://A.example:443/x")->url));
  for (const std::string_view other :
       {"http://a.example:443/", "https://a.example:444/", "https://b.example/"})
    EXPECT_FALSE(SameOrigin(base.url, Location::Parse(other)->url)) << other;
}

}  // namespace
}  // namespace cay::http
