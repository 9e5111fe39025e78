#include "archive/formats/any_compression.h"

#include <bzlib.h>
#include <gmock/gmock.h>
#include <lzma.h>

#include <algorithm>
#include <string>
#include <vector>

#include "archive/compression.h"

namespace cay::archive {
namespace {

using ::testing::HasSubstr;

std::string Xz(const std::string& text, uint32_t dictionary = 1 << 20) {
  lzma_options_lzma options{};
  ::lzma_lzma_preset(&options, 0);
  options.dict_size = dictionary;
  const lzma_filter filters[] = {{.id = LZMA_FILTER_LZMA2, .options = &options},
                                 {.id = LZMA_VLI_UNKNOWN, .options = nullptr}};
  std::string packed(text.size() + 4096, '\0');
  size_t used = 0;
  EXPECT_EQ(
      ::lzma_stream_buffer_encode(const_cast<lzma_filter*>(filters), LZMA_CHECK_CRC32, nullptr,
                                  reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                  reinterpret_cast<uint8_t*>(packed.data()), &used, packed.size()),
      LZMA_OK);
  return packed.substr(0, used);
}

std::string Bzip2(std::string text) {
  std::string packed(text.size() + text.size() / 10 + 4096, '\0');
  auto used = static_cast<unsigned>(packed.size());
  EXPECT_EQ(::BZ2_bzBuffToBuffCompress(packed.data(), &used, text.data(),
                                       static_cast<unsigned>(text.size()), 1, 0, 0),
            BZ_OK);
  return packed.substr(0, used);
}

// A byte at a time goes in where `pieces` is 1.
class Pieces final : public ByteSource {
 public:
  Pieces(std::string bytes, size_t pieces) : bytes_(std::move(bytes)), pieces_(pieces) {}
  Result<size_t> Read(std::span<char> into) override {
    const size_t count = std::min({into.size(), pieces_, bytes_.size() - at_});
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(at_), count, into.begin());
    at_ += count;
    return count;
  }

 private:
  std::string bytes_;
  size_t pieces_;
  size_t at_ = 0;
};

Result<std::string> Unpacked(const std::string& packed, size_t pieces, size_t room) {
  Pieces source(packed, pieces);
  const auto plain = TRY(DecompressAny(source));
  std::string text;
  std::vector<char> buffer(room);
  while (const size_t got = TRY(plain->Read(buffer))) text.append(buffer.data(), got);
  return text;
}

std::string Sample() {
  std::string text;
  for (int i = 0; text.size() < 300'000; ++i) text += std::to_string(i * 7919) + ",";
  return text;
}

TEST(DecompressAny, GivesBackWhatWasPackedInAnyPieces) {
  const std::string text = Sample();
  for (const std::string& packed : {Xz(text), Bzip2(text), text}) {
    EXPECT_EQ(Unpacked(packed, 1 << 20, 1 << 16).value_or(""), text);
    EXPECT_EQ(Unpacked(packed, 1, 4096).value_or(""), text);
    EXPECT_EQ(Unpacked(packed, 1000, 7).value_or(""), text);
  }
}

TEST(DecompressAny, KnowsGzipAndZstdAsWell) {
  for (const Compression form : {Compression::kGzip, Compression::kZstd}) {
    StringSink sink;
    const auto packed = Compress(sink, form);
    ASSERT_TRUE((*packed)->Write("text").has_value());
    ASSERT_TRUE((*packed)->Finish().has_value());
    EXPECT_EQ(Unpacked(sink.text(), 3, 100).value_or(""), "text");
  }
}

TEST(DecompressAny, StreamsOneAfterTheOtherAreOne) {
  EXPECT_EQ(Unpacked(Xz("one") + Xz("two"), 5, 100).value_or(""), "onetwo");
  EXPECT_EQ(Unpacked(Bzip2("one") + Bzip2("two"), 5, 100).value_or(""), "onetwo");
  EXPECT_EQ(Unpacked(Bzip2("") + Bzip2("two"), 5, 100).value_or(""), "two");
}

TEST(DecompressAny, ACutOrDamagedStreamIsAnError) {
  for (const std::string& packed : {Xz(Sample()), Bzip2(Sample())}) {
    const auto cut = Unpacked(packed.substr(0, packed.size() - 5), 1000, 4096);
    ASSERT_FALSE(cut.has_value());
    EXPECT_THAT(cut.error().message(), HasSubstr("damaged or cut short"));
    std::string damaged = packed;
    damaged[packed.size() / 2] = static_cast<char>(damaged[packed.size() / 2] ^ 0x55);
    EXPECT_FALSE(Unpacked(damaged, 1000, 4096).has_value());
  }
}

TEST(DecompressAny, ADictionaryThatTakesTooMuchMemoryIsRefused) {
  const auto refused = Unpacked(Xz("text", 1 << 29), 1000, 4096);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimitTooHigh);
}

}  // namespace
}  // namespace cay::archive
