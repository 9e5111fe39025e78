// TestCacheDirectory: where a test's package cache is, removed at the end.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/listing.h"
#include "crypto/digest.h"

namespace cay::network {

class TestCacheDirectory {
 public:
  TestCacheDirectory() { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  ~TestCacheDirectory() { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_)); }
  TestCacheDirectory(const TestCacheDirectory&) = delete;
  TestCacheDirectory& operator=(const TestCacheDirectory&) = delete;

  Fd Open() const { return Fd::Adopt(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  std::vector<std::string> Names(std::string_view ending) const {
    std::vector<std::string> names;
    auto listing = Listing::Open(path_);
    EXPECT_TRUE(listing);
    while (const dirent* entry = *listing->Next()) {
      if (std::string_view(entry->d_name).ends_with(ending)) names.emplace_back(entry->d_name);
    }
    return names;
  }
  // Of the only file that ends so.
  std::string Only(std::string_view ending) const {
    const auto names = Names(ending);
    EXPECT_EQ(names.size(), 1U) << ending;
    return names.empty() ? *this / "none" : *this / names.front();
  }
  // One byte of it is another one then.
  static void Damage(const std::string& file, size_t at) {
    std::string bytes = *ReadFile(file, 64 << 20);
    bytes.at(at) = static_cast<char>(bytes[at] ^ 1);
    EXPECT_TRUE(WriteFileAtomic(file, bytes, 0600));
  }

 private:
  std::string path_ = "/tmp/cay-package-cache-XXXXXX";
};

}  // namespace cay::network
