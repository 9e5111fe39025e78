#include "template/oci/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::templates::oci {
namespace {

using ::testing::HasSubstr;

TEST(Timestamp, IsThatOfRfc3339) {
  for (const std::string_view text :
       {"0001-01-01T00:00:00Z", "2015-10-31T22:22:56.015925234Z", "2016-12-31T23:59:60Z",
        "2024-02-01T00:00:00+01:00", "2024-02-01T00:00:00.5-23:59"}) {
    EXPECT_TRUE(IsTimestamp(text)) << text;
  }
  for (const std::string_view text :
       {"", "2024", "2024-02-01", "2024-02-01T00:00:00", "2024-02-01 00:00:00Z",
        "2024-00-01T00:00:00Z", "2024-13-01T00:00:00Z", "2024-02-00T00:00:00Z",
        "2024-02-32T00:00:00Z", "2024-02-01T24:00:00Z", "2024-02-01T00:60:00Z",
        "2024-02-01T00:00:61Z", "2024-02-01T00:00:00.Z", "2024-02-01T00:00:00.0123456789Z",
        "2024-02-01T00:00:00+0100", "2024-02-01T00:00:00+24:00", "2024-02-01T00:00:00Zx",
        "202x-02-01T00:00:00Z", "24-02-01T00:00:00Z"}) {
    EXPECT_FALSE(IsTimestamp(text)) << text;
  }
}

// What is refused of an object of which only "ks" is known.
std::string Finished(std::string_view json) {
  const JsonValue root = ParseDocument(json, kMiB).value();
  DocumentFields fields = DocumentFields::Of(root, "").value();
  static_cast<void>(fields.Has("ks"));
  const auto finished = fields.Finish();
  return finished ? "nothing" : finished.error().message();
}

TEST(DocumentFields, IgnoresWhatIsUnknown) {
  EXPECT_EQ(Finished(R"({"ks":1,"other":2,"K":3,"kss":4})"), "nothing");
}

// The letters that Go folds: ASCII's, U+017F as s and U+212A as k.
TEST(DocumentFields, RefusesWhatDiffersOnlyInCase) {
  for (const std::string_view name : {"Ks", "kS", "KS", "k\xc5\xbf", "\xe2\x84\xaas"}) {
    EXPECT_THAT(Finished(R"({"ks":1,")" + std::string(name) + R"(":2})"), HasSubstr("differs"));
    // Nor where the known one is missing.
    EXPECT_THAT(Finished(R"({")" + std::string(name) + R"(":2})"), HasSubstr("differs"));
  }
}

}  // namespace
}  // namespace cay::templates::oci
