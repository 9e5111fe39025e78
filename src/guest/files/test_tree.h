// TestTree: a directory for a test that plays a sandbox's root, with a FileView on it. Removed at
// the end, whatever stands in it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <string>
#include <string_view>

#include "base/os/file.h"
#include "guest/files/file_view.h"

namespace cay::guest {

class TestTree : public ::testing::Test {
 protected:
  TestTree()
      : path_(MakeDirectory()),
        root_(Fd::Adopt(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC))),
        proc_(Fd::Adopt(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC))),
        view_(root_, proc_, temporaries_) {}
  ~TestTree() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_)); }

  // All paths from the root of the view.
  void Put(const std::string& path, std::string_view content) {
    ASSERT_TRUE(WriteFileAtomic(path_ + path, content, 0644));
  }
  std::string Get(const std::string& path) { return ReadFile(path_ + path).value_or("(none)"); }
  void MakeDir(const std::string& path) { ASSERT_TRUE(MakeDirectories(path_ + path, 0755)); }
  bool Exists(const std::string& path) {
    struct stat info{};
    return ::lstat((path_ + path).c_str(), &info) == 0;
  }
  struct stat StatOf(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(::lstat((path_ + path).c_str(), &info), 0) << path;
    return info;
  }
  // A chain of `levels` directories "d" below `path`, with a file "leaf" at its end.
  void MakeDeep(const std::string& path, int levels) {
    Fd at = Fd::Adopt(::open((path_ + path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < levels; ++i) {
      ASSERT_EQ(::mkdirat(at.get(), "d", 0755), 0);
      at = Fd::Adopt(::openat(at.get(), "d", O_PATH | O_DIRECTORY | O_CLOEXEC));
      ASSERT_GE(at.get(), 0);
    }
    const Fd leaf = Fd::Adopt(::openat(at.get(), "leaf", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    ASSERT_GE(leaf.get(), 0);
    ASSERT_EQ(::write(leaf.get(), "leaf", 4), 4);
  }

  std::string path_;
  Fd root_;
  Fd proc_;
  Temporaries temporaries_;
  FileView view_;

 private:
  static std::string MakeDirectory() {
    // In memory where there is such a place: trees of thousands of directories take their time on a
    // disk.
    std::string pattern = "/dev/shm/cay-files-XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) return pattern;
    pattern = ::testing::TempDir() + "/cay-files-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    return pattern;
  }
};

}  // namespace cay::guest
