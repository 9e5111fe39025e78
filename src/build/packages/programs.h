// Which programs a template has, and whose they are, as its layers say it: nothing of them is run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "build/copy/file_tree.h"
#include "template/template.h"

namespace cay::build {

struct Program {
  std::string path;  // absolute
  uint32_t uid = 0;  // whose file it is
  uint32_t gid = 0;
};

class Programs {
 public:
  // kNotSupported for a root filesystem that is not of directories. `base` need not outlive it, its
  // hold has to.
  static Result<Programs> Of(const templates::Template& base);

  // In the directories of the template's PATH, in their order.
  Result<std::optional<Program>> Find(std::string_view name);

 private:
  struct Tree {
    std::string target;  // of the overlay: "/", "/usr"
    FileTree files;
  };
  Programs(std::vector<Tree> trees, std::vector<std::string> path)
      : trees_(std::move(trees)), path_(std::move(path)) {}

  std::vector<Tree> trees_;  // the longest targets first
  std::vector<std::string> path_;
};

}  // namespace cay::build
