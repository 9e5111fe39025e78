// Archives as a test wants them. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "archive/tar_writer.h"

namespace cay::templates {

class LayerTar {
 public:
  using EntryType = archive::EntryType;
  using TarEntry = archive::TarEntry;

  static TarEntry Entry(EntryType type, std::string path, mode_t mode) {
    TarEntry entry;
    entry.type = type;
    entry.path = std::move(path);
    entry.mode = mode;
    entry.mtime = {.seconds = 1'000'000'000, .nanoseconds = 0};
    return entry;
  }
  LayerTar& Directory(const std::string& path, mode_t mode = 0755) {
    return Add(Entry(EntryType::kDirectory, path, mode));
  }
  LayerTar& File(const std::string& path, const std::string& content = "x", mode_t mode = 0644) {
    return Add(Entry(EntryType::kFile, path, mode), content);
  }
  LayerTar& Symlink(const std::string& path, const std::string& target) {
    TarEntry entry = Entry(EntryType::kSymlink, path, 0777);
    entry.link_target = target;
    return Add(entry);
  }
  LayerTar& Link(const std::string& path, const std::string& target) {
    TarEntry entry = Entry(EntryType::kHardLink, path, 0644);
    entry.link_target = target;
    return Add(entry);
  }
  LayerTar& Whiteout(const std::string& path) { return File(path, ""); }
  LayerTar& Add(TarEntry entry, const std::string& content = {}) {
    if (entry.type == EntryType::kFile && !entry.sparse) entry.size = content.size();
    archive::TarWriter writer(sink_);
    EXPECT_TRUE(writer.Begin(entry));
    EXPECT_TRUE(writer.WriteData(content));
    EXPECT_TRUE(writer.End());
    return *this;
  }
  std::string Finish() {
    archive::TarWriter writer(sink_);
    EXPECT_TRUE(writer.Finish());
    return sink_.text();
  }

 private:
  archive::StringSink sink_;
};

}  // namespace cay::templates
