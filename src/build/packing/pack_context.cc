#include "build/packing/pack_context.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "archive/tar_writer.h"
#include "build/copy/file_tree.h"
#include "build/copy/tree_walk.h"

namespace cay::build {
namespace {

using archive::EntryType;
using archive::TarEntry;
using archive::TarWriter;

constexpr size_t kPiece = 256 * 1024;
constexpr mode_t kModes = 0777;

TarEntry EntryOf(const Place& place, const std::string& path, EntryType type) {
  const struct stat& info = place.info();
  TarEntry entry;
  entry.type = type;
  entry.path = path;
  entry.mode = info.st_mode & kModes;
  entry.mtime = {.seconds = info.st_mtim.tv_sec,
                 .nanoseconds = static_cast<uint32_t>(info.st_mtim.tv_nsec)};
  return entry;
}

Error Changed(const std::string& path) {
  return {ErrorCode::kUnavailable, Fault::kCaller,
          path + " of the context was changed while it was read"};
}

Result<void> WriteText(TarWriter& writer, const std::string& path, std::string_view text) {
  TarEntry entry;
  entry.path = path;
  entry.mode = 0644;
  entry.size = text.size();
  TRY(writer.Begin(entry));
  TRY(writer.WriteData(text));
  return writer.End();
}

Result<void> WriteFile(TarWriter& writer, const Place& place, const std::string& path,
                       std::vector<char>& space) {
  const Fd file = TRY(FileTree::OpenFile(place));
  struct stat info{};
  if (::fstat(file.get(), &info) < 0) return Failure(Error::FromErrno(path));
  TarEntry entry = EntryOf(place, path, EntryType::kFile);
  entry.size = static_cast<uint64_t>(info.st_size);
  TRY(writer.Begin(entry));
  while (writer.data_left() > 0) {
    const size_t wanted = std::min<uint64_t>(space.size(), writer.data_left());
    const ssize_t got = ::read(file.get(), space.data(), wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure(Error::FromErrno(path));
    if (got == 0) return Failure(Changed(path));
    TRY(writer.WriteData({space.data(), static_cast<size_t>(got)}));
  }
  return writer.End();
}

Result<void> WriteOne(TarWriter& writer, const TreeWalk::Step& step, std::vector<char>& space) {
  switch (step.place.kind) {
    case Place::Kind::kDirectory:
      TRY(writer.Begin(EntryOf(step.place, step.below, EntryType::kDirectory)));
      return writer.End();
    case Place::Kind::kFile:
      return WriteFile(writer, step.place, step.below, space);
    case Place::Kind::kSymlink: {
      TarEntry entry = EntryOf(step.place, step.below, EntryType::kSymlink);
      entry.link_target = TRY(FileTree::LinkTarget(step.place));
      TRY(writer.Begin(entry));
      return writer.End();
    }
    case Place::Kind::kNothing:
    case Place::Kind::kOther:
      return {};
  }
  return {};
}

}  // namespace

Result<void> PackContext(const OpenedContext& context, archive::ByteSink& sink) {
  FileTree tree = TRY(FileTree::OfContext(*context.directory, context.ignore));
  const std::string dockerfile(kPackedDockerfile);
  const std::string ignore = dockerfile + ".dockerignore";
  TarWriter writer(sink);
  std::vector<char> space(kPiece);
  TreeWalk walk(tree, "");
  while (const std::optional<TreeWalk::Step> step = TRY(walk.Next())) {
    if (step->below == dockerfile || step->below == ignore) {
      return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                           "the context has a file that is called " + step->below)
                         .WithRemedy("leave it out of the context in .dockerignore"));
    }
    TRY(WriteOne(writer, *step, space));
  }
  TRY(WriteText(writer, dockerfile, context.dockerfile));
  TRY(WriteText(writer, ignore, dockerfile + "\n" + ignore + "\n"));
  return writer.Finish();
}

}  // namespace cay::build
