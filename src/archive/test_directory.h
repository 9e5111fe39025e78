// TestDirectory: a directory for a test, in memory where there is such a place, removed at the end.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/os/file.h"

namespace cay::archive {

class TestDirectory {
 public:
  TestDirectory() : path_(Make()) {}
  ~TestDirectory() { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_)); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  Fd Open() const { return Fd::Adopt(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
  void Put(std::string_view name, std::string_view content) const {
    ASSERT_TRUE(WriteFileAtomic(*this / name, content, 0644));
  }
  void MakeDir(std::string_view name) const { ASSERT_TRUE(MakeDirectories(*this / name, 0755)); }
  std::string Get(std::string_view name) const {
    return ReadFile(*this / name, 128 << 20).value_or("(none)");
  }
  bool Exists(std::string_view name) const {
    struct stat info{};
    return ::lstat((*this / name).c_str(), &info) == 0;
  }
  struct stat StatOf(std::string_view name) const {
    struct stat info{};
    EXPECT_EQ(::lstat((*this / name).c_str(), &info), 0) << name;
    return info;
  }

 private:
  static std::string Make() {
    std::string pattern = "/dev/shm/cay-archive-XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) return pattern;
    pattern = ::testing::TempDir() + "/cay-archive-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    return pattern;
  }

  std::string path_;
};

}  // namespace cay::archive
