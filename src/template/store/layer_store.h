// LayerStore: layers on disk, and who still needs them.
//
//   templates/
//     NAME.json             metadata of an imported template: names its layer
//     .host.stamp           the same for `host`: its layer, and what it was made of
//     .layers/ID/root/      a layer; never changes, never moves while anybody needs it
//     .partial/ID/root/     a layer being made or being deleted
//     .lock                 flock: taken by whoever adds, publishes or deletes layers
//
//   NewLayer layer = TRY(store.Begin());              // made aside …
//   … fill layer.root() …
//   TRY(store.Publish(std::move(layer), [&](id) { return WriteMetadata(id); }));   // … and renamed
//
// A layer is needed while a metadata file names it, while somebody holds it (a shared flock on its
// directory: Hold), or while the record of a sandbox mentions it. Everything else is
// deleted by Collect. Who makes a layer holds an exclusive flock on its partial directory, so what
// a killed process left is told from what is being made by the lock alone.
//
// Any number of threads and processes may use one directory.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/os/paths.h"
#include "base/result.h"

namespace cay::templates {

// A layer being made. Deleted when it goes away unpublished.
class NewLayer {
 public:
  NewLayer(NewLayer&&) noexcept;
  NewLayer& operator=(NewLayer&&) = delete;
  ~NewLayer();

  const std::string& id() const { return id_; }
  std::string root() const;  // an empty directory

 private:
  friend class LayerStore;
  NewLayer(std::string partial_dir, std::string id, Fd lock);

  std::string partial_dir_;
  std::string id_;
  Fd lock_;
  bool owns_ = true;
};

class LayerStore {
 public:
  // Makes the directories; deletes what killed processes left in .partial.
  static Result<LayerStore> Open(const Paths& paths);

  const std::string& directory() const { return directory_; }
  std::string LayerRoot(const std::string& id) const;

  Result<NewLayer> Begin();

  // Moves the layer into place and then lets `publish` write the metadata that names it, both under
  // the lock. On error the layer is deleted.
  Result<void> Publish(NewLayer layer, const std::function<Result<void>()>& publish);

  // kNotFound when the layer has been deleted: read the metadata again.
  Result<std::shared_ptr<const Fd>> Hold(const std::string& id) const;

  // Runs `act` under the lock: for whoever changes metadata.
  Result<void> WithLock(const std::function<Result<void>()>& act) const;

  // Deletes the layers that nobody needs; returns how many. A metadata file or record names a layer
  // when the id occurs in its text. With `dry_run` only counts.
  Result<uint64_t> Collect(bool dry_run = false);

 private:
  LayerStore(std::string directory, std::string sandboxes_dir)
      : directory_(std::move(directory)), sandboxes_dir_(std::move(sandboxes_dir)) {}

  std::string layers_dir() const { return directory_ + "/.layers"; }
  std::string partial_dir() const { return directory_ + "/.partial"; }
  Result<Fd> Lock() const;
  // Nothing when a sandbox may name a layer that cannot be known.
  Result<std::optional<std::string>> EverythingThatNames() const;
  Result<uint64_t> MoveUnneededAside(bool dry_run);
  Result<void> DeleteStalePartials();

  std::string directory_;
  std::string sandboxes_dir_;
};

// Whether the text is a layer's id: 20 characters of [a-z0-9].
bool IsLayerId(std::string_view text);

}  // namespace cay::templates
