// Files: up and down, whole and in ranges; what is done with them; archives and watches.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;

class FileApi : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    sandbox_ = CreatePath(R"({"file_size_limit":"8m"})");
    path_ = sandbox_ + "/files";
  }
  Reply Put(const std::string& query, const std::string& body) {
    return Call("PUT", path_ + "?" + query, body);
  }
  std::string sandbox_;
  std::string path_;
};

TEST_F(FileApi, WhatGoesUpComesDown) {
  std::string content(3'000'000, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 % 251);
  const Reply put = Put("path=dir/sub/a%20b.bin&mode=0600", content);
  ASSERT_EQ(put.status, 201) << put.body;
  EXPECT_EQ(put.Text("path"), "/workspace/dir/sub/a b.bin");
  EXPECT_EQ(put.Text("name"), "a b.bin");
  EXPECT_EQ(put.Text("mode"), "0600");
  EXPECT_EQ(put.Number("size"), 3'000'000);
  const Reply got = Get(path_ + "?path=/workspace/dir/sub/a%20b.bin");
  EXPECT_EQ(got.status, 200);
  EXPECT_TRUE(got.body == content);
  EXPECT_EQ(got.Header("X-File-Mode"), "0600");
  EXPECT_EQ(got.Header("Content-Length"), "3000000");
  EXPECT_EQ(got.Header("Content-Disposition"), "attachment; filename*=UTF-8''a%20b.bin");
  EXPECT_EQ(got.Header("X-Content-Type-Options"), "nosniff");
}

TEST_F(FileApi, OfAStoppedSandboxAllButWatchesWorks) {
  ASSERT_EQ(Put("path=d/a&parents=true", "one").status, 201);
  ASSERT_EQ(Post(sandbox_ + "/stop").Text("state"), "stopped");
  EXPECT_EQ(Get(path_ + "?path=d/a").body, "one");
  EXPECT_EQ(Put("path=d/b", "two").status, 201);
  EXPECT_EQ(Get(path_ + "/list?path=d").json().at("entries").as_array().size(), 2U);
  EXPECT_EQ(Get(path_ + "/stat?path=d/b").Number("size"), 3);
  EXPECT_EQ(Post(path_ + "/mkdir", R"({"path":"e"})").status, 201);
  EXPECT_EQ(Post(path_ + "/move", R"({"from":"d/b","to":"e/c"})").status, 200);
  EXPECT_EQ(Post(path_ + "/chmod", R"({"path":"e/c","mode":"0600"})").Text("mode"), "0600");
  EXPECT_EQ(Call("DELETE", path_ + "?path=d/a").status, 204);
  const Reply tree = Get(sandbox_ + "/archive?path=e");
  ASSERT_EQ(tree.status, 200);
  EXPECT_EQ(Call("PUT", sandbox_ + "/archive?path=f", tree.body).status, 200);
  ExpectProblem(Put("path=/dev/shm/lost", "x"), 409, "illegal_state");
  ExpectProblem(Post(path_ + "/mkdir", R"({"path":"/dev/shm/lost"})"), 409, "illegal_state");
  ExpectProblem(Get(path_ + "/watch?path=e"), 409, "illegal_state");
  ExpectProblem(Post(sandbox_ + "/execute", R"({"command":"true"})"), 409, "illegal_state");
  EXPECT_EQ(Get(sandbox_).Text("state"), "stopped");
  ASSERT_EQ(Post(sandbox_ + "/start").Text("state"), "running");
  EXPECT_EQ(Post(sandbox_ + "/execute", R"({"command":"cat f/e/c; ls d"})").Text("stdout"), "two");
}

TEST_F(FileApi, RangesAndHeadAndTags) {
  Put("path=f.txt", "0123456789");
  const std::string file = path_ + "?path=f.txt";
  const Reply part = Call("GET", file, "", {{"Range", "bytes=2-4"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.Header("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(Call("GET", file, "", {{"Range", "bytes=-3"}}).body, "789");
  const Reply outside = Call("GET", file, "", {{"Range", "bytes=10-"}});
  ExpectProblem(outside, 416, "invalid_argument");
  EXPECT_EQ(outside.Header("Content-Range"), "bytes */10");
  const Reply head = Call("HEAD", file);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.Header("Content-Length"), "10");
  EXPECT_EQ(head.Header("Content-Type"), "text/plain; charset=utf-8");
  const http::Headers same = {{"If-None-Match", head.Header("ETag")}};
  EXPECT_EQ(Call("GET", file, "", same).status, 304);
  Put("path=f.txt", "changed");
  EXPECT_EQ(Call("GET", file, "", same).body, "changed");
  EXPECT_EQ(Put("path=empty", "").status, 201);
  EXPECT_EQ(Get(path_ + "?path=empty").body, "");
}

TEST_F(FileApi, AnUploadOverTheFileLimitIs413AndLeavesNothing) {
  const std::string large(9'000'000, 'x');
  ExpectProblem(Put("path=large", large), 413, "limit_too_high");
  ExpectProblem(Get(path_ + "/stat?path=large"), 404, "not_found");
}

TEST_F(FileApi, OddFilesGiveClearErrors) {
  Post(sandbox_ + "/execute",
       R"({"command":"mkfifo fifo; ln -s nowhere dangling; ln -s loop loop; mkdir d"})");
  EXPECT_THAT(ExpectProblem(Get(path_ + "?path=fifo"), 422, "invalid_argument"), HasSubstr("fifo"));
  EXPECT_THAT(ExpectProblem(Get(path_ + "?path=d"), 422, "invalid_argument"),
              HasSubstr("directory"));
  EXPECT_THAT(ExpectProblem(Get(path_ + "?path=/dev/null"), 422, "invalid_argument"),
              HasSubstr("char_device"));
  ExpectProblem(Get(path_ + "?path=dangling"), 404, "not_found");
  EXPECT_EQ(Get(path_ + "?path=loop").status, 422);
  EXPECT_EQ(Get(path_ + "?path=a&user=nobody-here").status, 422);
  EXPECT_EQ(Get(path_ + "/stat?path=dangling&follow=false").Text("link_target"), "nowhere");
  ExpectProblem(Get(path_), 400, "invalid_argument");
  ExpectProblem(Get(path_ + "?path="), 400, "invalid_argument");
  ExpectProblem(Get(path_ + "?path=none"), 404, "not_found");
  ExpectProblem(Put("path=no/such/file&parents=false", "x"), 404, "not_found");
  ExpectProblem(Get(path_ + "/stat?path=no"), 404, "not_found");
  ExpectProblem(Put("path=fifo/x", "x"), 422, "invalid_argument");
  ExpectProblem(Put("path=/usr/x", "x"), 403, "permission_denied");
  ExpectProblem(Put("path=a&mode=999", "x"), 400, "invalid_argument");
}

TEST_F(FileApi, ListsHaveDepthAndPages) {
  Post(sandbox_ + "/execute",
       R"({"command":"mkdir -p l/d && cd l && touch a b c d/x && ln -s a link"})");
  const Reply flat = Get(path_ + "/list?path=l");
  ASSERT_EQ(flat.status, 200) << flat.body;
  std::string names;
  for (const auto& entry : flat.json().at("entries").as_array()) {
    names += std::string(entry.at("name").as_string()) + ":" +
             std::string(entry.at("type").as_string()) + " ";
  }
  EXPECT_EQ(names, "a:file b:file c:file d:directory link:symlink ");
  EXPECT_EQ(Get(path_ + "/list?path=l&depth=2").json().at("entries").as_array().size(), 6U);
  std::string paged;
  std::string cursor;
  for (int i = 0; i < 3; ++i) {
    const Reply page = Get(path_ + "/list?path=l&limit=2&cursor=" + cursor);
    for (const auto& entry : page.json().at("entries").as_array()) {
      paged += std::string(entry.at("name").as_string()) + " ";
    }
    if (page.json().at("next_cursor").is_null()) break;
    cursor.clear();
    for (const char c : page.Text("next_cursor")) {
      cursor += c == '=' ? "%3D" : c == '+' ? "%2B" : c == '/' ? "%2F" : std::string(1, c);
    }
  }
  EXPECT_EQ(paged, "a b c d link ");
  ExpectProblem(Get(path_ + "/list?path=l&cursor=!"), 422, "invalid_argument");
  ExpectProblem(Get(path_ + "/list?path=l&depth=0"), 400, "invalid_argument");
  ExpectProblem(Get(path_ + "/list?path=none"), 404, "not_found");
  EXPECT_EQ(Get(path_ + "/list").Text("path"), "/workspace");
}

TEST_F(FileApi, DirectoriesAreMadeMovedAndRemoved) {
  EXPECT_EQ(Post(path_ + "/mkdir", R"({"path":"m/n","parents":true,"mode":"0700"})").status, 201);
  ExpectProblem(Post(path_ + "/mkdir", R"({"path":"m"})"), 409, "already_exists");
  Put("path=m/f", "1");
  Put("path=m/g", "2");
  ExpectProblem(Post(path_ + "/move", R"({"from":"m/f","to":"m/g"})"), 409, "already_exists");
  EXPECT_EQ(Post(path_ + "/move", R"({"from":"m/f","to":"m/g","replace":true})").Text("path"),
            "/workspace/m/g");
  EXPECT_EQ(Get(path_ + "?path=m/g").body, "1");
  EXPECT_EQ(Post(path_ + "/chmod", R"({"path":"m/g","mode":"0755"})").Text("mode"), "0755");
  ExpectProblem(Post(path_ + "/chmod", R"({"path":"m/g"})"), 400, "invalid_argument");
  const auto full = Call("DELETE", path_ + "?path=m");
  ExpectProblem(full, 422, "invalid_argument");
  EXPECT_THAT(full.Text("remedy"), HasSubstr("?recursive=true"));
  EXPECT_EQ(Call("DELETE", path_ + "?path=m&recursive=true").status, 204);
  ExpectProblem(Call("DELETE", path_ + "?path=m"), 404, "not_found");
  EXPECT_EQ(Call("DELETE", path_ + "?path=m&missing_ok=true").status, 204);
}

TEST_F(FileApi, ArchivesGoBothWays) {
  Put("path=tree/a.txt", "alpha");
  for (const char* format : {"tar", "tar.gz", "tar.zst"}) {
    const Reply out = Get(sandbox_ + "/archive?path=tree&contents=true&format=" + format);
    ASSERT_EQ(out.status, 200) << out.body;
    EXPECT_THAT(out.Header("Content-Disposition"), HasSubstr(std::string("tree.") + format));
    const Reply in = Call("PUT", sandbox_ + "/archive?path=copy-" + std::string(format), out.body);
    ASSERT_EQ(in.status, 200) << in.body;
    EXPECT_EQ(in.Number("bytes"), 5);
    EXPECT_EQ(Get(path_ + "?path=copy-" + std::string(format) + "/a.txt").body, "alpha");
  }
  ExpectProblem(Get(sandbox_ + "/archive?path=none"), 404, "not_found");
  ExpectProblem(Get(sandbox_ + "/archive?format=rar"), 400, "invalid_argument");
  EXPECT_GE(Call("PUT", sandbox_ + "/archive?path=bad", "this is no archive").status, 400);
  EXPECT_LT(Call("PUT", sandbox_ + "/archive?path=bad", "this is no archive").status, 500);
}

TEST_F(FileApi, LinksAreFollowedByWhatIsWritten) {
  Post(
      sandbox_ + "/execute",
      R"({"command":"mkdir real; echo old > real/f; ln -s real/f link; ln -s real/new dangling; ln -s /usr/x out"})");
  EXPECT_EQ(Put("path=link", "new").status, 201);
  EXPECT_EQ(Get(path_ + "?path=real/f").body, "new");
  EXPECT_EQ(Get(path_ + "/stat?path=link&follow=false").Text("type"), "symlink");
  EXPECT_EQ(Put("path=dangling", "made").status, 201);
  EXPECT_EQ(Get(path_ + "?path=real/new").body, "made");
  ExpectProblem(Put("path=out", "x"), 403, "permission_denied");
  EXPECT_THAT(ExpectProblem(Put("path=real/", "x"), 422, "invalid_argument"), HasSubstr("slash"));
}

TEST_F(FileApi, NamesMayBeAnyBytes) {
  EXPECT_EQ(Put("path=raw/a%FF%0A", "content").Text("name_base64"), "Yf8K");
  const Reply list = Get(path_ + "/list?path=raw");
  ASSERT_EQ(list.status, 200);
  const auto& entry = list.json().at("entries").as_array().at(0).as_object();
  EXPECT_EQ(entry.at("name").as_string(), "a\uFFFD\n");
  EXPECT_EQ(entry.at("name_base64").as_string(), "Yf8K");
  EXPECT_EQ(entry.at("path_base64").as_string(), "L3dvcmtzcGFjZS9yYXcvYf8K");
  EXPECT_FALSE(Get(path_ + "/list")
                   .json()
                   .at("entries")
                   .as_array()
                   .at(0)
                   .as_object()
                   .contains("name_base64"));
  const Reply got = Get(path_ + "?path=raw/a%FF%0A");
  EXPECT_EQ(got.body, "content");
  EXPECT_EQ(got.Header("Content-Disposition"), "attachment; filename*=UTF-8''a%EF%BF%BD%0A");
  const std::string moved = R"({"base64":"cmF3L2L+"})";  // raw/b\xfe
  EXPECT_EQ(Post(path_ + "/move", R"({"from":{"base64":"cmF3L2H/Cg=="},"to":)" + moved + "}")
                .Text("name_base64"),
            "Yv4=");
  EXPECT_EQ(Post(path_ + "/chmod", R"({"mode":"0600","path":)" + moved + "}").status, 200);
  EXPECT_EQ(Get(path_ + "/stat?path=raw/b%FE").Text("mode"), "0600");
  EXPECT_EQ(Post(path_ + "/mkdir", R"({"path":{"base64":"cmF3L2T/"}})").status, 201);
  Post(sandbox_ + "/execute", R"({"command":"ln -s \"$(printf 'to\\377')\" raw/link"})");
  EXPECT_EQ(Get(path_ + "/stat?path=raw/link&follow=false").Text("link_target_base64"), "dG//");
  ExpectProblem(Post(path_ + "/mkdir", R"({"path":{"base64":"!"}})"), 400, "invalid_argument");
  ExpectProblem(Post(path_ + "/mkdir", R"({"path":{"base64":"YQBi"}})"), 422, "invalid_argument");
  EXPECT_THAT(ExpectProblem(Get(path_ + "?path=none%FF"), 404, "not_found"), HasSubstr("none"));
  // All of it, in a tar and back.
  const Reply tar = Get(sandbox_ + "/archive?path=raw&contents=true");
  EXPECT_EQ(Call("PUT", sandbox_ + "/archive?path=copy%FF", tar.body).status, 200);
  EXPECT_EQ(Get(path_ + "?path=copy%FF/b%FE").body, "content");
  EXPECT_EQ(Call("DELETE", path_ + "?path=copy%FF&recursive=true").status, 204);
}

TEST_F(FileApi, ChangesAreWatched) {
  auto client = http::Client::Open(url());
  ASSERT_TRUE(client);
  http::ClientRequest request;
  request.target = path_ + "/watch?path=/workspace";
  auto response = (*client)->Send(std::move(request));
  ASSERT_TRUE(response) << response.error().ToString();
  EXPECT_EQ((*response)->status(), 200);
  std::string text;
  std::array<char, 4096> space{};
  bool written = false;
  while (text.find("watched.txt") == std::string::npos) {
    const auto count = (*response)->Read(space);
    ASSERT_TRUE(count) << count.error().ToString();
    ASSERT_GT(*count, 0U);
    text.append(space.data(), *count);
    if (std::exchange(written, true)) continue;
    Put("path=plain", "x");
    Put("path=plain", "y");
    Post(path_ + "/move", R"({"from":"plain","to":{"base64":"cmF3/w=="}})");
    Put("path=watched.txt", "x");
  }
  EXPECT_THAT(text, HasSubstr("event: watching\n"));
  EXPECT_THAT(
      text, HasSubstr("event: created\ndata: {\"path\":\"plain\",\"directory\":false}\n\n"
                      "event: modified\ndata: {\"path\":\"plain\",\"directory\":false}\n\n"
                      "event: removed\ndata: {\"path\":\"plain\",\"directory\":false}\n\n"
                      "event: renamed\ndata: {\"path\":\"raw\uFFFD\",\"path_base64\":\"cmF3/w==\","
                      "\"from\":\"plain\",\"directory\":false}\n\n"
                      "event: created\ndata: {\"path\":\"watched.txt\",\"directory\":false}"));
}

TEST_F(FileApi, AnArchiveOfWhatTheUserMayNotReadIs403) {
  EXPECT_EQ(Post(sandbox_ + "/execute", R"({"command":"mkdir shut && chmod 000 shut"})").status,
            200);
  ExpectProblem(Get(sandbox_ + "/archive?path=shut"), 403, "permission_denied");
}

TEST_F(FileApi, AFileThatTheUserMayNotReadIs403) {
  ASSERT_EQ(Put("path=shut&mode=0000", "four").status, 201);
  ExpectProblem(Get(path_ + "?path=shut"), 403, "permission_denied");
  ExpectProblem(Call("GET", path_ + "?path=shut", "", {{"Range", "bytes=1-2"}}), 403,
                "permission_denied");
  EXPECT_EQ(Call("HEAD", path_ + "?path=shut").status, 403);
}

TEST_F(FileApi, AFileThatIsReplacedWhileItIsReadIsOneOfBoth) {
  const std::string large(300'000, 'l');
  const std::string file = path_ + "?path=replaced";
  ASSERT_EQ(Put("path=replaced", large).status, 201);
  std::atomic<bool> over = false;
  std::thread writer([&] {
    for (int round = 0; round < 60; ++round) {
      EXPECT_EQ(Put("path=replaced", round % 2 == 0 ? "small" : large).status, 201);
    }
    over = true;
  });
  while (!over) {
    const Reply got = Get(file);
    EXPECT_EQ(got.status, 200) << got.body.substr(0, 1000);
    EXPECT_TRUE(got.body == "small" || got.body == large) << got.body.size();
    const Reply part = Call("GET", file, "", {{"Range", "bytes=-2"}});
    if (part.status == 409) continue;  // another file each of the times that it was looked at
    EXPECT_EQ(part.status, 206) << part.body.substr(0, 1000);
    EXPECT_THAT(part.Header("Content-Range"),
                ::testing::AnyOf("bytes 3-4/5", "bytes 299998-299999/300000"));
    EXPECT_EQ(part.body, "ll");
  }
  writer.join();
}

// Lengths of schemas are of characters, those of names are of bytes.
TEST_F(FileApi, AUsersNameThatIsTooLongInBytesAloneIsNoBadRequest) {
  std::string user;
  for (int i = 0; i < 40; ++i) user += "%C3%BC";
  ExpectProblem(Get(path_ + "?path=/etc/passwd&user=" + user), 422, "limit_too_high");
}

TEST_F(FileApi, WhatDoesNotFitOnTheSandboxsDiskIs507) {
  const std::string small = CreatePath(R"({"disk_limit":"16m"})");
  const std::string large(10 << 20, 'x');  // one file may be as large as the disk
  EXPECT_EQ(Call("PUT", small + "/files?path=first", large).status, 201);
  const Reply written = Call("PUT", small + "/files?path=large", large);
  ExpectProblem(written, 507, "resource_exhausted");
  EXPECT_EQ(written.Header("Retry-After"), "");
  EXPECT_EQ(Get(small + "/files?path=large").status, 404);
  const Reply executed =
      Post(small + "/execute", R"({"command":"true","files":{"a":")" + std::string(12 << 20, 'a') +
                                   R"(","b":")" + std::string(3 << 20, 'b') + "\"}}");
  ExpectProblem(executed, 507, "resource_exhausted");
}

}  // namespace
}  // namespace cay::testing
