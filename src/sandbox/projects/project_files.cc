#include "sandbox/projects/project_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/log.h"
#include "protocol/messages.h"
#include "sandbox/projects/allowed_types.h"
#include "sandbox/projects/blob_store.h"
#include "sandbox/projects/project_file_table.h"
#include "sandbox/projects/project_names.h"

namespace cay::sandbox {
namespace {

namespace table = project_file_table;

constexpr size_t kMaxContentTypeBytes = 255;
constexpr size_t kPieceBytes = 128 * 1024;

std::string ProjectsDir(const Paths& paths) { return paths.state_dir + "/projects"; }
std::string OwnersDir(const Paths& paths) { return ProjectsDir(paths) + "/by-owner"; }

// With this mode whatever the umask is, and whatever it had.
Result<void> MakeDirectoryWithMode(const std::string& path, mode_t mode) {
  TRY(MakeDirectories(path, mode));
  if (::chmod(path.c_str(), mode) < 0) return Failure(Error::FromErrno("chmod " + path));
  return {};
}

Result<void> MakeOwnersDir(const Paths& paths) {
  // Nobody on the host walks past it: who knows an owner's id could name files of the owner's
  // otherwise.
  TRY(MakeDirectoryWithMode(ProjectsDir(paths), 0700));
  return MakeDirectoryWithMode(OwnersDir(paths), 0700);
}

// It comes back as a header of a response.
Result<void> CheckContentType(std::string_view type) {
  const bool printable = std::ranges::all_of(type, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (printable && type.size() <= kMaxContentTypeBytes) return {};
  return Failure(
      Error::Invalid("not a content type: it must have at most 255 printable characters"));
}

Failure NoSuchFile(std::string_view id) {
  return Failure(
      Error(ErrorCode::kNotFound, Fault::kCaller, "there is no file " + std::string(id)));
}

Failure TooLarge(Bytes limit) {
  Error error(ErrorCode::kLimitTooHigh, Fault::kCaller,
              "the file is over the maximum of " + FormatBytes(limit));
  error.set_sys_errno(EMSGSIZE);
  return Failure(std::move(error).WithRemedy(
      "upload less, or raise projects.max_file in the server's configuration"));
}

Failure ProjectFull(const std::string& what) {
  return Failure(
      Error(ErrorCode::kResourceExhausted, Fault::kCaller, "the project has its maximum of " + what)
          .WithRemedy("remove files of the project"));
}

}  // namespace

class ProjectFiles::Impl {
 public:
  Impl(Paths paths, ProjectLimits limits, store::Store& store, EventLog& events, BlobStore blobs,
       AllowedTypes allowed, std::unique_ptr<ContentTypes> types)
      : paths_(std::move(paths)),
        limits_(std::move(limits)),
        store_(store),
        events_(events),
        blobs_(std::move(blobs)),
        allowed_(std::move(allowed)),
        types_(std::move(types)) {}

  // Makes what the directories show what the rows say.
  Result<void> Reconcile();
  Result<ProjectFile> Add(ProjectFile file, const Source& content);
  Result<std::vector<ProjectFile>> List(const std::optional<std::string>& owner,
                                        const std::string& project);
  Result<ProjectFile> Get(const Caller& caller, std::string_view id);
  Result<Fd> OpenContent(const Caller& caller, std::string_view id);
  Result<void> Remove(const Caller& caller, std::string_view id);

 private:
  Result<void> RestoreRow(const ProjectFile& file);
  Result<void> RemoveUnknown(const std::map<std::string, std::set<std::string>>& known);
  Result<ProjectUse> UseOf(const ProjectFile& file);
  Result<IncomingBlob> Receive(const ProjectFile& file, const Source& content);
  Result<void> CheckType(const ProjectFile& file, std::string_view beginning);
  Result<ProjectFile> Commit(ProjectFile file, IncomingBlob incoming);
  Result<std::string> DirectoryOf(const ProjectFile& file) const {
    return Directory(paths_, file.owner, file.project);
  }

  const Paths paths_;
  const ProjectLimits limits_;
  store::Store& store_;
  EventLog& events_;
  BlobStore blobs_;
  const AllowedTypes allowed_;
  const std::unique_ptr<ContentTypes> types_;  // null: every type is allowed
  std::mutex mutex_;  // over everything that changes rows, names or contents
};

Result<void> ProjectFiles::Impl::RestoreRow(const ProjectFile& file) {
  const std::string directory = TRY(DirectoryOf(file));
  if (blobs_.Leads(directory, file.name, file.sha256)) return {};
  if (blobs_.Has(file.sha256)) return blobs_.Link(file.sha256, directory, file.name);
  LogError("the content of the project file " + file.id + " is gone from the disk: forgetting it");
  return store_.WriteDurably([&](store::Database& db) { return table::Delete(db, file.id); });
}

Result<void> ProjectFiles::Impl::RemoveUnknown(
    const std::map<std::string, std::set<std::string>>& known) {
  for (const std::string& owner : TRY(NamesIn(OwnersDir(paths_)))) {
    const std::string owner_dir = OwnersDir(paths_) + "/" + owner;
    for (const std::string& project : TRY(NamesIn(owner_dir))) {
      const std::string directory = owner_dir + "/" + project;
      const auto names = known.find(directory);
      for (const std::string& name : TRY(NamesIn(directory))) {
        if (names != known.end() && names->second.contains(name)) continue;
        TRY(BlobStore::Unlink(directory, name));
      }
    }
  }
  return {};
}

Result<void> ProjectFiles::Impl::Reconcile() {
  TRY(MakeOwnersDir(paths_));
  std::vector<ProjectFile> files;
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    files = TRY(table::All(db));
    return {};
  }));
  std::map<std::string, std::set<std::string>> known;
  for (const ProjectFile& file : files) {
    TRY(RestoreRow(file));
    known[TRY(DirectoryOf(file))].insert(file.name);
  }
  TRY(RemoveUnknown(known));
  blobs_.DropAllUnused();
  return {};
}

Result<ProjectUse> ProjectFiles::Impl::UseOf(const ProjectFile& file) {
  ProjectUse use;
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    use = TRY(table::UseOf(db, file.owner, file.project));
    return {};
  }));
  if (use.files >= limits_.max_files) {
    return ProjectFull(std::to_string(limits_.max_files) + " files");
  }
  return use;
}

Result<IncomingBlob> ProjectFiles::Impl::Receive(const ProjectFile& file, const Source& content) {
  const ProjectUse use = TRY(UseOf(file));
  const Bytes room = limits_.max_project - std::min(limits_.max_project, use.bytes);
  IncomingBlob incoming = TRY(blobs_.Receive());
  const auto piece = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  std::string beginning;
  bool checked = allowed_.everything();
  while (true) {
    const size_t got = TRY(content({piece.get(), kPieceBytes}));
    if (!checked) {
      beginning.append(piece.get(), std::min(got, ContentTypes::kLookedAt - beginning.size()));
      checked = got == 0 || beginning.size() == ContentTypes::kLookedAt;
      if (checked) TRY(CheckType(file, beginning));
    }
    if (got == 0) return incoming;
    if (incoming.size() + got > limits_.max_file) return TooLarge(limits_.max_file);
    if (incoming.size() + got > room) return ProjectFull(FormatBytes(limits_.max_project));
    TRY(incoming.Append({piece.get(), got}));
  }
}

Result<void> ProjectFiles::Impl::CheckType(const ProjectFile& file, std::string_view beginning) {
  return allowed_.Check(file.content_type, TRY(types_->TypeOf(beginning)));
}

Result<ProjectFile> ProjectFiles::Impl::Add(ProjectFile file, const Source& content) {
  IncomingBlob incoming = TRY(Receive(file, content));
  file.size = incoming.size();
  file.sha256 = TRY(incoming.Finish());
  return Commit(std::move(file), std::move(incoming));
}

// The name first, then the row: a name without a row is removed at the next start, and nobody was
// told of it.
Result<ProjectFile> ProjectFiles::Impl::Commit(ProjectFile file, IncomingBlob incoming) {
  const std::lock_guard lock(mutex_);
  std::set<std::string> names;
  for (ProjectFile& other : TRY(List(file.owner, file.project))) {
    if (other.original_name == file.original_name && other.sha256 == file.sha256) {
      other.duplicate = true;
      return std::move(other);
    }
    names.insert(std::move(other.name));
  }
  // Others may have come since the upload began.
  if (TRY(UseOf(file)).bytes + file.size > limits_.max_project) {
    return ProjectFull(FormatBytes(limits_.max_project));
  }
  file.id = TRY(SandboxId::Generate()).text();
  file.uploaded_unix_ms = UnixMs();
  file.name =
      FreeName(file.original_name, [&](const std::string& name) { return names.contains(name); });
  const std::string directory = TRY(DirectoryOf(file));
  TRY(blobs_.Keep(std::move(incoming), file.sha256));
  Result<void> done = blobs_.Link(file.sha256, directory, file.name);
  if (done) {
    done = store_.WriteDurably([&](store::Database& db) { return table::Insert(db, file); });
    if (!done) static_cast<void>(BlobStore::Unlink(directory, file.name));
  }
  if (!done) {
    blobs_.DropUnused(file.sha256);
    return Failure(std::move(done).error());
  }
  Event event;
  event.type = "file.uploaded";
  event.owner = file.owner;
  event.reason = "requested";
  events_.Append(std::move(event));
  return file;
}

Result<std::vector<ProjectFile>> ProjectFiles::Impl::List(const std::optional<std::string>& owner,
                                                          const std::string& project) {
  std::vector<ProjectFile> files;
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    files = TRY(table::OfProject(db, owner, project));
    return {};
  }));
  return files;
}

Result<ProjectFile> ProjectFiles::Impl::Get(const Caller& caller, std::string_view id) {
  std::optional<ProjectFile> file;
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    file = TRY(table::Find(db, id));
    return {};
  }));
  // Another owner's does not exist.
  if (!file || (!caller.admin && file->owner != caller.owner)) return NoSuchFile(id);
  return *std::move(file);
}

Result<Fd> ProjectFiles::Impl::OpenContent(const Caller& caller, std::string_view id) {
  const ProjectFile file = TRY(Get(caller, id));
  const std::string path = TRY(DirectoryOf(file)) + "/" + file.name;
  const int raw = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (raw >= 0) return Fd::Adopt(raw);
  // Removed between the two.
  if (errno == ENOENT) return NoSuchFile(id);
  return Failure(Error::FromErrno("opening a project file"));
}

Result<void> ProjectFiles::Impl::Remove(const Caller& caller, std::string_view id) {
  const std::lock_guard lock(mutex_);
  const ProjectFile file = TRY(Get(caller, id));
  const std::string directory = TRY(DirectoryOf(file));
  TRY(store_.WriteDurably([&](store::Database& db) { return table::Delete(db, file.id); }));
  // What stays of it now is removed at the next start.
  if (const auto unlinked = BlobStore::Unlink(directory, file.name); !unlinked) {
    LogWarning(unlinked.error().ToString());
  }
  blobs_.DropUnused(file.sha256);
  return {};
}

Result<std::unique_ptr<ProjectFiles>> ProjectFiles::Open(const Paths& paths,
                                                         const ProjectLimits& limits,
                                                         store::Store& store, EventLog& events,
                                                         ContentTypes::Launch launch) {
  AllowedTypes allowed = TRY(AllowedTypes::Parse(limits.allowed_types));
  std::unique_ptr<ContentTypes> types;
  if (!allowed.everything()) types = TRY(ContentTypes::Start(launch));
  BlobStore blobs = TRY(BlobStore::Open(ProjectsDir(paths)));
  auto impl = std::make_unique<Impl>(paths, limits, store, events, std::move(blobs),
                                     std::move(allowed), std::move(types));
  TRY(impl->Reconcile());
  return std::unique_ptr<ProjectFiles>(new ProjectFiles(std::move(impl)));
}

ProjectFiles::ProjectFiles(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProjectFiles::~ProjectFiles() = default;

Result<ProjectFile> ProjectFiles::Add(const Caller& caller, const std::string& project,
                                      const std::string& name, const std::string& content_type,
                                      const Source& content) {
  TRY(CheckProjectName(project));
  TRY(CheckFileName(name));
  TRY(CheckContentType(content_type));
  ProjectFile file;
  file.owner = caller.owner;
  file.project = project;
  file.original_name = name;
  file.content_type = content_type;
  return impl_->Add(std::move(file), content);
}

Result<std::vector<ProjectFile>> ProjectFiles::List(const Caller& caller,
                                                    const std::string& project) {
  TRY(CheckProjectName(project));
  return impl_->List(caller.admin ? std::nullopt : std::optional(caller.owner), project);
}

Result<ProjectFile> ProjectFiles::Get(const Caller& caller, std::string_view id) {
  return impl_->Get(caller, id);
}

Result<Fd> ProjectFiles::OpenContent(const Caller& caller, std::string_view id) {
  return impl_->OpenContent(caller, id);
}

Result<void> ProjectFiles::Remove(const Caller& caller, std::string_view id) {
  return impl_->Remove(caller, id);
}

Result<std::string> ProjectFiles::Directory(const Paths& paths, const std::string& owner,
                                            const std::string& project) {
  TRY(CheckProjectName(project));
  const std::string owner_dir = OwnersDir(paths) + "/" + TRY(OwnerComponent(owner));
  std::string directory = owner_dir + "/" + project;
  TRY(MakeOwnersDir(paths));
  TRY(MakeDirectoryWithMode(owner_dir, 0700));
  // Code inside lists it, whatever its user id.
  TRY(MakeDirectoryWithMode(directory, 0755));
  return directory;
}

}  // namespace cay::sandbox
