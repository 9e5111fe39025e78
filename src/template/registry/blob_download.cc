#include "template/registry/blob_download.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/os/wakeup.h"
#include "http/transport/stream.h"
#include "template/registry/partial_blob.h"

namespace cay::templates::registry {
namespace {

constexpr size_t kReadSize = 128 * kKiB;
// An attempt that brings so much was worth it, and does not count.
constexpr Bytes kProgress = 1 * kMiB;
constexpr Bytes kReportEvery = 1 * kMiB;

// One blob on its way into its file.
class Download {
 public:
  Download(RegistryClient& client, const oci::ImageReference& reference,
           const oci::Descriptor& descriptor, const CallOptions& call,
           const DownloadOptions& options)
      : client_(client),
        reference_(reference),
        descriptor_(descriptor),
        call_(call),
        options_(options) {}

  Result<void> Into(PartialBlob& partial);
  void Report(Bytes done, bool is_whole) const {
    if (options_.on_progress)
      options_.on_progress({.descriptor = descriptor_, .done = done, .is_whole = is_whole});
  }

 private:
  // Tries one endpoint until the blob is whole and verified, or it is of no use to go on there.
  Result<void> From(const Endpoint& endpoint, PartialBlob& partial);
  // One answer's worth.
  Result<void> Receive(const Endpoint& endpoint, PartialBlob& partial, std::string& etag);

  RegistryClient& client_;
  const oci::ImageReference& reference_;
  const oci::Descriptor& descriptor_;
  const CallOptions& call_;
  const DownloadOptions& options_;
};

// A weak one says nothing about bytes (RFC 9110, 13.1.5).
std::string StrongTag(const Answer& answer) {
  std::string tag = answer.Header("ETag");
  if (!tag.starts_with('"')) tag.clear();
  return tag;
}

Result<void> Download::Receive(const Endpoint& endpoint, PartialBlob& partial, std::string& etag) {
  const BlobStream stream =
      TRY(client_.OpenBlob(endpoint, reference_, descriptor_, partial.size(), etag, call_));
  etag = StrongTag(*stream.answer);
  if (stream.from != partial.size()) {
    call_.Note(endpoint.Name() + " sends the blob " + descriptor_.digest.text() +
               " from its beginning, not from byte " + std::to_string(partial.size()));
    TRY(partial.Clear());
  }
  std::vector<char> space(kReadSize);
  Bytes reported = partial.size();
  for (;;) {
    if (call_.Stopped()) return Failure(http::StoppedError());
    const size_t got = TRY(stream.answer->Read(space));
    if (got == 0) break;
    TRY(partial.Append({space.data(), got}));
    if (partial.size() - reported < kReportEvery) continue;
    reported = partial.size();
    Report(reported, false);
  }
  if (partial.left() == 0) return {};
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the blob " + descriptor_.digest.text() + " ended " +
                           std::to_string(partial.left()) + " bytes before its end"));
}

Result<void> Download::From(const Endpoint& endpoint, PartialBlob& partial) {
  std::string etag;
  const size_t attempts = client_.settings().attempts;
  for (size_t attempt = 1;;) {
    const Bytes before = partial.size();
    auto received = partial.left() == 0 ? Result<void>() : Receive(endpoint, partial, etag);
    if (received) {
      received = partial.Verify();
      if (received) return {};
      TRY(partial.Clear());
      etag.clear();
      // All of it came from here: it is what this registry has.
      if (before == 0) {
        return Failure(
            Error(ErrorCode::kProtocol, Fault::kMachine,
                  "what " + endpoint.Name() + " sent is wrong: " + received.error().message()));
      }
      call_.Note("what was there of the blob " + descriptor_.digest.text() +
                 " did not fit its rest, and it is begun anew: " + received.error().message());
      if (++attempt > attempts) return received;
      continue;
    }
    const Error& why = received.error();
    if (why.sys_errno() == ECANCELED) return received;
    const bool is_wrong = why.code() == ErrorCode::kProtocol;
    if (is_wrong) {
      // Nothing of it is built upon, neither here nor by the next that is asked.
      TRY(partial.Clear());
      etag.clear();
    }
    // A rest that is not what was asked for: perhaps the whole is.
    const bool may_pass = (is_wrong && before > 0) || why.code() == ErrorCode::kUnavailable ||
                          why.code() == ErrorCode::kTimeout;
    if (!may_pass) return received;
    const bool was_worth_it = partial.size() >= before + kProgress;
    if (!was_worth_it && ++attempt > attempts) return received;
    call_.Note("the blob " + descriptor_.digest.text() + " is asked for again from byte " +
               std::to_string(partial.size()) + ": " + why.message());
  }
}

Result<void> Download::Into(PartialBlob& partial) {
  Report(partial.size(), false);
  return AskEach(TRY(client_.EndpointsOf(reference_)), call_,
                 [&](const Endpoint& endpoint) { return From(endpoint, partial); });
}

// The downloads of DownloadBlobs.
class Crew {
 public:
  using Work = std::function<Result<std::string>(const oci::Descriptor&, const CallOptions&)>;

  Crew(std::vector<const oci::Descriptor*> blobs, const CallOptions& call, const Wakeup& stop)
      : blobs_(std::move(blobs)), call_(call), stop_(stop), names_(blobs_.size()) {
    call_.stop_fd = stop.fd();
  }

  // By a thread of its own, until there is nothing left.
  void Run(const Work& work) {
    for (;;) {
      const size_t mine = next_.fetch_add(1);
      if (mine >= blobs_.size()) break;
      auto name = work(*blobs_[mine], call_);
      const std::lock_guard lock(mutex_);
      if (name) {
        names_[mine] = *std::move(name);
      } else if (!error_) {
        error_ = std::move(name).error();
        next_ = blobs_.size();
        stop_.Raise();
      }
    }
  }
  // After all threads have ended.
  Result<std::vector<std::string>> Names() && {
    if (error_) return Failure(*std::move(error_));
    return std::move(names_);
  }

 private:
  const std::vector<const oci::Descriptor*> blobs_;
  CallOptions call_;
  const Wakeup& stop_;
  std::atomic<size_t> next_{0};
  std::mutex mutex_;
  std::vector<std::string> names_;
  std::optional<Error> error_;
};

// The first of each digest; `places`: which of them each descriptor is.
Result<std::vector<const oci::Descriptor*>> Distinct(
    const std::vector<oci::Descriptor>& descriptors, std::vector<size_t>& places) {
  std::vector<const oci::Descriptor*> blobs;
  std::map<oci::Digest, size_t> seen;
  for (const oci::Descriptor& one : descriptors) {
    const auto [at, is_new] = seen.emplace(one.digest, blobs.size());
    if (is_new) {
      blobs.push_back(&one);
    } else if (blobs[at->second]->size != one.size) {
      return Failure(
          Error::Invalid("the image names the blob " + one.digest.text() + " with two sizes"));
    }
    places.push_back(at->second);
  }
  return blobs;
}

Result<void> CheckTotal(const std::vector<const oci::Descriptor*>& blobs, Bytes max) {
  Bytes left = max;
  for (const oci::Descriptor* blob : blobs) {
    if (blob->size > left) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "the image's blobs have more than " + HumanBytes(max) + " together"));
    }
    left -= blob->size;
  }
  return {};
}

}  // namespace

std::string BlobFileName(const oci::Digest& digest) {
  return std::string(digest.algorithm_name()) + "-" + std::string(digest.hex());
}

Result<std::string> DownloadBlob(RegistryClient& client, const oci::ImageReference& reference,
                                 const oci::Descriptor& descriptor, const Fd& directory,
                                 const CallOptions& call, const DownloadOptions& options) {
  std::string name = BlobFileName(descriptor.digest);
  Download download(client, reference, descriptor, call, options);
  if (!TRY(HasWholeBlob(directory, descriptor, call))) {
    PartialBlob partial = TRY(PartialBlob::Open(directory, descriptor, call));
    // Perhaps it was waited for, and is there now.
    if (TRY(HasWholeBlob(directory, descriptor, call))) {
      partial.Remove();
    } else {
      auto done = download.Into(partial);
      if (!done) {
        if (done.error().code() == ErrorCode::kResourceExhausted) partial.Remove();
        return Failure(std::move(done).error());
      }
      TRY(partial.Publish());
    }
  }
  download.Report(descriptor.size, true);
  return name;
}

Result<std::vector<std::string>> DownloadBlobs(RegistryClient& client,
                                               const oci::ImageReference& reference,
                                               const std::vector<oci::Descriptor>& descriptors,
                                               const Fd& directory, const CallOptions& call,
                                               const DownloadOptions& options) {
  std::vector<size_t> places;
  const std::vector<const oci::Descriptor*> blobs = TRY(Distinct(descriptors, places));
  TRY(CheckTotal(blobs, client.settings().max_image_bytes));
  std::mutex reporting;
  DownloadOptions in_turns;
  if (options.on_progress) {
    in_turns.on_progress = [&](const BlobProgress& progress) {
      const std::lock_guard lock(reporting);
      options.on_progress(progress);
    };
  }
  const Wakeup stop = TRY(Wakeup::Make());
  const Wakeup done = TRY(Wakeup::Make());
  Crew crew(blobs, call, stop);
  const Crew::Work work = [&](const oci::Descriptor& blob, const CallOptions& its_call) {
    return DownloadBlob(client, reference, blob, directory, its_call, in_turns);
  };
  std::atomic<size_t> running = std::min(client.settings().parallel_downloads, blobs.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = running; i > 0; --i) {
      threads.emplace_back([&] {
        crew.Run(work);
        if (--running == 0) done.Raise();
      });
    }
    // The caller's word is passed on.
    std::array<pollfd, 2> waited = {pollfd{.fd = done.fd(), .events = POLLIN, .revents = 0},
                                    pollfd{.fd = call.stop_fd, .events = POLLIN, .revents = 0}};
    while (!threads.empty() && ::poll(waited.data(), waited.size(), -1) < 0 && errno == EINTR) {
    }
    if (waited[1].revents != 0) stop.Raise();
  }
  const std::vector<std::string> names = TRY(std::move(crew).Names());
  std::vector<std::string> all;
  for (const size_t place : places) all.push_back(names[place]);
  return all;
}

}  // namespace cay::templates::registry
