#include "cli/session/event_source.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "base/os/fd.h"

namespace cay::cli {
namespace {

// A response that has all its bytes, and then ends or is cut.
class FakeResponse final : public http::ClientResponse {
 public:
  FakeResponse(std::string bytes, bool cut) : bytes_(std::move(bytes)), cut_(cut) {}
  int status() const override { return 200; }
  const http::Headers& headers() const override { return headers_; }
  Result<size_t> Read(std::span<char> space) override {
    if (bytes_.empty() && cut_) {
      return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "cut short"));
    }
    const size_t size = std::min(space.size(), bytes_.size());
    bytes_.copy(space.data(), size);
    bytes_.erase(0, size);
    return size;
  }
  Result<std::optional<size_t>> TryRead(std::span<char> space) override { return TRY(Read(space)); }
  int fd() const override { return -1; }

 private:
  std::string bytes_;
  bool cut_;
  http::Headers headers_;
};

// What the server does at each connect, in order; then it is gone.
struct Script {
  struct Step {
    std::optional<std::string> bytes;  // nothing: refused
    bool cut = true;
    ErrorCode code = ErrorCode::kUnavailable;
  };
  std::deque<Step> steps;
  std::vector<std::string> ids;  // that were asked for

  EventSource::Open Opener() {
    return [this](const std::string& id) -> Result<std::unique_ptr<http::ClientResponse>> {
      ids.push_back(id);
      Step step;
      if (!steps.empty()) {
        step = steps.front();
        steps.pop_front();
      }
      if (!step.bytes) return Failure(Error(step.code, Fault::kMachine, "no"));
      return std::make_unique<FakeResponse>(*step.bytes, step.cut);
    };
  }
};

Result<std::string> DataOfAll(EventSource& source, size_t count) {
  std::string all;
  while (count > 0 && !source.ended()) {
    std::optional<ServerEvent> event = TRY(source.Next());
    if (!event) {
      source.Wait();
      continue;
    }
    all += event->data;
    --count;
  }
  return all;
}

TEST(EventSourceTest, AStreamThatIsCutContinuesAfterTheLastId) {
  Script script;
  script.steps = {{"id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\nda"}, {}, {"id: 3\ndata: c\n\n"}};
  EventSource source(script.Opener());
  EXPECT_EQ(DataOfAll(source, 3).value_or("?"), "abc");
  EXPECT_EQ(script.ids, (std::vector<std::string>{"", "2", "2"}));
}

TEST(EventSourceTest, AnEventWithoutAnIdDoesNotLoseThePlace) {
  Script script;
  script.steps = {
      {"id: 7\ndata: a\n\n"}, {"data: end\n\n"}, {"data: end\n\n"}, {"id: 8\ndata: b\n\n"}};
  EventSource source(script.Opener());
  EXPECT_EQ(DataOfAll(source, 4).value_or("?"), "aendendb");
  EXPECT_EQ(script.ids, (std::vector<std::string>{"", "7", "7", "7"}));
}

TEST(EventSourceTest, AnEndIsALossUnlessTheStreamMayEnd) {
  Script script;
  script.steps = {{"id: 1\ndata: a\n\n", false}, {"id: 2\ndata: b\n\n", false}};
  EventSource source(script.Opener());
  EXPECT_EQ(DataOfAll(source, 2).value_or("?"), "ab");

  script.steps = {{"id: 1\ndata: a\n\n", false}};
  EventSource bounded(script.Opener());
  bounded.set_ends(true);
  EXPECT_EQ(DataOfAll(bounded, 5).value_or("?"), "a");
  EXPECT_TRUE(bounded.ended());
}

TEST(EventSourceTest, TheFirstConnectIsNotTriedAgain) {
  Script script;
  EventSource source(script.Opener());
  EXPECT_FALSE(DataOfAll(source, 1));
  EXPECT_EQ(script.ids.size(), 1U);
}

TEST(EventSourceTest, GivesUpWhenPatienceIsOver) {
  Script script;
  script.steps = {{"id: 1\ndata: a\n\n"}};
  EventSource source(script.Opener(), Millis(300));
  const Result<std::string> all = DataOfAll(source, 2);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code(), ErrorCode::kUnavailable);
  EXPECT_GE(script.ids.size(), 2U);
}

TEST(EventSourceTest, AnErrorThatIsNoLossIsFinal) {
  Script script;
  script.steps = {{"id: 1\ndata: a\n\n"}, {std::nullopt, true, ErrorCode::kNotFound}};
  EventSource source(script.Opener());
  const Result<std::string> all = DataOfAll(source, 2);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace cay::cli
