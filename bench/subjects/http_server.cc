#include "subjects/http_server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "subjects/process.h"

namespace cay::bench {
namespace {

constexpr int kReadyTries = 6000;
constexpr size_t kBufferBytes = 256 * 1024;

Result<Bytes> ResidentOf(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (status >> word) {
    Bytes kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib * kKiB;
  }
  return Failure(Error(ErrorCode::kNotFound, Fault::kMachine, "no VmRSS of the server"));
}

// Null without it.
boost::json::value MemberOf(const std::string& answer, std::string_view key) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(answer, error);
  if (error || !value.is_object()) return nullptr;
  const boost::json::value* member = value.as_object().if_contains(key);
  return member == nullptr ? nullptr : *member;
}

Error Missing(const std::string& answer, std::string_view key) {
  return {ErrorCode::kProtocol, Fault::kMachine, "no " + std::string(key) + " in: " + answer};
}

}  // namespace

Result<uint16_t> FreePort() {
  const int raw = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return Failure(Error::FromErrno("socket"));
  const Fd probe = Fd::Adopt(raw);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(raw, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(raw, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Failure(Error::FromErrno("bind"));
  }
  return ntohs(address.sin_port);
}

Result<std::string> TextOf(const std::string& answer, std::string_view key) {
  const boost::json::value member = MemberOf(answer, key);
  if (member.is_string()) return std::string(member.get_string());
  return Failure(Missing(answer, key));
}

Result<double> NumberOf(const std::string& answer, std::string_view key) {
  boost::system::error_code error;
  const double number = MemberOf(answer, key).to_number<double>(error);
  if (!error) return number;
  return Failure(Missing(answer, key));
}

Result<HttpServer> HttpServer::Start(const std::string& cay, const std::string& state_dir,
                                     const std::vector<std::string>& options) {
  TRY(MakeDirectories(state_dir, 0711));
  const std::string address = "127.0.0.1:" + std::to_string(TRY(FreePort()));
  const std::string log = state_dir + "/server.log";
  std::vector<std::string> argv{cay, "serve", "--listen", address, "--state-dir", state_dir};
  argv.insert(argv.end(), options.begin(), options.end());
  HttpServer server(TRY(StartLogged(argv, log)), TRY(http::Url::Parse("http://" + address)));
  TRY(server.AwaitReady(log));
  return server;
}

Result<void> HttpServer::AwaitReady(const std::string& log) const {
  for (int i = 0; i < kReadyTries; ++i) {
    auto caller = HttpCaller::Open(url_);
    if (caller && caller->Call("GET", "/ready", "", 200)) return {};
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) break;
    std::this_thread::sleep_for(Millis(5));
  }
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the server is not ready: " + ReadFile(log).value_or("it said nothing")));
}

Result<void> HttpServer::AwaitPool(HttpCaller& caller, int ready) const {
  static constexpr std::string_view kMetric = "\ncay_pool_ready{";
  for (int i = 0; i < kReadyTries; ++i) {
    const std::string metrics = TRY(caller.Call("GET", "/metrics", "", 200));
    const size_t at = metrics.find("} ", metrics.find(kMetric));
    if (at != std::string::npos && std::atoi(metrics.c_str() + at + 2) >= ready) return {};
    std::this_thread::sleep_for(Millis(5));
  }
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the pool does not fill"));
}

HttpServer::HttpServer(HttpServer&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), url_(std::move(other.url_)) {}

// What a measurement that failed has left: sandboxes outlive their server.
void HttpServer::DestroyAll() const {
  auto caller = HttpCaller::Open(url_);
  while (caller) {
    const auto answer = caller->Call("GET", "/api/sandboxes", "", 200);
    const boost::json::value list = answer ? MemberOf(*answer, "sandboxes") : nullptr;
    if (!list.is_array() || list.get_array().empty()) return;
    for (const boost::json::value& one : list.get_array()) {
      const auto id = TextOf(boost::json::serialize(one), "id");
      if (!id || !caller->DestroySandbox(*id)) return;
    }
  }
}

HttpServer::~HttpServer() {
  if (pid_ < 0) return;
  DestroyAll();
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

void HttpServer::Kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Result<Bytes> HttpServer::Memory() const {
  Bytes total = TRY(ResidentOf(pid_));
  std::ifstream children("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) +
                         "/children");
  for (pid_t child = 0; children >> child;) total += ResidentOf(child).value_or(0);
  return total;
}

Result<HttpCaller> HttpCaller::Open(const http::Url& url) {
  return HttpCaller(TRY(http::Client::Open(url)));
}

Result<std::unique_ptr<http::ClientResponse>> HttpCaller::Send(http::ClientRequest request,
                                                               int status) {
  const std::string what = request.method + " " + request.target;
  auto response = TRY(client_->Send(std::move(request)));
  if (response->status() == status) return response;
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       what + ": " + std::to_string(response->status()) + " " +
                           response->ReadAll(4096).value_or("")));
}

Result<std::string> HttpCaller::Call(std::string_view method, const std::string& target,
                                     const std::string& body, int status) {
  http::ClientRequest request;
  request.method = method;
  request.target = target;
  if (!body.empty()) request.headers.Add("Content-Type", "application/json");
  request.body = body;
  return TRY(Send(std::move(request), status))->ReadAll(16 * kMiB);
}

Result<HttpCaller::Drained> HttpCaller::Drain(http::ClientRequest request) {
  const auto response = TRY(Send(std::move(request), 200));
  std::string buffer(kBufferBytes, '\0');
  Drained drained;
  while (const size_t got = TRY(response->Read(buffer))) {
    drained.bytes += got;
    const std::string_view last =
        std::string_view(buffer).substr(got - std::min(got, kTailBytes), std::min(got, kTailBytes));
    drained.tail += last;
    if (drained.tail.size() > kTailBytes) drained.tail.erase(0, drained.tail.size() - kTailBytes);
  }
  return drained;
}

Result<void> HttpCaller::Upload(const std::string& target, Bytes size) {
  http::ClientRequest request;
  request.method = "PUT";
  request.target = target;
  request.source_length = size;
  request.source = [left = size](std::span<char> space) mutable -> Result<size_t> {
    const size_t count = static_cast<size_t>(std::min<Bytes>(left, space.size()));
    std::fill_n(space.begin(), count, '\0');
    left -= count;
    return count;
  };
  const auto response = TRY(client_->Send(std::move(request)));
  TRY(response->ReadAll(kMiB));
  if (response->status() / 100 == 2) return {};
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       "upload: status " + std::to_string(response->status())));
}

Result<std::string> HttpCaller::CreateSandbox(const std::string& body) {
  return TextOf(TRY(Call("POST", "/api/sandboxes", body, 201)), "id");
}

Result<void> HttpCaller::DestroySandbox(const std::string& id) {
  TRY(Call("DELETE", "/api/sandboxes/" + id, "", 204));
  return {};
}

}  // namespace cay::bench
