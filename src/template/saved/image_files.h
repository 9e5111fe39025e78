// ImageFiles: the files of images on disk, of an archive (TarMembers) or of a directory that is an
// OCI image layout, by their names in it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "template/saved/file_range.h"
#include "template/saved/tar_members.h"

namespace cay::templates {

class ImageFiles {
 public:
  // `archive`: the uncompressed tar whose members they are.
  ImageFiles(std::shared_ptr<const Fd> archive, TarMembers members)
      : archive_(std::move(archive)), members_(std::move(members)) {}
  // Of the directory itself; see IsLayout.
  explicit ImageFiles(Fd directory) : directory_(std::move(directory)) {}

  // Whether the directory is an OCI image layout, by what is in it (and no root filesystem).
  static Result<bool> IsLayout(const Fd& directory);

  bool is_directory() const { return directory_.has_value(); }

  // By a normalised name; nothing when there is none of it. A directory's files are regular ones,
  // reached without symlinks.
  Result<std::optional<FileRange>> Find(const std::string& path) const;
  Result<bool> Has(const std::string& path) const { return TRY(Find(path)).has_value(); }
  // kInvalidArgument when it is not there.
  Result<FileRange> Get(const std::string& path) const;
  // All of one; kLimitTooHigh for more than `max` bytes.
  Result<std::string> Read(const std::string& path, Bytes max) const;

 private:
  std::shared_ptr<const Fd> archive_;
  std::optional<TarMembers> members_;
  std::optional<Fd> directory_;
};

}  // namespace cay::templates
