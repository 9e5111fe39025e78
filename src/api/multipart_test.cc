#include "api/multipart.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace cay::api {
namespace {

constexpr std::string_view kBoundary = "XyZ";

// Gives the text in pieces of `step` bytes.
Source InPieces(std::string_view text, size_t step) {
  return [text, step](std::span<char> space) mutable -> Result<size_t> {
    const size_t count = std::min({step, text.size(), space.size()});
    std::memcpy(space.data(), text.data(), count);
    text.remove_prefix(count);
    return count;
  };
}

struct Got {
  MultipartReader::Part part;
  std::string content;
};

Result<std::vector<Got>> ReadAll(std::string_view text, size_t step = 7) {
  MultipartReader reader(InPieces(text, step), kBoundary);
  std::vector<Got> all;
  while (auto part = TRY(reader.Next())) {
    Got got{*std::move(part), {}};
    char space[5];
    while (const size_t count = TRY(reader.Read(space))) got.content.append(space, count);
    all.push_back(std::move(got));
  }
  return all;
}

std::string File(std::string_view disposition, std::string_view content) {
  return "--XyZ\r\nContent-Disposition: " + std::string(disposition) + "\r\n\r\n" +
         std::string(content) + "\r\n";
}

TEST(Multipart, GivesPartsHoweverTheBytesCome) {
  const std::string content = "a\r\n--Xy\r\n--XyY\r\nb";
  const std::string text = File("form-data; name=\"f\"; filename=\"a b.txt\"", content) +
                           "--XyZ\r\ncontent-type: text/plain\r\n"
                           "Content-Disposition: form-data; name=x\r\n\r\n\r\n--XyZ--\r\n";
  for (size_t step = 1; step < 80; ++step) {
    const auto parts = ReadAll(text, step);
    ASSERT_TRUE(parts) << step << parts.error().message();
    ASSERT_EQ(parts->size(), 2U);
    EXPECT_EQ((*parts)[0].part.name, "f");
    EXPECT_EQ((*parts)[0].part.filename, "a b.txt");
    EXPECT_EQ((*parts)[0].content, content);
    EXPECT_EQ((*parts)[1].part.content_type, "text/plain");
    EXPECT_FALSE((*parts)[1].part.filename);
    EXPECT_EQ((*parts)[1].content, "");
  }
}

TEST(Multipart, NamesOfFilesComeInSeveralForms) {
  const auto name_of = [](std::string_view parameters) {
    const auto parts =
        ReadAll(File("form-data; name=f; " + std::string(parameters), "") + "--XyZ--");
    return parts ? (*parts)[0].part.filename.value_or("none") : parts.error().message();
  };
  EXPECT_EQ(name_of("filename=plain.txt"), "plain.txt");
  EXPECT_EQ(name_of(R"(filename="a\"b.txt")"), "a\"b.txt");
  EXPECT_EQ(name_of(R"(filename="C:\dir\x")"), R"(C:\dir\x)");
  EXPECT_EQ(name_of(R"(filename="a;b"; other=1)"), "a;b");
  EXPECT_EQ(name_of("filename=x; filename*=UTF-8''%C3%A4%20b"), "\xC3\xA4 b");
}

TEST(Multipart, WhatIsNotReadIsSkipped) {
  const std::string text = File("form-data; name=a; filename=a", std::string(300'000, 'x')) +
                           File("form-data; name=b", "2") + "--XyZ--";
  MultipartReader reader(InPieces(text, 4096), kBoundary);
  EXPECT_EQ((*reader.Next())->name, "a");
  EXPECT_EQ((*reader.Next())->name, "b");
  EXPECT_FALSE(*reader.Next());
  EXPECT_FALSE(*reader.Next());
}

TEST(Multipart, WhatIsNotRightIsRefused) {
  const std::string good = File("form-data; name=a", "1");
  for (const std::string& text : {
           std::string(),
           good,                                      // no end
           good + "--XyZ",                            // cut
           "x" + good + "--XyZ--",                    // text before
           good + "--XyZ-x",                          // neither part nor end
           good + "--XyZmore\r\n\r\n",                // a longer boundary
           std::string("--XyZ\r\n\r\n1\r\n--XyZ--"),  // no header
           File("attachment; name=a", "1") + "--XyZ--",
           File("form-data; name=\"a", "1") + "--XyZ--",
           File("form-data; name=\"a\"b", "1") + "--XyZ--",
           File("form-data; name", "1") + "--XyZ--",
           File("form-data; filename*=latin1''x", "1") + "--XyZ--",
           File("form-data; filename*=UTF-8''%4", "1") + "--XyZ--",
           File("form-data; filename*=UTF-8''a%00b", "1") + "--XyZ--",
           File("form-data; name=a\r\nContent-Transfer-Encoding: base64", "1") + "--XyZ--",
           File("form-data; name=a\r\nContent-Disposition: form-data", "1") + "--XyZ--",
           File("form-data; name=a\r\nno colon", "1") + "--XyZ--",
           File("form-data; name=" + std::string(10'000, 'a'), "1") + "--XyZ--",
       }) {
    EXPECT_FALSE(ReadAll(text)) << text.substr(0, 200);
  }
}

TEST(Multipart, ThereAreNotMorePartsThanTheMaximum) {
  std::string text;
  for (size_t i = 0; i < MultipartReader::kMaxParts; ++i) text += File("form-data; name=a", "");
  EXPECT_TRUE(ReadAll(text + "--XyZ--", 4096));
  EXPECT_FALSE(ReadAll(text + File("form-data; name=a", "") + "--XyZ--", 4096));
}

TEST(Multipart, AnErrorOfTheSourceIsTheResult) {
  MultipartReader reader(
      [](std::span<char>) -> Result<size_t> {
        return Failure(Error(ErrorCode::kTimeout, Fault::kCaller, "slow"));
      },
      kBoundary);
  EXPECT_EQ(reader.Next().error().code(), ErrorCode::kTimeout);
}

TEST(Multipart, TheBoundaryIsInTheContentType) {
  EXPECT_EQ(*BoundaryOf("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(*BoundaryOf("Multipart/Form-Data; charset=x; BOUNDARY=\"a b\""), "a b");
  for (const char* bad :
       {"", "multipart/form-data", "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a\r\n\"",
        "multipart/form-data; boundary=\"a \"", "application/json"}) {
    EXPECT_FALSE(BoundaryOf(bad)) << bad;
  }
  EXPECT_FALSE(BoundaryOf("multipart/form-data; boundary=" + std::string(71, 'a')));
}

}  // namespace
}  // namespace cay::api
