#include "api_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <filesystem>
#include <iterator>
#include <optional>

#include "api/legacy/legacy_routes.h"
#include "api/problem.h"
#include "api/rest/routes.h"
#include "base/encoding.h"
#include "base/text.h"
#include "engine/native/launcher/inventory.h"
#include "engine/native/native_engine.h"
#include "http/server/router.h"
#include "http/server/server.h"
#include "sandbox/builds/build_keeper.h"
#include "sandbox/events/event_log.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/processes/process_keeper.h"
#include "sandbox/projects/project_files.h"
#include "sandbox/templates/push_keeper.h"
#include "store/store.h"
#include "template/store/template_store.h"

namespace cay::testing {
namespace {

constexpr const char* kOwnerField = "X-Test-Owner";
constexpr size_t kMaxBody = 64 * kMiB;

// Everything, in the order in which it is made.
struct Program {
  std::string directory;
  Paths paths;
  std::unique_ptr<engine::Engine> engine;
  std::optional<templates::TemplateStore> templates;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<sandbox::EventLog> events;
  std::unique_ptr<sandbox::PullKeeper> pulls;
  std::unique_ptr<sandbox::PushKeeper> pushes;
  std::unique_ptr<sandbox::Manager> manager;
  std::unique_ptr<sandbox::BuildKeeper> builds;
  std::unique_ptr<sandbox::ProcessKeeper> processes;
  std::unique_ptr<sandbox::ProjectFiles> projects;
  std::vector<api::Route> routes;
  http::Router router;
  std::unique_ptr<http::Server> server;
  http::Url url;

  Result<void> Open();
  Result<void> OpenServices();
  void Dispatch(http::Exchange& exchange);
  ~Program();
};

Result<void> Program::OpenServices() {
  engine = TRY(engine::native::NativeEngine::Start(
      {.paths = paths, .launcher_path = CAY_PROGRAM_PATH, .netns_pool = 2}));
  templates.emplace(TRY(templates::TemplateStore::Open(
      paths, [this] { return engine::native::ListStatuses(paths); })));
  store = TRY(store::Store::Open(paths));
  events = TRY(sandbox::EventLog::Open(*store));
  pulls = TRY(sandbox::PullKeeper::Open({}, *templates, *store, *events));
  pushes = TRY(sandbox::PushKeeper::Open({}, *templates, *store, *events));
  sandbox::ManagerOptions options;
  options.paths = paths;
  options.max_limits.memory = 2 * kGiB;
  options.max_limits.cpus = 2000;
  options.max_limits.disk = 2 * kGiB;
  manager = TRY(sandbox::Manager::Open(options, *engine, *templates, *store, *events));
  builds = TRY(
      sandbox::BuildKeeper::Open({.policy = sandbox::BuildPolicy::kAll}, {.engine = *engine,
                                                                          .templates = *templates,
                                                                          .manager = *manager,
                                                                          .pulls = *pulls,
                                                                          .store = *store,
                                                                          .events = *events}));
  processes = TRY(sandbox::ProcessKeeper::Open({}, *manager, *store, *events));
  projects = TRY(sandbox::ProjectFiles::Open(paths, {}, *store, *events));
  api::ServerFacts facts;
  facts.version = "test";
  facts.state_dir = paths.state_dir;
  facts.engine = "native";
  const api::Services services{*manager, *processes, *projects, *events,         *templates,
                               *pulls,   *builds,    *pushes,   std::move(facts)};
  routes = api::rest::RestRoutes(services);
  std::ranges::move(api::rest::LegacyRoutes(services), std::back_inserter(routes));
  return {};
}

Result<void> Program::Open() {
  directory = ::testing::TempDir() + "cay-api-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return Failure(Error::FromErrno("mkdtemp"));
  paths = TRY(Paths::Resolve(directory));
  TRY(OpenServices());
  for (const api::Route& route : routes) {
    router.Add(route.method, route.pattern, [this, &route](http::Exchange& exchange) {
      const auto owner = exchange.request().headers.Find(kOwnerField);
      const sandbox::Caller caller =
          owner ? sandbox::Caller{std::string(*owner), false} : sandbox::Caller{"local", true};
      const auto done = route.operation(exchange, caller);
      if (!done && !exchange.started()) {
        (void)exchange.Respond(api::ProblemResponse(done.error(), exchange.request().id));
      }
    });
  }
  http::ServerOptions options;
  options.listen = {TRY(http::ListenAddress::Parse("127.0.0.1:0"))};
  server = TRY(http::Server::Start(options, [this](http::Exchange& e) { Dispatch(e); }));
  url = TRY(http::Url::Parse("http://" + server->addresses().front().ToString()));
  return {};
}

void Program::Dispatch(http::Exchange& exchange) {
  auto match = router.Find(exchange.request().method, exchange.request().path);
  if (match.handler == nullptr) {
    const Error error(ErrorCode::kNotFound, Fault::kCaller, "there is nothing here");
    (void)exchange.Respond(
        api::ProblemResponse(error, {.request_id = exchange.request().id, .status = match.status}));
    return;
  }
  exchange.request().captures = std::move(match.captures);
  (*match.handler)(exchange);
}

Program::~Program() {
  if (events) events->Close();
  server.reset();
  if (manager) {
    sandbox::ListFilter all;
    all.limit = 1000;
    const auto page = manager->List({"local", true}, all);
    for (const auto& view : page ? page->sandboxes : std::vector<sandbox::SandboxView>()) {
      (void)manager->Destroy({"local", true}, view.id.text(), "the test ends");
    }
  }
  builds.reset();
  projects.reset();
  processes.reset();
  manager.reset();
  events.reset();
  store.reset();
  engine.reset();
  if (!directory.empty()) std::filesystem::remove_all(directory);
}

std::unique_ptr<Program>& TheProgram() {
  static std::unique_ptr<Program> program;
  return program;
}

// Ends it before static objects do.
class ProgramEnvironment : public ::testing::Environment {
 public:
  void TearDown() override { TheProgram().reset(); }
};
const auto* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new ProgramEnvironment);  // gtest owns it

}  // namespace

const boost::json::value& Reply::json() const {
  if (!parsed_) {
    boost::system::error_code error;
    parsed_ = boost::json::parse(body, error);
    EXPECT_FALSE(error) << "no JSON: " << body.substr(0, 500);
    if (error) parsed_ = boost::json::value();
  }
  return *parsed_;
}

std::string Reply::Text(std::string_view name) const {
  const auto* object = json().if_object();
  const auto* member = object == nullptr ? nullptr : object->if_contains(name);
  if (member == nullptr || !member->is_string()) {
    ADD_FAILURE() << "no text \"" << name << "\" in " << body.substr(0, 500);
    return {};
  }
  return std::string(member->as_string());
}

int64_t Reply::Number(std::string_view name) const {
  const auto* object = json().if_object();
  const auto* member = object == nullptr ? nullptr : object->if_contains(name);
  boost::system::error_code error;
  if (member != nullptr) {
    const auto number = member->to_number<int64_t>(error);
    if (!error) return number;
  }
  ADD_FAILURE() << "no number \"" << name << "\" in " << body.substr(0, 500);
  return -1;
}

std::string Reply::Header(std::string_view name) const {
  return std::string(headers.Find(name).value_or(""));
}

std::vector<SseEvent> ParseSse(std::string_view text) {
  std::vector<SseEvent> events;
  SseEvent event;
  for (const std::string_view line : Split(text, '\n')) {
    if (line.starts_with("event: ")) event.type = line.substr(7);
    if (line.starts_with("id: ")) event.id = line.substr(4);
    if (line.starts_with("data: ")) event.data = line.substr(6);
    if (line.empty() && !event.type.empty()) events.push_back(std::exchange(event, {}));
  }
  return events;
}

std::string Joined(const std::vector<SseEvent>& events, std::string_view type) {
  std::string all;
  for (const SseEvent& event : events) {
    if (event.type != type) continue;
    const auto value = boost::json::parse(event.data);
    const auto& data = value.as_object();
    if (const auto* text = data.if_contains("text")) {
      all += std::string_view(text->as_string());
    } else {
      all += DecodeBase64(std::string_view(data.at("base64").as_string())).value_or("not base64");
    }
  }
  return all;
}

void ApiFixture::SetUpTestSuite() {
  if (::geteuid() != 0 || TheProgram()) return;
  auto program = std::make_unique<Program>();
  const auto opened = program->Open();
  ASSERT_TRUE(opened) << opened.error().ToString();
  TheProgram() = std::move(program);
}

void ApiFixture::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_TRUE(TheProgram());
}

void ApiFixture::TearDown() {
  for (const std::string& id : made_) Call("DELETE", "/api/sandboxes/" + id);
}

const http::Url& ApiFixture::url() { return TheProgram()->url; }
const std::vector<api::Route>& ApiFixture::routes() { return TheProgram()->routes; }

Reply CallAt(const http::Url& url, http::ClientRequest request, const std::string& ca_file) {
  Reply reply;
  const std::string what = request.method + " " + request.target;
  auto client = http::Client::Open(url, Millis(10'000), ca_file);
  if (!client) {
    ADD_FAILURE() << client.error().ToString();
    return reply;
  }
  auto response = (*client)->Send(std::move(request));
  if (!response) {
    ADD_FAILURE() << what << ": " << response.error().ToString();
    return reply;
  }
  reply.status = (*response)->status();
  reply.headers = (*response)->headers();
  auto text = (*response)->ReadAll(kMaxBody);
  if (!text) ADD_FAILURE() << what << ": " << text.error().ToString();
  reply.body = text.value_or("");
  return reply;
}

Reply ApiFixture::Call(const std::string& method, const std::string& target,
                       const std::string& body, const http::Headers& headers) {
  return CallAt(url(), {.method = method, .target = target, .headers = headers, .body = body});
}

Reply ApiFixture::CallAs(const std::string& owner, const std::string& method,
                         const std::string& target, const std::string& body) {
  return Call(method, target, body, {{kOwnerField, owner}});
}

void ApiFixture::KillGuest(const std::string& id) {
  const auto lease = TheProgram()->manager->Use({"local", true}, id);
  ASSERT_TRUE(lease) << lease.error().ToString();
  const auto guest = lease->Watch();
  ASSERT_TRUE(guest) << guest.error().ToString();
  ASSERT_EQ(::syscall(SYS_pidfd_send_signal, guest->get(), SIGKILL, nullptr, 0), 0);
}

std::string ApiFixture::Create(const std::string& body) {
  const Reply reply = Post("/api/sandboxes", body);
  EXPECT_EQ(reply.status, 201) << reply.body;
  if (reply.status != 201) return {};
  made_.push_back(reply.Text("id"));
  return made_.back();
}

std::string ApiFixture::ExpectProblem(const Reply& reply, int status, std::string_view code) {
  EXPECT_EQ(reply.status, status) << reply.body;
  EXPECT_EQ(reply.Header("Content-Type"), "application/problem+json");
  EXPECT_EQ(reply.Number("status"), status);
  EXPECT_EQ(reply.Text("code"), code) << reply.body;
  return reply.Text("detail");
}

}  // namespace cay::testing
