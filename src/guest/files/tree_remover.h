// TreeRemover: rm -r, piece by piece. No depth exhausts the stack or the descriptors, symlinks are
// removed and not followed, and nothing that is mounted inside is touched: it is an error, as is
// what may not be removed. What was removed before an error is gone.
//
//   TreeRemover remover(TRY(TreeRemover::Begin(view, "/workspace/build")));
//   while (TRY(remover.Step(1024))) {}
//
// Nothing is renamed on the way: an overlay refuses to rename directories of its lower layers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "archive/directory_walk.h"
#include "guest/files/file_view.h"

namespace cay::guest {

class TreeRemover {
 public:
  // Removes what is no directory, and an empty directory, at once.
  static Result<TreeRemover> Begin(const FileView& view, const std::string& path);

  // Removes about `max` names. False: all is gone.
  Result<bool> Step(size_t max);

 private:
  struct Level {
    std::string name;                // in its parent
    std::vector<std::string> files;  // still to do
    std::vector<std::string> directories;
    int passes = 0;
  };

  TreeRemover(std::string path, FileView::Place place)
      : path_(std::move(path)), place_(std::move(place)) {}
  Result<void> Look();
  Result<void> RemoveFile(const std::string& name);
  Result<void> EnterNext();
  Result<void> FinishLevel();
  Failure Fail(const Error& error) const;

  std::string path_;
  FileView::Place place_;
  std::optional<archive::DirectoryWalk> walk_;  // nothing: all is gone
  std::vector<Level> levels_;
};

}  // namespace cay::guest
