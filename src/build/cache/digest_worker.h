// DigestWorker: the digest that each new layer has as an archive of an image (its diff_id), made on
// a thread of its own while the build goes on.
//
//   DigestWorker digests;
//   digests.Begin(id, root);                       // the layer is whole, and changes no more
//   const oci::Digest diff_id = TRY(digests.Of(id));         // waits for it
//
// Thread-safe. Directories stay where they are until Of has returned, or this is gone.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "template/oci/digest.h"

namespace cay::build {

class DigestWorker {
 public:
  DigestWorker() = default;
  DigestWorker(const DigestWorker&) = delete;
  DigestWorker& operator=(const DigestWorker&) = delete;
  // What was not begun is not done.
  ~DigestWorker();

  void Begin(const std::string& id, const std::string& root);
  // kNotFound for one that was never begun; WriteLayerTar's errors.
  Result<templates::oci::Digest> Of(const std::string& id);

 private:
  struct Work {
    std::string root;
    std::optional<Result<templates::oci::Digest>> done;
  };
  void Loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Work> works_;
  std::deque<std::string> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // starts with the first
};

}  // namespace cay::build
