#include "base/replaceable.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace cay {
namespace {

TEST(Replaceable, AReaderKeepsWhatItTook) {
  Replaceable<std::string> value("first");
  const auto taken = value.Get();
  value.Set("second");
  EXPECT_EQ(*taken, "first");
  EXPECT_EQ(*value.Get(), "second");
}

// For ThreadSanitizer above all.
TEST(Replaceable, IsReplacedWhileOthersRead) {
  Replaceable<std::string> value(std::string(100, 'a'));
  std::atomic<bool> mixed = false;
  std::thread reader([&] {
    for (int i = 0; i < 2000; ++i) {
      const auto now = value.Get();
      if (now->find_first_not_of(now->front()) != std::string::npos) mixed = true;
    }
  });
  for (int i = 0; i < 2000; ++i) value.Set(std::string(100, static_cast<char>('a' + i % 26)));
  reader.join();
  EXPECT_FALSE(mixed);
}

}  // namespace
}  // namespace cay
