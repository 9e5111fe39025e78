#include "api/dispatch/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

#include "http/server/test_server.h"

namespace cay::api {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// As another face would have it.
http::Response BriefErrors(const Error& error, const ProblemOptions& options) {
  http::Response response;
  response.status = options.status.value_or(StatusOf(error));
  response.headers.Add("Content-Type", "application/json");
  response.body = R"({"message":")" + error.message() + "\"}";
  return response;
}

class DispatcherTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "cay-dispatcher-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    store_ = store::Store::Open({.state_dir = directory_, .run_dir = directory_}).value();
    keys_ = KeyRing::Open(*store_).value();
    gate_ = std::make_unique<Gate>(GateOptions{}, *keys_);
    audit_ = std::make_unique<AuditLog>(*store_, 100);
    dispatcher_ = std::make_unique<Dispatcher>(*gate_, *audit_, metrics_);
    dispatcher_->set_log_requests(false);
  }
  void TearDown() override {
    server_.reset();
    dispatcher_.reset();
    audit_.reset();
    gate_.reset();
    keys_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Add(const std::string& path, Operation operation, ErrorWriter errors) {
    dispatcher_->Add({{.method = "GET",
                       .pattern = path,
                       .scope = Scope::kRead,
                       .name = "try" + path.substr(1),
                       .operation = std::move(operation),
                       .errors = errors}});
  }
  std::string Get(const std::string& path) {
    if (!server_) {
      server_ = http::StartServer([this](http::Exchange& e) { dispatcher_->Handle(e); }, {}, {},
                                  [this](http::Request& r) { return dispatcher_->Screen(r); });
    }
    http::RawClient client(*server_);
    return client.Ask("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }

  std::string directory_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<KeyRing> keys_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<AuditLog> audit_;
  RequestMetrics metrics_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<http::Server> server_;
};

Result<void> Fail(http::Exchange&, const sandbox::Caller&) {
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "no such thing")
                     .WithRemedy("list them: " + Remedy(Action::kList)));
}

Result<void> Throw(http::Exchange&, const sandbox::Caller&) { throw std::runtime_error("oh"); }

TEST_F(DispatcherTest, ErrorsOfCaysOwnFaceAreProblemDocumentsWithTheirRemedyInPartsAsWell) {
  Add("/own", &Fail, &ProblemResponse);
  const std::string answer = Get("/own");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(answer, HasSubstr(R"("remedy":"list them: GET /api/sandboxes")"));
  EXPECT_THAT(answer,
              HasSubstr(R"("remedy_parts":[{"text":"list them: "},{"action":"list","of":""}])"));
}

TEST_F(DispatcherTest, AnotherFaceWritesItsErrorsItself) {
  Add("/other", &Fail, &BriefErrors);
  Add("/broken", &Throw, &BriefErrors);
  EXPECT_THAT(Get("/other"), HasSubstr("\r\n\r\n{\"message\":\"no such thing\"}"));
  const std::string broken = Get("/broken");
  EXPECT_THAT(broken, StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(broken, HasSubstr("{\"message\":\"the server failed: oh\"}"));
}

TEST_F(DispatcherTest, SoDoesItForWhoHasNoKey) {
  Add("/other", &Fail, &BriefErrors);
  Add("/own", &Fail, &ProblemResponse);
  ASSERT_TRUE(keys_->Create({.name = "k", .scope = Scope::kAdmin}));
  const std::string other = Get("/other");
  EXPECT_THAT(other, StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(other, HasSubstr("\r\n\r\n{\"message\":"));
  EXPECT_THAT(Get("/own"), HasSubstr("application/problem+json"));
  EXPECT_THAT(Get("/nothing"), HasSubstr("application/problem+json"));
}

}  // namespace
}  // namespace cay::api
