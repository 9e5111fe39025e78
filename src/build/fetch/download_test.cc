#include "build/fetch/download.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "base/os/file.h"
#include "build/fetch/download_process.h"
#include "http/server/test_certificate.h"
#include "http/server/test_server.h"
#include "template/test_directory.h"

namespace cay::build {
namespace {

using testing::HasSubstr;
using testing::Not;

class Downloads : public testing::Test {
 protected:
  using Handler = std::function<void(http::Exchange&)>;

  void On(const std::string& path, Handler handler) {
    const std::lock_guard lock(mutex_);
    handlers_[path] = std::move(handler);
  }
  void Give(const std::string& path, const http::Response& response) {
    On(path,
       [response](http::Exchange& exchange) { static_cast<void>(exchange.Respond(response)); });
  }
  void Redirect(const std::string& path, const std::string& to, int status = 302) {
    Give(path, {.status = status, .headers = {{"Location", to}}});
  }
  static std::string Origin(const http::Server& server, const std::string& scheme = "http") {
    return scheme + "://127.0.0.1:" + std::to_string(server.addresses().front().port);
  }
  std::string At(const std::string& path) const { return Origin(*server_) + path; }

  Result<Downloaded> Fetch(DownloadRequest request) {
    if (request.max_bytes == 0) request.max_bytes = kMiB;
    const std::string path = directory_.At("file-" + std::to_string(++count_));
    const Fd file = Fd::Adopt(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const DownloadTold told{.note = [this](const std::string& note) { notes_.push_back(note); }};
    auto done = Download(request, file, told);
    content_ = ReadFile(path, 16 * kMiB).value_or("(cannot be read)");
    return done;
  }
  std::string ErrorOf(DownloadRequest request) {
    const auto done = Fetch(std::move(request));
    return done ? "(no error)" : done.error().ToString();
  }
  void Serve(http::Exchange& exchange) {
    Handler handler;
    {
      const std::lock_guard lock(mutex_);
      const auto authorization = exchange.request().headers.Find("Authorization");
      authorizations_.emplace_back(authorization.value_or(""));
      const auto found = handlers_.find(exchange.request().path);
      if (found != handlers_.end()) handler = found->second;
    }
    if (handler) return handler(exchange);
    static_cast<void>(exchange.Respond({.status = 404}));
  }
  std::unique_ptr<http::Server> StartOther(http::TlsOptions tls = {}) {
    return http::StartServer([this](http::Exchange& exchange) { Serve(exchange); }, {},
                             std::move(tls));
  }

  templates::TestDirectory directory_;
  std::mutex mutex_;
  std::map<std::string, Handler> handlers_;
  std::vector<std::string> authorizations_;
  std::vector<std::string> notes_;
  std::string content_;
  size_t count_ = 0;
  std::atomic<bool> ended_ = false;
  std::unique_ptr<http::Server> server_ = StartOther();
};

TEST_F(Downloads, AFileIsFetchedWithItsTime) {
  Give("/a", {.headers = {{"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}}, .body = "content"});
  const auto done = Fetch({.url = At("/a")});
  ASSERT_TRUE(done) << done.error().ToString();
  EXPECT_EQ(content_, "content");
  EXPECT_EQ(done->bytes, 7u);
  EXPECT_EQ(done->modified_unix, 784'111'777);
}

TEST_F(Downloads, ACodingThatTheServerChoseIsKept) {
  Give("/a.gz", {.headers = {{"Content-Encoding", "gzip"}}, .body = "\x1f\x8b not undone"});
  ASSERT_TRUE(Fetch({.url = At("/a.gz")}));
  EXPECT_EQ(content_, "\x1f\x8b not undone");
}

TEST_F(Downloads, StatusesAreNamed) {
  for (const auto& [status, code] : std::map<int, ErrorCode>{{404, ErrorCode::kNotFound},
                                                             {403, ErrorCode::kPermissionDenied},
                                                             {418, ErrorCode::kInvalidArgument},
                                                             {500, ErrorCode::kUnavailable},
                                                             {206, ErrorCode::kUnavailable}}) {
    Give("/x", {.status = status, .body = "what it says"});
    const auto done = Fetch({.url = At("/x")});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), code) << status;
    EXPECT_THAT(done.error().message(), HasSubstr(" answered " + std::to_string(status)));
    EXPECT_EQ(content_, "");
  }
}

TEST_F(Downloads, RedirectsAreFollowedWithTheirBound) {
  Give("/end", {.body = "the end"});
  Redirect("/r0", "/end");
  for (int i = 1; i <= 10; ++i)
    Redirect("/r" + std::to_string(i), At("/r" + std::to_string(i - 1)), i % 2 == 0 ? 301 : 307);
  ASSERT_TRUE(Fetch({.url = At("/r9")}));
  EXPECT_EQ(content_, "the end");
  EXPECT_THAT(ErrorOf({.url = At("/r10")}), HasSubstr("10 redirects, which is the maximum"));
  Redirect("/loop", "/loop");
  EXPECT_THAT(ErrorOf({.url = At("/loop")}), HasSubstr("10 redirects, which is the maximum"));
}

TEST_F(Downloads, RedirectsLeadToNothingButHttp) {
  for (const char* to :
       {"file:///etc/passwd", "ftp://h/x", "gopher://127.0.0.1/1", "unix:/run/x",
        "data:text/plain,x", "http://user:s3cret@127.0.0.1/x", "http://", "http://h:99999/"}) {
    Redirect("/away", to);
    const std::string error = ErrorOf({.url = At("/away")});
    EXPECT_THAT(error, HasSubstr("redirects to what is not asked")) << to;
    EXPECT_THAT(error, Not(HasSubstr("s3cret")));
    EXPECT_EQ(content_, "");
  }
  Give("/nowhere", {.status = 302});
  EXPECT_THAT(ErrorOf({.url = At("/nowhere")}), HasSubstr("without saying where to"));
}

TEST_F(Downloads, CredentialsAreForTheirOriginAlone) {
  const auto other = StartOther();
  Give("/end", {.body = "x"});
  Redirect("/own", "/end");
  Redirect("/other", Origin(*other) + "/back");
  Redirect("/back", At("/end"));
  ASSERT_TRUE(Fetch({.url = At("/own"), .authorization = "Basic eDp5"}));
  EXPECT_THAT(authorizations_, testing::ElementsAre("Basic eDp5", "Basic eDp5"));
  authorizations_.clear();
  ASSERT_TRUE(Fetch({.url = At("/other"), .authorization = "Basic eDp5"}));
  EXPECT_THAT(authorizations_, testing::ElementsAre("Basic eDp5", "", "Basic eDp5"));
  EXPECT_THAT(notes_, testing::Contains("redirected to " + Origin(*other)));
}

TEST_F(Downloads, WhatIsTooLargeIsRefusedByItsLengthAndWithoutOne) {
  Give("/said", {.body = std::string(11, 'x')});
  EXPECT_THAT(ErrorOf({.url = At("/said"), .max_bytes = 10}), HasSubstr("larger than 10 B"));
  EXPECT_EQ(content_, "");
  On("/endless", [&](http::Exchange& exchange) {
    if (!exchange.Begin(200, {})) return;
    while (!ended_ && exchange.Write(std::string(64 * kKiB, 'x'))) {
    }
  });
  const auto done = Fetch({.url = At("/endless"), .max_bytes = 2 * kMiB});
  ended_ = true;
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_LE(content_.size(), 2 * kMiB);
}

TEST_F(Downloads, ACutConnectionIsAnError) {
  On("/cut", [](http::Exchange& exchange) {
    if (!exchange.Begin(200, {}, 1000)) return;
    static_cast<void>(exchange.Write("only this"));
  });
  const auto done = Fetch({.url = At("/cut")});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(done.error().message(), HasSubstr(Origin(*server_) + ", after 9"));
}

TEST_F(Downloads, OneThatStallsOrTricklesIsEnded) {
  On("/stall", [&](http::Exchange& exchange) {
    if (!exchange.Begin(200, {}, 1000)) return;
    static_cast<void>(exchange.Write("x"));
    while (!ended_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  On("/trickle", [&](http::Exchange& exchange) {
    if (!exchange.Begin(200, {})) return;
    while (!ended_ && exchange.Write("x"))
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  for (const char* path : {"/stall", "/trickle"}) {
    const auto done = Fetch({.url = At(path),
                             .stall = Millis(200),
                             .min_bytes_per_second = 10'000,
                             .window = Millis(100)});
    ASSERT_FALSE(done) << path;
    EXPECT_EQ(done.error().code(), ErrorCode::kTimeout) << path << done.error().ToString();
  }
  ended_ = true;
}

TEST_F(Downloads, TlsIsVerifiedByTheAuthoritiesThatAreSaid) {
  const http::Certificate certificate("127.0.0.1");
  const auto other = StartOther(certificate.options());
  Give("/a", {.body = "over TLS"});
  const std::string url = Origin(*other, "https") + "/a";
  EXPECT_THAT(ErrorOf({.url = url}), HasSubstr("certificate is not accepted"));
  ASSERT_TRUE(Fetch({.url = url, .authorities = certificate.file()}));
  EXPECT_EQ(content_, "over TLS");
}

TEST_F(Downloads, ARedirectThatGivesUpTlsNeedsADigest) {
  const http::Certificate certificate("127.0.0.1");
  const auto other = StartOther(certificate.options());
  Give("/a", {.body = "in the clear"});
  Redirect("/down", At("/a"));
  DownloadRequest request{.url = Origin(*other, "https") + "/down",
                          .authorities = certificate.file()};
  EXPECT_THAT(ErrorOf(request), HasSubstr("--checksum"));
  request.is_pinned = true;
  ASSERT_TRUE(Fetch(request));
  EXPECT_EQ(content_, "in the clear");
}

TEST_F(Downloads, ALineSaysWhatItSaid) {
  const auto progress = ParseDownloadLine(TextOf(DownloadProgress{.bytes = 5, .of = 10}));
  ASSERT_TRUE(progress);
  EXPECT_EQ(std::get<DownloadProgress>(*progress).of, 10u);
  const auto done = ParseDownloadLine(TextOf(Downloaded{.bytes = 5, .modified_unix = 7}));
  ASSERT_TRUE(done);
  EXPECT_EQ(std::get<Downloaded>(*done).modified_unix, 7);
  const auto error = ParseDownloadLine(
      TextOf(Error(ErrorCode::kNotFound, Fault::kCaller, "gone\n").WithRemedy("look elsewhere")));
  ASSERT_TRUE(error);
  EXPECT_EQ(std::get<Error>(*error).code(), ErrorCode::kNotFound);
  EXPECT_EQ(std::get<Error>(*error).fault(), Fault::kCaller);
  EXPECT_EQ(std::get<Error>(*error).ToString(), "gone\n (look elsewhere)");
}

TEST_F(Downloads, OtherLinesAreNone) {
  for (const char* line : {"", "x", "{}", "[]", "{\"kind\":\"done\"}",
                           "{\"kind\":\"done\",\"bytes\":-1}", "{\"kind\":7}", "null"}) {
    EXPECT_FALSE(ParseDownloadLine(line)) << line;
  }
}

}  // namespace
}  // namespace cay::build
