// Templates: what sandboxes start from.
//
//   auto store = TRY(TemplateStore::Open(paths, [&] { return engine->List(); }));
//   Template host = TRY(store.Find("host"));
//   TRY(store.Import("alpine", "/tmp/alpine.tar.gz", {}));
//
// `host` is always there: the machine's own /usr (with /bin, /lib …), the few files of /etc that
// programs need, generated passwd, group, hosts and resolv.conf, a home and /workspace, and nothing
// else of the machine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "template/environment/environment.h"
#include "template/import/import.h"
#include "template/metadata/metadata.h"
#include "template/metadata/metadata_cache.h"
#include "template/metadata/space_budget.h"
#include "template/store/derived.h"
#include "template/store/image_layers.h"
#include "template/store/layer_store.h"
#include "template/store/snapshot.h"
#include "template/template.h"

namespace cay::templates {

// An image that is to become a template: its documents, which were verified, and where its layers
// are. As many layers as its configuration has diff_ids.
struct NewImage {
  ImageOrigin origin;
  std::vector<oci::Descriptor> layers;  // the lowest first
};

// Layers of the store and what an image says above them, made here: by a build.
struct NewChain {
  ImageOrigin origin;               // its config has one diff_id for each layer
  std::vector<std::string> layers;  // their ids, the topmost first; held by the caller. May be none
  Bytes bytes = 0;                  // of content, in all of them
  Bytes written = 0;                // of these, what was made here
  uint64_t entries = 0;
  ImportNotes notes{};
};

class ImageFiles;

// What is kept of a template, and its layers, which stay while `hold` lives.
struct KeptTemplate {
  std::shared_ptr<const Metadata> metadata;
  std::shared_ptr<const void> hold;
  std::vector<std::string> roots;  // directories of the layers, the topmost first
};

class TemplateStore {
 public:
  // `sandboxes`: lists the sandboxes whose layers stay. The caller keeps alive what it uses.
  static Result<TemplateStore> Open(const Paths& paths, SandboxLister sandboxes);

  // kNotFound names the templates that exist. `host` is (re)built when the machine's files changed.
  // "python" is "python:latest" where there is no template of the short name; and where there is
  // neither, an environment that is called so ("python-3.11"), if it is built.
  Result<Template> Find(const std::string& name);

  // Of what was imported, pulled or built, by name; kInvalidArgument for `host`. Other names of
  // environments are not looked at: what a FROM calls "python" is the image.
  Result<KeptTemplate> Open(const std::string& name);

  // From a root filesystem directory or a tar (plain, gzip, zstd; "-": standard input), which may
  // be hostile: nothing is ever written outside, no device nodes, no setuid or setgid bits, no
  // trusted.* or security.* attributes, no overlay whiteouts. Names: template_name.h.
  // An image, where the source is an archive of images or an OCI layout, by its content
  // (saved/saved_image.h): then it is as AddImage does it.
  Result<TemplateInfo> Import(const std::string& name, const std::string& source,
                              const ImportOptions& options);

  // A container image. `open` gives the bytes of the layers that are not here yet.
  Result<TemplateInfo> AddImage(const std::string& name, const NewImage& image,
                                const OpenLayer& open, const ImportOptions& options);
  // `options`: replace and source_name.
  Result<TemplateInfo> AddChain(const std::string& name, const NewChain& chain,
                                const ImportOptions& options);
  // What a sandbox wrote, copied: it should stand still meanwhile. `options`: max_bytes,
  // max_entries and on_progress. kLimitTooHigh for more than these, kResourceExhausted when the
  // disk's reserve is reached, kNotSupported for another root filesystem than of host layers.
  Result<SnapshotDraft> DraftSnapshot(const engine::WrittenLayers& written,
                                      const ImportOptions& options);
  // kNotFound when nobody knows any more what the sandbox was made from.
  Result<TemplateInfo> AddSnapshot(const NewSnapshot& snapshot, SnapshotDraft draft);

  // Another template with packages above it; one of its name gives way. kNotFound when nobody knows
  // any more what the base is.
  Result<TemplateInfo> AddDerived(const NewDerived& derived);
  // Whether there is a derived one of that name that was made of this.
  bool HasDerived(const std::string& name, const std::string& key) const;

  // Which of its layers are here, the lowest first: what need not be fetched.
  Result<std::vector<bool>> FindLayers(const NewImage& image) const;
  // The directory of stored layers that were fetched and not unpacked yet.
  Result<Fd> OpenBlobs() const { return layers_.OpenBlobs(); }

  Result<std::vector<TemplateInfo>> List();
  // Whether there is one that is called exactly so.
  bool Has(const std::string& name) const;
  // What is kept of all of them, by name, without `host`.
  Result<std::vector<std::shared_ptr<const Metadata>>> ReadAll() const;
  const LayerStore& layers() const { return layers_; }
  // What the templates may take on the disk: what was set here, or is set for all (SetBudget).
  SpaceBudget budget() const { return budget_ ? *budget_ : ReadBudget(layers_.directory()); }
  // For this object alone. Before others use the store.
  void Use(const SpaceBudget& budget) { budget_ = budget; }
  // Which names are environments' (Find), and may be built where they are not here. At first: those
  // of the program. Before others use the store.
  void Use(std::shared_ptr<const Environments> environments) {
    environments_ = std::move(environments);
  }
  const Environments& environments() const {
    return environments_ ? *environments_ : BuiltInEnvironments();
  }
  // Of one; kNotFound. It is not looked whether its layers are there.
  Result<TemplateInfo> InfoOf(const std::string& name);

  // kNotFound, or kInvalidArgument for `host`. A layer that a live sandbox uses stays on disk for
  // it.
  Result<void> Remove(const std::string& asked);
  // The same of exactly this name, if `is_still` says so of what it is by then; whether it was. Its
  // layers go with the next CollectGarbage.
  Result<bool> RemoveIf(const std::string& name,
                        const std::function<bool(const Metadata& metadata)>& is_still);
  // Somebody asks by its name for what came otherwise: from now on it stays.
  Result<void> KeepByHand(const std::string& name);

  // Deletes the layers that no template, no sandbox and no caller of Find uses any more, and what a
  // killed import left; returns how many. Remove and Import do it too. With `dry_run` only counts.
  Result<uint64_t> CollectGarbage(bool dry_run = false);

 private:
  // Unpacks what is imported into the root directory of a layer.
  using UnpackInto = std::function<Result<ImportedContent>(const std::string& root)>;

  explicit TemplateStore(LayerStore layers) : layers_(std::move(layers)) {}
  Result<Template> FindHost();
  Result<KeptTemplate> OpenImported(const std::string& name);
  // Of a name that is not `host`.
  Result<KeptTemplate> OpenByName(const std::string& normal);
  // By the other names of environments, too.
  Result<KeptTemplate> FindByName(const std::string& normal);
  // kAlreadyExists where there is one of that name that may not be replaced.
  Result<void> CheckFree(const std::string& name, bool replace) const;
  Result<TemplateInfo> ImportImage(const std::string& name, const std::string& source,
                                   const ImageFiles& files, const ImportOptions& options);
  Result<TemplateInfo> ImportRoot(const std::string& name, const std::string& source,
                                  const UnpackInto& unpack, const ImportOptions& options);
  // Puts the topmost layer into place, and the template's metadata, which names it.
  Result<void> Finish(NewLayer top, const Metadata& metadata, bool replace);

  LayerStore layers_;
  std::shared_ptr<const Environments> environments_{};  // null: the program's own
  std::optional<SpaceBudget> budget_{};
  std::unique_ptr<MetadataCache> metadata_ = std::make_unique<MetadataCache>();
};

}  // namespace cay::templates
