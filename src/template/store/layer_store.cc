#include "template/store/layer_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/id.h"
#include "base/os/file.h"
#include "base/os/listing.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "template/metadata/metadata.h"
#include "template/store/built_layers.h"
#include "template/store/disk_use.h"

namespace cay::templates {
namespace {

constexpr std::string_view kHostStamp = ".host.stamp";
constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr const char* kAbout = "about.json";
constexpr const char* kTemplate = "template.json";
constexpr int64_t kBlobSeconds = 24 * 60 * 60;
constexpr size_t kMaxNames = 1'000'000;
// As many are locked at a time while it is looked once more who needs them.
constexpr size_t kMaxCandidates = 256;

// What is in a directory; nothing when there is no directory.
Result<std::vector<std::string>> Names(const std::string& directory) {
  std::vector<std::string> names;
  Result<Listing> listing = Listing::Open(directory);
  if (!listing && listing.error().sys_errno() == ENOENT) return names;
  if (!listing) return Failure(listing.error());
  while (const dirent* entry = TRY(listing->Next())) {
    names.emplace_back(entry->d_name);
    if (names.size() > kMaxNames) {
      return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                           directory + " holds too many names"));
    }
  }
  return names;
}

// flock(2), going on after a signal. False: somebody else has it (only with LOCK_NB).
Result<bool> Flock(const Fd& fd, int operation) {
  while (::flock(fd.get(), operation) < 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return Failure(Error::FromErrno("locking a layer"));
  }
  return true;
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

// The ids of layers on the way that a path takes, however the state directory was called.
void AddLayersOf(std::string_view path, std::set<std::string>& ids) {
  constexpr std::string_view kMark = "/.layers/";
  for (size_t at = path.find(kMark); at != std::string_view::npos; at = path.find(kMark, at)) {
    at += kMark.size();
    const std::string_view id = path.substr(at, path.find('/', at) - at);
    if (IsLayerId(id)) ids.emplace(id);
  }
}

Result<void> DeleteTree(const std::string& parent, const std::string& name) {
  const Fd dir = TRY(sys::OpenAt(AT_FDCWD, parent.c_str(), kDirectoryFlags));
  return RemoveTreeAt(dir.get(), name);
}

}  // namespace

NewLayer::NewLayer(std::string partial_dir, std::string id, Fd lock)
    : partial_dir_(std::move(partial_dir)), id_(std::move(id)), lock_(std::move(lock)) {}

NewLayer::NewLayer(NewLayer&& other) noexcept
    : partial_dir_(std::move(other.partial_dir_)),
      id_(std::move(other.id_)),
      lock_(std::move(other.lock_)),
      owns_(std::exchange(other.owns_, false)) {}

NewLayer::~NewLayer() {
  if (!owns_) return;
  // A failure leaves it for the next Open.
  [[maybe_unused]] const Result<void> deleted = DeleteTree(partial_dir_, id_);
}

std::string NewLayer::root() const { return partial_dir_ + "/" + id_ + "/root"; }

std::string NewLayer::about_path() const { return partial_dir_ + "/" + id_ + "/" + kAbout; }

std::string NewLayer::template_path() const { return partial_dir_ + "/" + id_ + "/" + kTemplate; }

Result<LayerStore> LayerStore::Open(const Paths& paths, SandboxLister sandboxes) {
  LayerStore store(paths, std::move(sandboxes));
  if (::access(store.partial_dir().c_str(), F_OK) < 0) {
    TRY(MakeDirectories(store.directory_, 0711));
    TRY(MakeDirectories(store.layers_dir(), 0711));
    TRY(MakeDirectories(store.partial_dir(), 0700));
  }
  TRY(store.DeleteStalePartials());
  return store;
}

std::string LayerStore::LayerRoot(const std::string& id) const {
  return layers_dir() + "/" + id + "/root";
}

std::string LayerStore::LayerAboutPath(const std::string& id) const {
  return layers_dir() + "/" + id + "/" + kAbout;
}

std::string LayerStore::LayerTemplatePath(const std::string& id) const {
  return layers_dir() + "/" + id + "/" + kTemplate;
}

Result<Fd> LayerStore::Lock() const {
  const std::string path = directory_ + "/.lock";
  Fd lock =
      TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  TRY(Flock(lock, LOCK_EX));
  return lock;
}

Result<void> LayerStore::WithLock(const std::function<Result<void>()>& act) const {
  const Fd lock = TRY(Lock());
  return act();
}

Result<NewLayer> LayerStore::Begin() { return BeginAt(TRY(SandboxId::Generate()).text()); }

Result<NewLayer> LayerStore::Begin(const std::string& id) {
  auto begun = BeginAt(id);
  if (begun || begun.error().sys_errno() != EEXIST) return begun;
  TRY(DeleteStalePartials());  // of a maker that was killed
  auto again = BeginAt(id);
  if (again || again.error().sys_errno() != EEXIST) return again;
  return Failure(Error(ErrorCode::kAlreadyExists, Fault::kMachine,
                       "layer " + id + " is being made by somebody else"));
}

Result<NewLayer> LayerStore::BeginAt(const std::string& id) {
  const std::string path = partial_dir() + "/" + id;
  const Fd lock = TRY(Lock());
  TRY(sys::MkdirAt(AT_FDCWD, path.c_str(), 0711));
  Result<Fd> held = sys::OpenAt(AT_FDCWD, path.c_str(), kDirectoryFlags);
  if (!held) {
    ::rmdir(path.c_str());
    return Failure(held.error());
  }
  NewLayer layer(partial_dir(), id, *std::move(held));
  TRY(Flock(layer.lock_, LOCK_EX | LOCK_NB));
  TRY(sys::MkdirAt(AT_FDCWD, layer.root().c_str(), 0755));
  return layer;
}

Result<void> LayerStore::PutIntoPlace(const NewLayer& layer) const {
  const std::string from = partial_dir() + "/" + layer.id_;
  const std::string to = layers_dir() + "/" + layer.id_;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) < 0)
    return Failure(Error::FromErrno("putting a layer into place"));
  return {};
}

Result<void> LayerStore::Publish(NewLayer layer, const std::function<Result<void>()>& publish) {
  (void)RecordDisk(partial_dir() + "/" + layer.id_);  // asked again when it is needed
  const Fd lock = TRY(Lock());
  TRY(PutIntoPlace(layer));
  Result<void> published = publish();
  if (!published) {
    const std::string from = partial_dir() + "/" + layer.id_;
    const std::string to = layers_dir() + "/" + layer.id_;
    // Back to where `layer` deletes it.
    if (::rename(to.c_str(), from.c_str()) < 0) layer.owns_ = false;
    return published;
  }
  layer.owns_ = false;
  return {};
}

Result<std::shared_ptr<const Fd>> LayerStore::PublishAndHold(NewLayer layer) {
  (void)RecordDisk(partial_dir() + "/" + layer.id_);  // asked again when it is needed
  {
    const Fd lock = TRY(Lock());
    const auto placed = PutIntoPlace(layer);
    if (placed) {
      layer.owns_ = false;
      TRY(Flock(layer.lock_, LOCK_SH));
      return std::make_shared<const Fd>(std::move(layer.lock_));
    }
    if (placed.error().sys_errno() != EEXIST) return Failure(placed.error());
  }
  return Hold(layer.id_);
}

Result<std::shared_ptr<const Fd>> LayerStore::Hold(const std::string& id) const {
  const auto gone = [&] {
    return Failure(Error(ErrorCode::kNotFound, Fault::kMachine, "layer " + id + " is gone"));
  };
  const std::string path = layers_dir() + "/" + id;
  Result<Fd> fd = sys::OpenAt(AT_FDCWD, path.c_str(), kDirectoryFlags);
  if (!fd && fd.error().sys_errno() == ENOENT) return gone();
  if (!fd) return Failure(fd.error());
  // A maker or a collector holds it exclusively for an instant only.
  TRY(Flock(*fd, LOCK_SH));
  struct stat held{};
  struct stat now{};
  if (::fstat(fd->get(), &held) < 0 || ::stat(path.c_str(), &now) < 0 || !SameFile(held, now)) {
    return gone();
  }
  return std::make_shared<const Fd>(*std::move(fd));
}

Result<std::shared_ptr<const void>> LayerStore::HoldAll(const std::vector<std::string>& ids) const {
  auto holds = std::make_shared<std::vector<std::shared_ptr<const Fd>>>();
  for (const std::string& id : ids) holds->push_back(TRY(Hold(id)));
  return holds;
}

// Nothing for one that cannot be read.
Result<std::optional<std::vector<std::string>>> LayerStore::LayersOfMetadata(
    const std::string& file) const {
  constexpr std::string_view kStampLine = "layer ";
  constexpr size_t kIdLength = 20;
  const std::string text = TRY(ReadFile(directory_ + "/" + file, kMaxMetadataBytes));
  std::vector<std::string> ids;
  if (file == kHostStamp) {
    if (text.starts_with(kStampLine)) ids.push_back(text.substr(kStampLine.size(), kIdLength));
  } else if (auto metadata = ParseMetadata(file, text)) {
    ids = std::move(metadata->layers);
  }
  if (ids.empty() || !std::ranges::all_of(ids, IsLayerId)) return std::nullopt;
  return ids;
}

Result<std::optional<std::set<std::string>>> LayerStore::NeededLayers() const {
  std::set<std::string> needed;
  for (const std::string& name : TRY(Names(directory_))) {
    if (!name.ends_with(".json") && name != kHostStamp) continue;
    const std::optional<std::vector<std::string>> layers = TRY(LayersOfMetadata(name));
    if (!layers) {
      LogWarning("layers of templates are kept: " + directory_ + "/" + name + " is damaged");
      return std::nullopt;
    }
    needed.insert(layers->begin(), layers->end());
  }
  for (const KeptBuilt& built : TRY(ListBuilt(directory_)))
    needed.insert(built.record.layers.begin(), built.record.layers.end());
  auto of_sandboxes = TRY(LayersOfSandboxes());
  if (!of_sandboxes) return std::nullopt;
  needed.merge(*of_sandboxes);
  return needed;
}

Result<std::optional<std::set<std::string>>> LayerStore::LayersOfSandboxes() const {
  std::set<std::string> layers;
  for (const engine::SandboxStatus& sandbox : TRY(sandboxes_())) {
    if (!sandbox.damage.empty()) {
      LogWarning("layers of templates are kept: which of them sandbox " + sandbox.id.text() +
                 " uses is not known: " + sandbox.damage);
      return std::nullopt;
    }
    for (const engine::LayerReference& layer : sandbox.layers) {
      if (layer.kind == engine::LayerReference::Kind::kHostDirectory)
        AddLayersOf(layer.name, layers);
    }
  }
  return layers;
}

Result<bool> LayerStore::IsHeld(const std::string& id) const {
  const std::string path = layers_dir() + "/" + id;
  const auto layer = sys::OpenAt(AT_FDCWD, path.c_str(), kDirectoryFlags);
  if (!layer && layer.error().sys_errno() == ENOENT) return false;
  if (!layer) return Failure(layer.error());
  return !TRY(Flock(*layer, LOCK_EX | LOCK_NB));
}

Result<std::vector<std::string>> LayerStore::LayerIds() const {
  std::vector<std::string> ids = TRY(Names(layers_dir()));
  std::erase_if(ids, [](const std::string& name) { return !IsLayerId(name); });
  std::ranges::sort(ids);
  return ids;
}

Result<Bytes> LayerStore::DiskOf(const std::string& id) const {
  const std::string path = layers_dir() + "/" + id;
  if (const auto recorded = RecordedDisk(path)) return *recorded;
  return RecordDisk(path);
}

Result<Bytes> LayerStore::DiskOfPartials() const {
  if (TRY(Names(partial_dir())).empty()) return Bytes{0};
  return DiskUse().Of(partial_dir());
}

std::string LayerStore::HostLayer() const {
  const auto stamp = LayersOfMetadata(std::string(kHostStamp));
  return stamp && *stamp ? (*stamp)->front() : std::string();
}

Result<uint64_t> LayerStore::MoveUnneededAside(bool dry_run) {
  const Fd lock = TRY(Lock());
  for (const std::string& name : TRY(Names(directory_))) {
    if (dry_run) break;
    // Metadata is written under the lock, so these are a killed writer's; but "a.tmp.b" may be a
    // template's name.
    const bool is_temporary = name.contains(".json.tmp.") || name.starts_with(".host.stamp.tmp.") ||
                              name.starts_with(".budget.tmp.");
    if (is_temporary && !name.ends_with(".json")) ::unlink((directory_ + "/" + name).c_str());
  }
  const std::vector<std::string> layers = TRY(Names(layers_dir()));
  if (layers.empty()) return 0;
  const std::optional<std::set<std::string>> needed = TRY(NeededLayers());
  if (!needed) return 0;
  uint64_t moved = 0;
  for (auto next = layers.begin(); next != layers.end();) {
    std::vector<std::pair<std::string, Fd>> candidates;
    for (; next != layers.end() && candidates.size() < kMaxCandidates; ++next) {
      if (needed->contains(*next)) continue;
      Result<Fd> layer =
          sys::OpenAt(AT_FDCWD, (layers_dir() + "/" + *next).c_str(), kDirectoryFlags);
      if (layer && TRY(Flock(*layer, LOCK_EX | LOCK_NB)))
        candidates.emplace_back(*next, *std::move(layer));
    }
    moved += TRY(MoveAside(candidates, dry_run));
  }
  return moved;
}

// Looks again now that nobody else holds them: a sandbox is listed while its maker still does.
Result<uint64_t> LayerStore::MoveAside(const std::vector<std::pair<std::string, Fd>>& candidates,
                                       bool dry_run) const {
  if (candidates.empty()) return 0;
  const std::optional<std::set<std::string>> needed = TRY(NeededLayers());
  if (!needed) return 0;
  uint64_t moved = 0;
  for (const auto& [id, held] : candidates) {
    if (needed->contains(id)) continue;
    ++moved;
    if (dry_run) continue;
    const std::string path = layers_dir() + "/" + id;
    const std::string aside = partial_dir() + "/" + id;
    if (::rename(path.c_str(), aside.c_str()) < 0)
      return Failure(Error::FromErrno("moving a layer aside"));
  }
  return moved;
}

Result<uint64_t> LayerStore::Collect(bool dry_run) {
  const uint64_t moved = TRY(MoveUnneededAside(dry_run));
  if (dry_run) return moved;
  TRY(DeleteStalePartials());
  TRY(DeleteStaleBlobs());
  return moved;
}

Result<Fd> LayerStore::OpenBlobs() const {
  TRY(MakeDirectories(blobs_dir(), 0700));
  return sys::OpenAt(AT_FDCWD, blobs_dir().c_str(), kDirectoryFlags);
}

// One that is being written to is young.
Result<void> LayerStore::DeleteStaleBlobs() const {
  const int64_t oldest = UnixMs() / 1000 - kBlobSeconds;
  for (const std::string& name : TRY(Names(blobs_dir()))) {
    const std::string path = blobs_dir() + "/" + name;
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0 && info.st_mtime < oldest) ::unlink(path.c_str());
  }
  return {};
}

Result<void> LayerStore::DeleteStalePartials() {
  std::vector<std::string> stale;
  if (TRY(Names(partial_dir())).empty()) return {};
  std::vector<Fd> locks;
  {
    // The lock keeps out a maker that has made its directory but not yet locked it.
    const Fd lock = TRY(Lock());
    for (const std::string& name : TRY(Names(partial_dir()))) {
      const std::string path = partial_dir() + "/" + name;
      Result<Fd> partial = sys::OpenAt(AT_FDCWD, path.c_str(), kDirectoryFlags);
      if (!partial || !TRY(Flock(*partial, LOCK_EX | LOCK_NB))) continue;
      stale.push_back(name);
      locks.push_back(*std::move(partial));
    }
  }
  for (const std::string& name : stale) TRY(DeleteTree(partial_dir(), name));
  return {};
}

}  // namespace cay::templates
