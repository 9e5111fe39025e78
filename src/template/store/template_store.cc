#include "template/store/template_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/own_names.h"
#include "template/host/host_sources.h"
#include "template/host/skeleton.h"
#include "template/layers/lower_chain.h"
#include "template/metadata/metadata.h"
#include "template/saved/open_archive.h"
#include "template/saved/saved_image.h"
#include "template/store/host_layer.h"
#include "template/store/last_used.h"
#include "template/store/snapshot.h"
#include "template/store/template_name.h"

namespace cay::templates {
namespace {

constexpr std::string_view kHost = "host";
constexpr std::string_view kJson = ".json";
constexpr size_t kMaxTemplates = 10'000;
// A template may be replaced and its old layer deleted between reading its metadata and holding the
// layer; each round means that somebody did.
constexpr int kMaxRounds = 100;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::string MetadataPath(const LayerStore& layers, const std::string& name) {
  return layers.directory() + "/" + FileNameOf(name) + std::string(kJson);
}

std::vector<std::string> UsersEnvironment(const TemplateUser& user) {
  return {std::string(kDefaultPath), "HOME=" + user.home,   "USER=" + user.name,
          "LOGNAME=" + user.name,    "SHELL=" + user.shell, "LANG=C.UTF-8"};
}

Result<std::vector<std::string>> ImportedNames(const LayerStore& layers) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, DirCloser> listing(::opendir(layers.directory().c_str()));
  if (!listing) return Failure(Error::FromErrno("listing " + layers.directory()));
  while (const dirent* entry = ::readdir(listing.get())) {
    std::string_view name = entry->d_name;
    if (!name.ends_with(kJson)) continue;
    name.remove_suffix(kJson.size());
    if (auto known = NameOfFile(name)) names.push_back(*std::move(known));
    if (names.size() > kMaxTemplates) {
      return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine, "too many templates"));
    }
  }
  std::ranges::sort(names);
  return names;
}

Error NotFound(const LayerStore& layers, const Environments& environments,
               const std::string& name) {
  if (const Environment* found = environments.Find(name)) return NotBuilt(name, *found);
  std::string known(kHost);
  const Result<std::vector<std::string>> imported = ImportedNames(layers);
  size_t shown = 0;
  if (imported) {
    for (const std::string& other : *imported) {
      if (ParseOwnedName(other)) continue;  // nobody else's business
      if (shown++ == 20) {
        known += ", …";
        break;
      }
      known += ", " + other;
    }
  }
  const Remedy pull(Action::kPullTemplate, IsShortName(name) ? "IMAGE" : name);
  return Error(ErrorCode::kNotFound, Fault::kCaller,
               "no template \"" + name + "\"; there are: " + known)
      .WithRemedy(IsShortName(name) ? "import one: " + Remedy(Action::kImportTemplate, "NAME") +
                                          "; or pull an image: " + pull
                                    : "pull it: " + pull);
}

Result<std::shared_ptr<const Metadata>> ReadMetadata(MetadataCache& cache, const LayerStore& layers,
                                                     const Environments& environments,
                                                     const std::string& name) {
  auto metadata = cache.Read(name, MetadataPath(layers, name));
  if (!metadata && metadata.error().sys_errno() == ENOENT)
    return Failure(NotFound(layers, environments, name));
  return metadata;
}

bool IsGone(const Error& error) { return error.code() == ErrorCode::kNotFound; }

Result<std::vector<ImageLayer>> LayersOf(const NewImage& image) {
  const std::vector<oci::Digest>& diff_ids = image.origin.config.diff_ids;
  if (diff_ids.size() != image.layers.size() || diff_ids.empty()) {
    return Failure(Error::Invalid("the image's configuration has " +
                                  std::to_string(diff_ids.size()) + " layers, its manifest " +
                                  std::to_string(image.layers.size())));
  }
  std::vector<ImageLayer> layers;
  for (size_t i = 0; i < diff_ids.size(); ++i)
    layers.push_back({.blob = image.layers[i], .diff_id = diff_ids[i]});
  return layers;
}

TemplateInfo HostInfo() {
  TemplateInfo host;
  host.name = kHost;
  host.source = "built in";
  return host;
}

// As `docker run` has it: the image's variables, user and directory. HOME and the like, where the
// image does not set them, are the guest's to say, by the passwd of whoever runs
// (protocol::kAccountVariables).
void TakeFromImage(Template& found, const oci::ProcessConfig& process) {
  for (const std::string& variable : oci::EnvironmentOf(process.env)) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(found.env, [&](const std::string& one) { return one.starts_with(name); });
    found.env.push_back(variable);
    found.own_variables.push_back(variable.substr(0, variable.find('=')));
  }
  // In an ordinary user's sandbox there is one user, whom everything belongs to.
  if (::geteuid() == 0) found.user = process.user.empty() ? "root" : process.user;
  found.workdir = process.working_dir.empty() ? "/" : process.working_dir;
}

// A root filesystem has no tags and no platform to choose by.
Result<void> CheckNotChosen(const std::string& source, const ImportOptions& options) {
  if (options.tag.empty() && options.platform.empty()) return {};
  return Failure(Error::Invalid(source + " holds no images, of which one could be chosen by its "
                                         "tag or platform"));
}

}  // namespace

Result<TemplateStore> TemplateStore::Open(const Paths& paths, SandboxLister sandboxes) {
  return TemplateStore(TRY(LayerStore::Open(paths, std::move(sandboxes))));
}

Result<Template> TemplateStore::FindHost() {
  for (int round = 0; round < kMaxRounds; ++round) {
    const Skeleton skeleton = TRY(CurrentSkeleton(layers_));
    Result<std::shared_ptr<const Fd>> hold = layers_.Hold(skeleton.layer);
    if (!hold && IsGone(hold.error())) {
      // The stamp outlived its layer (somebody deleted it by hand): build it anew.
      const std::optional<Skeleton> now = ReadSkeleton(layers_);
      if (now && now->layer == skeleton.layer) {
        ::unlink((layers_.directory() + "/.host.stamp").c_str());
      }
      continue;
    }
    if (!hold) return Failure(hold.error());
    Template host;
    host.name = kHost;
    host.hold = *std::move(hold);
    engine::HostLayers root;
    root.overlays.push_back({"/", {layers_.LayerRoot(skeleton.layer)}});
    root.has_usual_places = true;
    root.hostname = engine::kUsualHostname;
    const bool names_python = !Python3Of(skeleton.stamp).empty();
    for (const std::string& top : DirectoryTops(skeleton.stamp)) {
      root.overlays.push_back({"/" + top, {"/" + top}});
      if (top == "usr" && names_python) {
        auto& layers = root.overlays.back().layers;
        layers.insert(layers.begin(), layers_.LayerRoot(skeleton.layer) + "/usr");
      }
    }
    host.root = std::move(root);
    const bool bash = ::access("/bin/bash", X_OK) == 0;
    host.env = UsersEnvironment({"user", "/home/user", bash ? "/bin/bash" : "/bin/sh"});
    return host;
  }
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the host template's layer vanishes as fast as it is made"));
}

Result<KeptTemplate> TemplateStore::OpenImported(const std::string& name) {
  for (int round = 0; round < kMaxRounds; ++round) {
    auto metadata = TRY(ReadMetadata(*metadata_, layers_, environments(), name));
    KeptTemplate kept{.metadata = std::move(metadata), .hold = {}, .roots = {}};
    auto holds = layers_.HoldAll(kept.metadata->layers);
    if (!holds && IsGone(holds.error())) continue;
    if (!holds) return Failure(holds.error());
    kept.hold = *std::move(holds);
    for (const std::string& layer : kept.metadata->layers)
      kept.roots.push_back(layers_.LayerRoot(layer));
    return kept;
  }
  return Failure(
      Error(ErrorCode::kIo, Fault::kMachine, "the layer of template " + name + " is gone")
          .WithRemedy("remove it, and import it again: " + Remedy(Action::kRemoveTemplate, name)));
}

Result<KeptTemplate> TemplateStore::OpenByName(const std::string& normal) {
  auto found = OpenImported(normal);
  if (found || found.error().code() != ErrorCode::kNotFound || !IsShortName(normal)) return found;
  auto latest = OpenImported(TRY(ImageOfName(normal)).Familiar());
  return latest || latest.error().code() != ErrorCode::kNotFound ? std::move(latest)
                                                                 : std::move(found);
}

Result<KeptTemplate> TemplateStore::FindByName(const std::string& normal) {
  auto found = OpenByName(normal);
  if (found || found.error().code() != ErrorCode::kNotFound) return found;
  const Environment* called_so = environments().Find(normal);
  if (called_so == nullptr || called_so->name == normal) return found;
  auto built = OpenImported(called_so->name);
  return built || built.error().code() != ErrorCode::kNotFound ? std::move(built)
                                                               : std::move(found);
}

Result<KeptTemplate> TemplateStore::Open(const std::string& name) {
  const std::string normal = TRY(NormalTemplateName(name));
  if (normal != kHost) {
    KeptTemplate kept = TRY(OpenByName(normal));
    if (kept.metadata->overlays.empty()) return kept;
  }
  return Failure(Error::Impossible(
      "the template \"" + normal + "\" " + (normal == kHost ? "is" : "is a snapshot above") +
      " this machine's own /usr, seen where it lies: that has no layers of its "
      "own"));
}

Result<Template> TemplateStore::Find(const std::string& name) {
  const std::string normal = TRY(NormalTemplateName(name));
  if (normal == kHost) return FindHost();
  KeptTemplate kept = TRY(FindByName(normal));
  NoteUse(layers_, kept.metadata->info.name);
  Template found;
  found.name = kept.metadata->info.name;
  found.hold = std::move(kept.hold);
  found.root = RootOf(layers_, *kept.metadata);
  found.env = UsersEnvironment(kept.metadata->user);
  found.user = kept.metadata->user.name;
  for (const std::string& variable : kept.metadata->variables) {
    const std::string prefix = variable.substr(0, variable.find('=') + 1);
    std::erase_if(found.env, [&](const std::string& one) { return one.starts_with(prefix); });
    found.env.push_back(variable);
  }
  if (kept.metadata->image) {
    found.process = {kept.metadata, &kept.metadata->image->config.process};
    TakeFromImage(found, *found.process);
  }
  return found;
}

Result<std::vector<std::shared_ptr<const Metadata>>> TemplateStore::ReadAll() const {
  std::vector<std::shared_ptr<const Metadata>> all;
  for (const std::string& name : TRY(ImportedNames(layers_))) {
    auto metadata = ReadMetadata(*metadata_, layers_, environments(), name);
    if (!metadata && IsGone(metadata.error())) continue;  // removed meanwhile
    if (!metadata) return Failure(metadata.error());
    all.push_back(*std::move(metadata));
  }
  return all;
}

bool TemplateStore::Has(const std::string& name) const {
  return ::access(MetadataPath(layers_, name).c_str(), F_OK) == 0;
}

Result<std::vector<TemplateInfo>> TemplateStore::List() {
  std::vector<TemplateInfo> infos = {HostInfo()};
  for (const auto& metadata : TRY(ReadAll())) {
    TemplateInfo& info = infos.emplace_back(metadata->info);
    // An image may say megabytes of its programs.
    info.entrypoint = info.cmd = info.volumes = info.exposed_ports = {};
  }
  return infos;
}

Result<TemplateInfo> TemplateStore::InfoOf(const std::string& name) {
  const std::string normal = TRY(NormalTemplateName(name));
  if (normal == kHost) return HostInfo();
  return TRY(ReadMetadata(*metadata_, layers_, environments(), normal))->info;
}

Result<TemplateInfo> TemplateStore::Import(const std::string& name, const std::string& source,
                                           const ImportOptions& options) {
  TRY(CheckFree(name, options.replace));  // before the work; and again when it is done
  ImportSource opened = TRY(OpenSource(source));
  if (opened.is_directory) {
    if (TRY(ImageFiles::IsLayout(opened.fd)))
      return ImportImage(name, source, ImageFiles(std::move(opened.fd)), options);
    TRY(CheckNotChosen(source, options));
    return ImportRoot(
        name, source,
        [&](const std::string& root) {
          return UnpackDirectory(opened.fd, layers_.directory(), root, options);
        },
        options);
  }
  const Fd spool = TRY(layers_.OpenBlobs());
  const auto archive =
      TRY(OpenArchive(std::move(opened.fd), spool, {.max_spooled = options.max_bytes}));
  if (archive.images) return ImportImage(name, source, *archive.images, options);
  TRY(CheckNotChosen(source, options));
  return ImportRoot(
      name, source,
      [&](const std::string& root) { return UnpackArchive(*archive.tar, root, options); }, options);
}

Result<TemplateInfo> TemplateStore::ImportRoot(const std::string& name, const std::string& source,
                                               const UnpackInto& unpack,
                                               const ImportOptions& options) {
  NewLayer layer = TRY(layers_.Begin());
  const ImportedContent content = TRY(unpack(layer.root()));
  LayerTree tree = TRY(LayerTree::Open(layer.root()));
  Metadata metadata;
  metadata.user = TRY(CompleteImported(tree));
  metadata.hostname = engine::kUsualHostname;
  metadata.layers = {layer.id()};
  metadata.info.name = name;
  metadata.info.imported_unix_ms = UnixMs();
  metadata.info.size = content.bytes;
  metadata.info.entries = content.entries;
  metadata.info.source = options.source_name.empty() ? source : options.source_name;
  metadata.info.came = options.came;
  metadata.info.user = metadata.user.name;
  metadata.info.notes = content.notes;
  TRY(Finish(std::move(layer), metadata, options.replace));
  return metadata.info;
}

Result<TemplateInfo> TemplateStore::ImportImage(const std::string& name, const std::string& source,
                                                const ImageFiles& files,
                                                const ImportOptions& options) {
  ImageWish wish{.tag = options.tag};
  if (!options.platform.empty()) wish.platform = TRY(oci::Platform::Parse(options.platform));
  auto found = FindSavedImage(files, wish);
  if (!found) return Failure(std::move(found).error().WithContext(source));
  if (options.on_recognized) options.on_recognized(found->what);
  NewImage image{.origin = {.reference = found->reference,
                            .digest = found->digest,
                            .config = std::move(found->config)},
                 .layers = {}};
  for (const SavedImageFound::Layer& layer : found->layers) image.layers.push_back(layer.blob);
  ImportOptions add = options;
  if (add.source_name.empty()) add.source_name = source;
  return AddImage(
      name, image,
      [&](size_t index) -> Result<std::unique_ptr<archive::ByteSource>> {
        return found->layers[index].file.Open();
      },
      add);
}

Result<TemplateInfo> TemplateStore::AddImage(const std::string& name, const NewImage& image,
                                             const OpenLayer& open, const ImportOptions& options) {
  TRY(CheckFree(name, options.replace));
  const AddedLayers added = TRY(AddImageLayers(layers_, TRY(LayersOf(image)), open, options));
  return AddChain(name,
                  {.origin = image.origin,
                   .layers = added.ids,
                   .bytes = added.bytes,
                   .entries = added.entries,
                   .notes = added.notes},
                  options);
}

Result<TemplateInfo> TemplateStore::AddChain(const std::string& name, const NewChain& chain,
                                             const ImportOptions& options) {
  TRY(CheckFree(name, options.replace));
  // What every sandbox needs and the image lacks, above its own layers.
  std::vector<std::string> below;
  for (const std::string& id : chain.layers) below.push_back(layers_.LayerRoot(id));
  NewLayer top = TRY(layers_.Begin());
  LayerTree tree = TRY(LayerTree::Open(top.root(), TRY(OpenLayerRoots(below))));
  Metadata metadata;
  metadata.user = TRY(CompleteImage(tree));
  metadata.hostname = engine::kUsualHostname;
  metadata.layers = {top.id()};
  metadata.layers.insert(metadata.layers.end(), chain.layers.begin(), chain.layers.end());
  metadata.image = chain.origin;
  metadata.info.name = name;
  metadata.info.imported_unix_ms = UnixMs();
  metadata.info.size = chain.bytes;
  metadata.info.entries = chain.entries;
  metadata.info.written = chain.written;
  metadata.info.source = options.source_name.empty() ? chain.origin.reference : options.source_name;
  metadata.info.came = options.came;
  metadata.info.notes = chain.notes;
  FillInfo(metadata);
  TRY(Finish(std::move(top), metadata, options.replace));
  return metadata.info;
}

Result<std::vector<bool>> TemplateStore::FindLayers(const NewImage& image) const {
  return FindImageLayers(layers_, TRY(LayersOf(image)));
}

Result<void> TemplateStore::CheckFree(const std::string& name, bool replace) const {
  TRY(CheckTemplateName(name));
  if (name == kHost) return Failure(Error::Impossible("the template \"host\" is built in"));
  if (replace || ::access(MetadataPath(layers_, name).c_str(), F_OK) < 0) return {};
  return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                       "there is a template \"" + name + "\" already")
                     .WithRemedy("remove it first: " + Remedy(Action::kRemoveTemplate, name) +
                                 "; or replace it: " + Remedy(Action::kReplaceTemplate)));
}

Result<void> TemplateStore::Finish(NewLayer top, const Metadata& metadata, bool replace) {
  const std::string& name = metadata.info.name;
  const std::string text = TRY(SerializeMetadata(metadata));
  TRY(WriteFileAtomic(top.template_path(), text, 0600));
  TRY(SyncLayer(top.root()));
  TRY(layers_.Publish(std::move(top), [&]() -> Result<void> {
    TRY(CheckFree(name, replace));
    return WriteFileAtomic(MetadataPath(layers_, name), text, 0600, /*durable=*/true);
  }));
  if (replace) TRY(layers_.Collect());
  return {};
}

Result<void> TemplateStore::Remove(const std::string& asked) {
  const std::string name = TRY(NormalTemplateName(asked));
  if (name == kHost) return Failure(Error::Impossible("the template \"host\" is built in"));
  TRY(layers_.WithLock([&]() -> Result<void> {
    if (::unlink(MetadataPath(layers_, name).c_str()) == 0) {
      ForgetUse(layers_, name);
      return {};
    }
    if (errno == ENOENT) return Failure(NotFound(layers_, environments(), name));
    return Failure(Error::FromErrno("removing template " + name));
  }));
  TRY(layers_.Collect());
  return {};
}

Result<bool> TemplateStore::RemoveIf(const std::string& name,
                                     const std::function<bool(const Metadata&)>& is_still) {
  bool removed = false;
  TRY(layers_.WithLock([&]() -> Result<void> {
    const auto metadata = metadata_->Read(name, MetadataPath(layers_, name));
    if (!metadata || !is_still(**metadata)) return {};
    removed = ::unlink(MetadataPath(layers_, name).c_str()) == 0;
    if (!removed && errno != ENOENT) return Failure(Error::FromErrno("removing template " + name));
    ForgetUse(layers_, name);
    return {};
  }));
  return removed;
}

Result<void> TemplateStore::KeepByHand(const std::string& name) {
  return layers_.WithLock([&]() -> Result<void> {
    const std::string path = MetadataPath(layers_, name);
    const auto kept = TRY(ReadMetadata(*metadata_, layers_, environments(), name));
    if (kept->info.came == Came::kByHand) return {};
    Metadata metadata = *kept;
    metadata.info.came = Came::kByHand;
    return WriteFileAtomic(path, TRY(SerializeMetadata(metadata)), 0600, /*durable=*/true);
  });
}

Result<uint64_t> TemplateStore::CollectGarbage(bool dry_run) { return layers_.Collect(dry_run); }

}  // namespace cay::templates
