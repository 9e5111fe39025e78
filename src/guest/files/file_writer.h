// FileWriter: a file's new content, which takes the place of the old in one step. A reader sees the
// old content or the new, never a part; a writer that goes away before Finish leaves nothing.
//
//   FileWriter writer(TRY(FileWriter::Begin(view, "/workspace/a.txt", {.make_parents = true})));
//   TRY(writer.Write(bytes));
//   protocol::FileInfo info = TRY(writer.Finish());
//
// The content goes to a file of a random name in the same directory, made with O_EXCL, and then
// rename(2). What is there already must be a regular file; a directory, FIFO, socket or device is
// refused. A symlink stays, and what it leads to is the file that is written. The new file belongs
// to the user as whom the thread (FileCredentials) calls Begin, Finish and the destructor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest/files/file_view.h"

namespace cay::guest {

struct WriteOptions {
  std::optional<mode_t> mode;  // nothing: that of the file replaced, or 0644
  bool make_parents = false;
};

class FileWriter {
 public:
  static Result<FileWriter> Begin(const FileView& view, const std::string& path,
                                  const WriteOptions& options);

  FileWriter(FileWriter&&) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  Result<void> Write(std::string_view bytes);
  // Once. On an error the old content stays.
  Result<protocol::FileInfo> Finish();

 private:
  FileWriter(Temporaries& temporaries, std::string path, FileView::Place place,
             std::string temporary, Fd file, mode_t mode);
  Result<Temporaries::Fate> TakePlace();

  Temporaries* temporaries_;
  std::string path_;
  FileView::Place place_;
  std::string temporary_;  // empty once there is nothing to remove
  Fd file_;
  mode_t mode_;
};

}  // namespace cay::guest
