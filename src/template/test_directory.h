// A directory of a test's own, removed with it. For tests only.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/os/file.h"

namespace cay::templates {

class TestDirectory {
 public:
  TestDirectory() {
    std::string path = ::testing::TempDir() + "cay-template-XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() {
    const Result<void> removed = RemoveTreeAt(AT_FDCWD, path_);
    EXPECT_TRUE(removed.has_value()) << removed.error().ToString();
  }

  const std::string& path() const { return path_; }
  std::string At(const std::string& name) const { return path_ + "/" + name; }

  void MakeDirectory(const std::string& name, mode_t mode = 0755) {
    EXPECT_TRUE(MakeDirectories(At(name), 0755).has_value());
    EXPECT_EQ(::chmod(At(name).c_str(), mode), 0);
  }
  void Write(const std::string& name, std::string_view content, mode_t mode = 0644) {
    const int raw = ::open(At(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT_GE(raw, 0) << name;
    const Fd fd = Fd::Adopt(raw);
    EXPECT_TRUE(WriteAll(raw, content).has_value());
    EXPECT_EQ(::fchmod(raw, mode), 0);
  }
  void Symlink(const std::string& name, const std::string& target) {
    EXPECT_EQ(::symlink(target.c_str(), At(name).c_str()), 0);
  }
  void Rename(const std::string& from, const std::string& to) {
    EXPECT_EQ(::rename(At(from).c_str(), At(to).c_str()), 0);
  }
  void Remove(const std::string& name) {
    EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, At(name)).has_value());
  }
  std::string Read(const std::string& name) const {
    return ReadFile(At(name)).value_or("(cannot be read)");
  }
  bool Exists(const std::string& name) const {
    struct stat info{};
    return ::lstat(At(name).c_str(), &info) == 0;
  }
  struct stat Stat(const std::string& name) const {
    struct stat info{};
    EXPECT_EQ(::lstat(At(name).c_str(), &info), 0) << name;
    return info;
  }

 private:
  std::string path_;
};

}  // namespace cay::templates
