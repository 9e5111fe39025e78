#include "build/cache/digest_worker.h"

#include <utility>

#include "template/export/layer_tar.h"
#include "template/layers/lower_chain.h"

namespace cay::build {
namespace {

using templates::oci::Digest;
using templates::oci::Digester;

class DigestSink final : public archive::ByteSink {
 public:
  explicit DigestSink(Digester digester) : digester_(std::move(digester)) {}
  Result<void> Write(std::string_view bytes) override { return digester_.Add(bytes); }
  Result<Digest> Finish() { return std::move(digester_).Finish(); }

 private:
  Digester digester_;
};

Result<Digest> DigestOfLayer(const std::string& root, const std::function<bool()>& is_stopped) {
  const Fd directory = TRY(templates::OpenLayerRoot(root));
  DigestSink sink(TRY(Digester::Start()));
  templates::LayerTarOptions options;
  options.on_progress = [&](Bytes) -> Result<void> {
    if (!is_stopped()) return {};
    return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "the build has ended"));
  };
  TRY(templates::WriteLayerTar(directory, sink, options));
  return sink.Finish();
}

}  // namespace

DigestWorker::~DigestWorker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void DigestWorker::Begin(const std::string& id, const std::string& root) {
  {
    const std::lock_guard lock(mutex_);
    if (!works_.try_emplace(id, Work{.root = root, .done = {}}).second) return;
    waiting_.push_back(id);
    if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  }
  changed_.notify_all();
}

Result<Digest> DigestWorker::Of(const std::string& id) {
  std::unique_lock lock(mutex_);
  const auto found = works_.find(id);
  if (found == works_.end()) {
    return Failure(
        Error(ErrorCode::kNotFound, Fault::kMachine, "no digest of layer " + id + " was begun"));
  }
  changed_.wait(lock, [&] { return found->second.done.has_value(); });
  return *found->second.done;
}

void DigestWorker::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const std::string id = std::move(waiting_.front());
    waiting_.pop_front();
    const std::string root = works_.at(id).root;
    lock.unlock();
    auto digest = DigestOfLayer(root, [this] {
      const std::lock_guard guard(mutex_);
      return stopping_;
    });
    lock.lock();
    works_.at(id).done.emplace(std::move(digest));
    changed_.notify_all();
  }
}

}  // namespace cay::build
