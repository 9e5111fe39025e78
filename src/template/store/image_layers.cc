#include "template/store/image_layers.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/os/file.h"
#include "template/import/import.h"
#include "template/import/import_watch.h"
#include "template/layers/lower_chain.h"
#include "template/layers/unpack_layer.h"
#include "template/metadata/import_notes.h"
#include "template/metadata/layer_about.h"

namespace cay::templates {
namespace {

constexpr size_t kMaxAboutBytes = 64 * 1024;
constexpr auto kMakerLook = std::chrono::milliseconds(50);

// Of each layer, the lowest first (OCI image-spec, config.md, "Layer ChainID").
Result<std::vector<std::string>> ChainIds(const std::vector<ImageLayer>& image) {
  std::vector<std::string> ids;
  for (const ImageLayer& layer : image) {
    if (ids.empty()) {
      ids.push_back(layer.diff_id.text());
    } else {
      ids.push_back(TRY(oci::Digest::Of(ids.back() + " " + layer.diff_id.text())).text());
    }
  }
  return ids;
}

// What is unpacked by other rules is another layer.
Result<std::string> IdOfChain(const std::string& chain_id) {
  return LayerIdOf("layer of an image, first rules: " + chain_id);
}

class Adder {
 public:
  Adder(LayerStore& store, const std::vector<ImageLayer>& image, const OpenLayer& open,
        const ImportOptions& options)
      : store_(store), image_(image), open_(open), options_(options), watch_(options) {}

  Result<AddedLayers> Add() {
    const std::vector<std::string> chain_ids = TRY(ChainIds(image_));
    for (size_t i = 0; i < image_.size(); ++i) TRY(AddOne(i, chain_ids[i]));
    TRY(PublishNew());
    // The topmost first, as overlays are written down.
    std::ranges::reverse(added_.ids);
    std::ranges::reverse(added_.holds);
    return std::move(added_);
  }

 private:
  struct New {
    size_t index;
    NewLayer layer;
  };

  Result<void> AddOne(size_t index, const std::string& chain_id) {
    const std::string id = TRY(IdOfChain(chain_id));
    added_.ids.push_back(id);
    added_.holds.push_back(nullptr);
    const auto deadline = std::chrono::steady_clock::now() + options_.maker_patience;
    while (true) {
      auto held = store_.Hold(id);
      if (held) return TakeOver(id, chain_id, *std::move(held));
      if (held.error().code() != ErrorCode::kNotFound) return Failure(std::move(held).error());
      auto begun = store_.Begin(id);
      if (begun) return Make(index, chain_id, *std::move(begun));
      if (begun.error().code() != ErrorCode::kAlreadyExists)
        return Failure(std::move(begun).error());
      // It has it soon, or gives up; one that hangs is nobody's to wait for.
      TRY(watch_.CheckWanted());
      if (std::chrono::steady_clock::now() >= deadline) {
        return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                             "another process has been making layer " + id + " (" + chain_id +
                                 ") for longer than " + FormatDuration(options_.maker_patience))
                           .WithRemedy("end that process: whoever holds the lock on " +
                                       store_.directory() + "/.partial/" + id));
      }
      std::this_thread::sleep_for(kMakerLook);
    }
  }

  Result<void> TakeOver(const std::string& id, const std::string& chain_id,
                        std::shared_ptr<const Fd> held) {
    const auto text = ReadFile(store_.LayerAboutPath(id), kMaxAboutBytes);
    const LayerAbout about = TRY(ParseLayerAbout(text ? *text : ""));
    if (about.chain_id != chain_id) {
      return Failure(Error(
          ErrorCode::kIo, Fault::kMachine,
          "layer " + id + " is that of " + about.chain_id.substr(0, 80) + ", not of " + chain_id));
    }
    added_.holds.back() = std::move(held);
    Count(about);
    PutOnTop(TRY(OpenLayerRoot(store_.LayerRoot(id))));
    return {};
  }

  Result<void> Make(size_t index, const std::string& chain_id, NewLayer layer) {
    const ImageLayer& wanted = image_[index];
    Fd root = TRY(OpenLayerRoot(layer.root()));
    LayerOptions unpack;
    unpack.max_bytes = options_.max_bytes - std::min(options_.max_bytes, done_.bytes);
    unpack.max_entries = options_.max_entries - std::min(options_.max_entries, done_.entries);
    unpack.max_blob_bytes = wanted.blob.size;
    unpack.on_progress = [&](const LayerProgress& now) {
      return watch_.Note({done_.entries + now.entries, done_.bytes + now.bytes}, root);
    };
    const auto blob = TRY(open_(index));
    const LayerReport report = TRY(
        UnpackLayer(*blob, {.blob = wanted.blob.digest.text(), .diff_id = wanted.diff_id.text()},
                    added_.roots, root, unpack));
    const LayerAbout about{.chain_id = chain_id,
                           .bytes = report.unpacked.bytes,
                           .entries = report.unpacked.entries,
                           .notes = NotesOf(report.unpacked)};
    TRY(WriteFileAtomic(layer.about_path(), SerializeLayerAbout(about), 0600));
    done_.bytes += about.bytes;
    done_.entries += about.entries;
    Count(about);
    new_.push_back({.index = index, .layer = std::move(layer)});
    PutOnTop(std::move(root));
    return {};
  }

  void Count(const LayerAbout& about) {
    added_.bytes += about.bytes;
    added_.entries += about.entries;
    AddNotes(added_.notes, about.notes);
  }

  void PutOnTop(Fd root) { added_.roots.insert(added_.roots.begin(), std::move(root)); }

  Result<void> PublishNew() {
    if (new_.empty()) return {};
    TRY(SyncLayer(new_.front().layer.root()));  // the filesystem, and so all of them
    for (New& made : new_)
      added_.holds[made.index] = TRY(store_.PublishAndHold(std::move(made.layer)));
    return {};
  }

  LayerStore& store_;
  const std::vector<ImageLayer>& image_;
  const OpenLayer& open_;
  const ImportOptions& options_;
  ImportWatch watch_;
  ImportProgress done_{};  // of the new layers together
  AddedLayers added_{};
  std::vector<New> new_{};
};

}  // namespace

Result<std::vector<bool>> FindImageLayers(const LayerStore& store,
                                          const std::vector<ImageLayer>& image) {
  std::vector<bool> found;
  for (const std::string& chain_id : TRY(ChainIds(image)))
    found.push_back(store.Hold(TRY(IdOfChain(chain_id))).has_value());
  return found;
}

Result<AddedLayers> AddImageLayers(LayerStore& store, const std::vector<ImageLayer>& image,
                                   const OpenLayer& open, const ImportOptions& options) {
  return Adder(store, image, open, options).Add();
}

}  // namespace cay::templates
