#include "engine_fixture.h"

#include <poll.h>

#include <algorithm>
#include <variant>

namespace cay::engine {
namespace {

constexpr int kPatienceMs = 10'000;

protocol::StartRequest RequestFor(std::vector<std::string> argv) {
  protocol::StartRequest request;
  request.argv = std::move(argv);
  request.env = {"PATH=/usr/bin:/bin"};
  return request;
}

}  // namespace

bool BecomesReadable(const Fd& fd) {
  pollfd poller{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&poller, 1, kPatienceMs) == 1;
}

bool IsReadable(const Fd& fd) {
  pollfd poller{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&poller, 1, 0) == 1;
}

void EngineConformance::SetUp() {
  world_ = GetParam().make();
  if (const std::string why = world_->WhyNot(); !why.empty()) GTEST_SKIP() << why;
  engine_ = world_->Start();
}

void EngineConformance::TearDown() {
  if (!engine_) return;
  const auto list = engine_->List();
  ASSERT_TRUE(list);
  for (const SandboxStatus& status : *list) EXPECT_TRUE(engine_->Destroy(status.id));
}

void EngineConformance::Restart() {
  engine_.reset();
  engine_ = world_->Start();
}

SandboxId EngineConformance::Create(Lifetime lifetime) {
  const CreateRequest request = Request(lifetime);
  const auto created = engine_->Create(request);
  if (!created) {
    ADD_FAILURE() << created.error().ToString();
    std::abort();
  }
  return request.id;
}

std::optional<SandboxStatus> EngineConformance::StatusOf(const SandboxId& id) {
  const auto list = engine_->List();
  if (!list) return std::nullopt;
  const auto found = std::ranges::find(*list, id, &SandboxStatus::id);
  if (found == list->end()) return std::nullopt;
  return *found;
}

EngineConformance::Ran EngineConformance::Run(const SandboxId& id, std::vector<std::string> argv) {
  Ran ran;
  auto stream = GuestOf(id).Start(RequestFor(std::move(argv)));
  while (stream && !stream->finished()) {
    pollfd poller{.fd = stream->fd(), .events = stream->poll_events(), .revents = 0};
    if (::poll(&poller, 1, kPatienceMs) != 1) break;
    while (true) {
      const auto event = stream->Next();
      if (!event || !*event) break;
      if (const auto* output = std::get_if<ProcessOutput>(&**event)) ran.out += output->bytes;
      if (const auto* exited = std::get_if<protocol::Exited>(&**event)) ran.exited = *exited;
    }
  }
  return ran;
}

uint64_t EngineConformance::Begin(const SandboxId& id, std::vector<std::string> argv) {
  auto stream = GuestOf(id).Start(RequestFor(std::move(argv)));
  while (stream && !stream->finished()) {
    pollfd poller{.fd = stream->fd(), .events = stream->poll_events(), .revents = 0};
    if (::poll(&poller, 1, kPatienceMs) != 1) break;
    const auto event = stream->Next();
    if (!event) break;
    if (!*event) continue;
    if (const auto* started = std::get_if<protocol::Started>(&**event)) return started->process;
  }
  ADD_FAILURE() << "it did not start";
  return 0;
}

bool EngineConformance::Runs(const SandboxId& id, uint64_t process) {
  const auto list = GuestOf(id).ListProcesses();
  if (!list) return false;
  const auto found = std::ranges::find(*list, process, &protocol::ProcessInfo::process);
  return found != list->end() && !found->exited;
}

Result<void> EngineConformance::Write(const SandboxId& id, std::string_view path,
                                      std::string_view text) {
  protocol::WriteFileRequest request;
  request.path = path;
  TRY(GuestOf(id).WriteFile(request, TextSource(text)));
  return {};
}

Result<std::string> EngineConformance::Read(const SandboxId& id, std::string_view path) {
  protocol::ReadFileRequest request;
  request.path = path;
  std::string text;
  TRY(GuestOf(id).ReadFile(request, [&](std::string_view bytes) -> Result<void> {
    text += bytes;
    return {};
  }));
  return text;
}

void EngineConformance::KillGuest(const SandboxId& id) {
  const auto guest = engine_->Watch(id);
  ASSERT_TRUE(guest) << guest.error().ToString();
  world_->KillGuest(*engine_, id, *guest);
  ASSERT_TRUE(BecomesReadable(*guest));
}

}  // namespace cay::engine
