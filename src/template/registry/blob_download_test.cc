#include "template/registry/blob_download.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <atomic>
#include <thread>

#include "base/os/wakeup.h"
#include "template/registry/test_registry.h"
#include "template/test_directory.h"

namespace cay::templates::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BlobDownload : public testing::Test {
 protected:
  std::string path_ = TestImage::BlobPath(image().layer);
  static const TestImage& image() {
    static const TestImage made;
    return made;
  }
  static oci::Descriptor Layer() { return DescriptorOf(image().layer); }
  std::string Partial() const { return BlobFileName(Layer().digest) + ".partial"; }

  Result<std::string> Fetch(RegistrySettings settings = TestSettings(), int stop_fd = -1) {
    const auto client = OpenClient(std::move(settings));
    const CallOptions call{.stop_fd = stop_fd,
                           .on_note = [this](const std::string& note) { notes_.push_back(note); }};
    return DownloadBlob(*client, ReferenceAt(registry_.Name()), Layer(), directory_fd_, call);
  }
  // What is in the file that a download names.
  std::string Content(const Result<std::string>& name) const {
    if (!name) return name.error().ToString();
    return ReadFile(directory_.At(*name), 100 * kMiB).value_or("(cannot be read)");
  }
  // Sends `bytes` of the range that is asked for, as if there were all; then cuts the connection.
  static void SendCut(http::Exchange& exchange, const std::string& blob, size_t bytes) {
    const std::string range(exchange.request().headers.Find("Range").value_or("bytes=0-"));
    const size_t from = std::stoul(range.substr(6));
    http::Headers headers = {{"ETag", "\"e\""}};
    if (from > 0) {
      headers.Set("Content-Range", "bytes " + std::to_string(from) + "-" +
                                       std::to_string(blob.size() - 1) + "/" +
                                       std::to_string(blob.size()));
    }
    if (!exchange.Begin(from > 0 ? 206 : 200, headers, blob.size() - from)) return;
    static_cast<void>(exchange.Write(std::string_view(blob).substr(from, bytes)));
  }

  // For its handlers, who may still be at it when a test is over.
  std::atomic<bool> ended_ = false;
  std::atomic<int> running_ = 0;
  std::atomic<int> most_ = 0;
  TestRegistry registry_;
  TestDirectory directory_;
  Fd directory_fd_ = Fd::Adopt(::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY));
  std::vector<std::string> notes_;
};

TEST_F(BlobDownload, GivesTheFileItsNameWhenItIsWhole) {
  image().ServeAt(registry_);
  const auto name = Fetch();
  ASSERT_TRUE(name) << name.error().ToString();
  EXPECT_EQ(*name, "sha256-" + std::string(Layer().digest.hex()));
  EXPECT_EQ(Content(name), image().layer);
  EXPECT_FALSE(directory_.Exists(Partial()));
  // A second time nothing is fetched.
  EXPECT_EQ(Content(Fetch()), image().layer);
  EXPECT_EQ(registry_.Count(path_), 1U);
}

TEST_F(BlobDownload, FetchesAnewWhatWasDamagedOnTheDisk) {
  image().ServeAt(registry_);
  std::string damaged = image().layer;
  damaged[1000] = 'y';
  directory_.Write(BlobFileName(Layer().digest), damaged);
  EXPECT_EQ(Content(Fetch()), image().layer);
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("is not what it says")));
}

TEST_F(BlobDownload, GoesOnWhereAConnectionWasCut) {
  registry_.On(path_,
               [&](http::Exchange& exchange) { SendCut(exchange, image().layer, 1'200'000); });
  EXPECT_EQ(Content(Fetch()), image().layer);
  const auto seen = registry_.seen();
  std::vector<std::string> ranges;
  for (const auto& one : seen) {
    if (one.target == path_) ranges.push_back(one.range);
  }
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0], "");
  EXPECT_EQ(ranges[1], "bytes=1200000-");
}

TEST_F(BlobDownload, GivesUpOnConnectionsThatBringNothing) {
  registry_.On(path_, [&](http::Exchange& exchange) { SendCut(exchange, image().layer, 10); });
  EXPECT_FALSE(Fetch());
  EXPECT_EQ(registry_.Count(path_), TestSettings().attempts);
  EXPECT_TRUE(directory_.Exists(Partial()));
}

TEST_F(BlobDownload, GoesOnWithWhatAnotherProcessLeft) {
  directory_.Write(Partial(), image().layer.substr(0, 2'000'000), 0600);
  registry_.On(path_, [&](http::Exchange& exchange) {
    SendCut(exchange, image().layer, image().layer.size());
  });
  EXPECT_EQ(Content(Fetch()), image().layer);
  EXPECT_EQ(registry_.seen().back().range, "bytes=2000000-");
}

TEST_F(BlobDownload, BeginsAnewWhenWhatWasLeftDoesNotFit) {
  directory_.Write(Partial(), std::string(2'000'000, 'z'), 0600);
  registry_.On(path_, [&](http::Exchange& exchange) {
    SendCut(exchange, image().layer, image().layer.size());
  });
  EXPECT_EQ(Content(Fetch()), image().layer);
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("begun anew")));
  EXPECT_EQ(registry_.Count(path_), 2U);
}

TEST_F(BlobDownload, TakesTheWholeFromARegistryThatHasNoRanges) {
  image().ServeAt(registry_);
  directory_.Write(Partial(), image().layer.substr(0, 2'000'000), 0600);
  EXPECT_EQ(Content(Fetch()), image().layer);
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("from its beginning")));
}

TEST_F(BlobDownload, RefusesPartsThatWereNotAskedFor) {
  directory_.Write(Partial(), image().layer.substr(0, 2'000'000), 0600);
  registry_.On(path_, [&](http::Exchange& exchange) {
    if (exchange.request().headers.Find("Range")) {
      static_cast<void>(exchange.Respond({.status = 206,
                                          .headers = {{"Content-Range", "bytes 0-9/3000003"}},
                                          .body = "0123456789"}));
    } else {
      static_cast<void>(exchange.Respond({.body = image().layer}));
    }
  });
  EXPECT_EQ(Content(Fetch()), image().layer);
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("not the part")));
}

TEST_F(BlobDownload, BelievesNoOtherBytes) {
  std::string other = image().layer;
  other.back() = 'x';
  registry_.Give(path_, {.body = other});
  const auto name = Fetch();
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code(), ErrorCode::kProtocol);
  EXPECT_FALSE(directory_.Exists(BlobFileName(Layer().digest)));
  EXPECT_EQ(registry_.Count(path_), 1U);
}

TEST_F(BlobDownload, RefusesLengthsThatAreWrong) {
  for (const std::string& body : {image().layer + "x", image().layer.substr(1)}) {
    registry_.Give(path_, {.body = body});
    const auto name = Fetch();
    ASSERT_FALSE(name);
    EXPECT_THAT(name.error().message(), HasSubstr("should have 3000003"));
  }
  // In chunks nothing is announced.
  registry_.On(path_, [&](http::Exchange& exchange) {
    ASSERT_TRUE(exchange.Begin(200, {}));
    ASSERT_TRUE(exchange.Write(image().layer.substr(1)));
    ASSERT_TRUE(exchange.Finish());
  });
  EXPECT_THAT(Fetch().error().message(), HasSubstr("ended 1 bytes before its end"));
}

TEST_F(BlobDownload, TakesNoMoreThanTheDescriptorSays) {
  registry_.On(path_, [&](http::Exchange& exchange) {
    if (!exchange.Begin(200, {})) return;
    const std::string piece(kMiB, 'x');
    while (exchange.Write(piece)) {
    }
  });
  const auto name = Fetch();
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code(), ErrorCode::kProtocol);
  EXPECT_EQ(directory_.Stat(Partial()).st_size, 0);
}

TEST_F(BlobDownload, GivesUpARegistryThatDrips) {
  registry_.On(path_, [&](http::Exchange& exchange) {
    if (!exchange.Begin(200, {}, image().layer.size())) return;
    while (!ended_ && exchange.Write("x")) std::this_thread::sleep_for(Millis(5));
  });
  RegistrySettings settings = TestSettings();
  settings.min_bytes_per_second = 100'000;
  settings.rate_window = Millis(50);
  settings.attempts = 1;
  const auto name = Fetch(settings);
  ended_ = true;
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code(), ErrorCode::kTimeout);
}

TEST_F(BlobDownload, TakesTheRestFromTheNextWhenAMirrorBreaksOff) {
  TestRegistry mirror;
  mirror.On(path_, [&](http::Exchange& exchange) {
    if (exchange.request().headers.Find("Range")) {
      static_cast<void>(exchange.Respond({.status = 500}));
    } else {
      SendCut(exchange, image().layer, 1'500'000);
    }
  });
  registry_.On(path_, [&](http::Exchange& exchange) {
    SendCut(exchange, image().layer, image().layer.size());
  });
  RegistrySettings settings = TestSettings();
  settings.mirrors = {{registry_.Name(), {mirror.Name()}}};
  EXPECT_EQ(Content(Fetch(settings)), image().layer);
  EXPECT_EQ(registry_.seen().back().range, "bytes=1500000-");
}

TEST_F(BlobDownload, IsStopped) {
  const Wakeup stop = *Wakeup::Make();
  registry_.On(path_, [&](http::Exchange& exchange) {
    if (!exchange.Begin(200, {}, image().layer.size()) || !exchange.Write("x")) return;
    stop.Raise();
    EXPECT_TRUE(Eventually([&] { return ended_.load(); }));
  });
  const auto name = Fetch(TestSettings(), stop.fd());
  ended_ = true;
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().sys_errno(), ECANCELED);
}

TEST_F(BlobDownload, WaitsForWhoeverFetchesTheSame) {
  image().ServeAt(registry_);
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  const auto client = OpenClient();
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto name =
          DownloadBlob(*client, ReferenceAt(registry_.Name()), Layer(), directory_fd_, {});
      good += Content(name) == image().layer ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(good, 4);
  EXPECT_EQ(registry_.Count(path_), 1U);
  EXPECT_FALSE(directory_.Exists(Partial()));
}

TEST_F(BlobDownload, IsStoppedWhileItWaitsForAnother) {
  directory_.Write(Partial(), "", 0600);
  const Fd held = Fd::Adopt(::open(directory_.At(Partial()).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
  const Wakeup stop = *Wakeup::Make();
  stop.Raise();
  const auto name = Fetch(TestSettings(), stop.fd());
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().sys_errno(), ECANCELED);
}

TEST_F(BlobDownload, FollowsNoSymlink) {
  image().ServeAt(registry_);
  directory_.Write("victim", "precious");
  directory_.Symlink(Partial(), "victim");
  EXPECT_FALSE(Fetch());
  EXPECT_EQ(directory_.Read("victim"), "precious");
}

TEST_F(BlobDownload, FetchesSeveralAtATimeAndEachOnce) {
  std::vector<std::string> blobs;
  std::vector<oci::Descriptor> descriptors;
  for (int i = 0; i < 8; ++i) {
    blobs.push_back(
        std::string(static_cast<size_t>(100'000 * (i + 1)), static_cast<char>('a' + i)));
    descriptors.push_back(DescriptorOf(blobs.back()));
    registry_.On(TestImage::BlobPath(blobs.back()), [&, blob = blobs.back()](auto& exchange) {
      most_ = std::max(most_.load(), ++running_);
      if (registry_.Count("/v2/library") < 4) {
        EXPECT_TRUE(Eventually([&] { return most_ >= 3; }));
      }
      static_cast<void>(exchange.Respond({.body = blob}));
      --running_;
    });
  }
  descriptors.push_back(descriptors.front());
  std::map<std::string, Bytes> done;
  int whole = 0;
  const DownloadOptions options{.on_progress = [&](const BlobProgress& progress) {
    done[progress.descriptor.digest.text()] = progress.done;
    whole += progress.is_whole ? 1 : 0;
  }};
  const auto client = OpenClient();
  const auto names = DownloadBlobs(*client, ReferenceAt(registry_.Name()), descriptors,
                                   directory_fd_, {}, options);
  ASSERT_TRUE(names) << names.error().ToString();
  ASSERT_EQ(names->size(), 9U);
  for (size_t i = 0; i < blobs.size(); ++i) {
    EXPECT_EQ(Content((*names)[i]), blobs[i]);
    EXPECT_EQ(done[descriptors[i].digest.text()], blobs[i].size());
  }
  EXPECT_EQ(names->back(), names->front());
  EXPECT_EQ(whole, 8);
  EXPECT_EQ(most_, 3);
  EXPECT_EQ(registry_.Count("/v2/library"), 8U);
}

TEST_F(BlobDownload, EndsTheOthersWhenOneFails) {
  const std::string missing = "missing";
  registry_.On(path_, [&](http::Exchange& exchange) {
    if (!exchange.Begin(200, {}, image().layer.size()) || !exchange.Write("x")) return;
    EXPECT_TRUE(Eventually([&] { return ended_.load(); }));
  });
  registry_.On(TestImage::BlobPath(missing), [&](http::Exchange& exchange) {
    EXPECT_TRUE(Eventually([&] { return registry_.Count(path_) == 1; }));
    static_cast<void>(exchange.Respond({.status = 404}));
  });
  const auto client = OpenClient();
  const auto names = DownloadBlobs(*client, ReferenceAt(registry_.Name()),
                                   {Layer(), DescriptorOf(missing)}, directory_fd_, {});
  ended_ = true;
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().code(), ErrorCode::kNotFound);
}

TEST_F(BlobDownload, RefusesMoreThanAnImageMayHave) {
  RegistrySettings settings = TestSettings();
  settings.max_image_bytes = 1000;
  const auto client = OpenClient(settings);
  const auto names =
      DownloadBlobs(*client, ReferenceAt(registry_.Name()), {Layer()}, directory_fd_, {});
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().code(), ErrorCode::kLimitTooHigh);
  oci::Descriptor other = Layer();
  other.size = 5;
  EXPECT_FALSE(DownloadBlobs(*OpenClient(), ReferenceAt(registry_.Name()), {Layer(), other},
                             directory_fd_, {}));
}

}  // namespace
}  // namespace cay::templates::registry
