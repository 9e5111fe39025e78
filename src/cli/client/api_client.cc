#include "cli/client/api_client.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/id.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxProblemBytes = 64 << 10;
// A bound for a server that hands out cursors without end.
constexpr int kMaxPages = 10'000;

// A response and the connection that it has for itself.
class OwnedResponse final : public http::ClientResponse {
 public:
  OwnedResponse(std::unique_ptr<http::Client> client,
                std::unique_ptr<http::ClientResponse> response)
      : client_(std::move(client)), response_(std::move(response)) {}
  int status() const override { return response_->status(); }
  const http::Headers& headers() const override { return response_->headers(); }
  Result<size_t> Read(std::span<char> space) override { return response_->Read(space); }
  Result<std::optional<size_t>> TryRead(std::span<char> space) override {
    return response_->TryRead(space);
  }
  int fd() const override { return response_->fd(); }

 private:
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<http::ClientResponse> response_;  // ends before its client
};

ErrorCode CodeOfStatus(int status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::kPermissionDenied;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kIllegalState;
    case 413:
      return ErrorCode::kLimitTooHigh;
    case 429:
      return ErrorCode::kResourceExhausted;
    case 502:
    case 503:
    case 504:
      return ErrorCode::kUnavailable;
    default:
      return status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kInternal;
  }
}

// In its parts; of an older server, in the API's words.
Remedy RemedyOf(const json::object& problem) {
  Remedy remedy;
  for (const json::value& entry : ArrayOf(problem, "remedy_parts")) {
    if (!entry.is_object()) continue;
    const json::object& part = entry.get_object();
    const auto action = ActionFromName(TextOf(part, "action"));
    remedy = remedy + (action ? Remedy(*action, TextOf(part, "of"))
                              : Remedy(TextOf(part, "text") + TextOf(part, "of")));
  }
  return remedy.empty() ? Remedy(TextOf(problem, "remedy")) : remedy;
}

}  // namespace

Error ProblemError(int status, std::string_view body) {
  const json::object problem = ParseJsonObject(body).value_or(json::object());
  const std::string code = TextOf(problem, "code");
  std::string detail = TextOf(problem, "detail");
  if (detail.empty()) {
    detail = "the server answered " + std::to_string(status) + " " +
             std::string(http::ReasonPhrase(status));
  }
  const Fault fault = status < 500 ? Fault::kCaller : Fault::kMachine;
  const ErrorCode known = ErrorCodeFromName(code);
  const bool named = !code.empty() && ErrorCodeName(known) == code;
  for (const json::value& entry : ArrayOf(problem, "errors")) {
    if (!entry.is_object()) continue;
    const std::string field = TextOf(entry.get_object(), "field");
    if (field.empty() || detail.contains(field)) continue;
    detail += "; " + field + ": " + TextOf(entry.get_object(), "detail");
  }
  Remedy remedy = RemedyOf(problem);
  if (const auto seconds = NumberOf(problem, "retry_after"); seconds && remedy.empty()) {
    remedy = "try again in " + std::to_string(*seconds) + "s";
  }
  if (status == 401) {
    const std::string_view how = "give a key with --api-key-file, CAY_API_KEY or cay context add";
    remedy = remedy.empty() ? Remedy(how) : std::string(how) + "; " + remedy;
  }
  return Error(named ? known : CodeOfStatus(status), fault, std::move(detail))
      .WithRemedy(std::move(remedy));
}

Error ProblemError(const json::object& problem, std::string_view document) {
  return ProblemError(static_cast<int>(NumberOf(problem, "status").value_or(500)), document);
}

Result<ApiClient> ApiClient::Open(Connection connection) {
  Result<http::Url> url = http::Url::Parse(connection.url);
  if (!url) return Failure(std::move(url).error().WithContext(connection.origin));
  return ApiClient(std::move(connection), *std::move(url));
}

Error ApiClient::Explain(Error error) const {
  const int number = error.sys_errno();
  const bool nobody = number == ECONNREFUSED || number == ENOENT || number == EHOSTUNREACH ||
                      number == ENETUNREACH || number == ETIMEDOUT;
  if (error.code() != ErrorCode::kUnavailable || !nobody) {
    return std::move(error).WithContext(connection_.url);
  }
  std::string why = number == ECONNREFUSED ? "connection refused" : std::strerror(number);
  const bool local = connection_.url == kDefaultUrl;
  Error explained = Error(ErrorCode::kUnavailable, Fault::kMachine,
                          "no server at " + connection_.url + ": " + why)
                        .WithRemedy(local ? "start one with: cay serve"
                                          : "named by " + connection_.origin +
                                                "; start one there with: cay serve");
  explained.set_sys_errno(number);
  return explained;
}

// A server that answers a handshake with a problem document: the document is in the error's
// message.
Error ApiClient::ExplainRefusal(Error error) const {
  const size_t begin = error.message().find('{');
  if (begin == std::string::npos) return Explain(std::move(error));
  const std::string document = error.message().substr(begin);
  const json::object problem = ParseJsonObject(document).value_or(json::object());
  if (!problem.contains("status")) return Explain(std::move(error));
  return ProblemError(problem, document);
}

Result<http::Client*> ApiClient::Connected() {
  asked_ = true;
  answered_ = false;
  if (!client_) {
    auto opened = http::Client::Open(url_);
    if (!opened) return Failure(Explain(std::move(opened).error()));
    client_ = *std::move(opened);
  }
  return client_.get();
}

Result<std::unique_ptr<http::ClientResponse>> ApiClient::SendOver(
    http::Client& client, http::ClientRequest request) const {
  if (!connection_.api_key.empty()) {
    request.headers.Set("Authorization", "Bearer " + connection_.api_key);
  }
  auto sent = client.Send(std::move(request));
  answered_ = sent.has_value();
  if (!sent) return Failure(Explain(std::move(sent).error()));
  std::unique_ptr<http::ClientResponse> response = *std::move(sent);
  if (response->status() < 400) return response;
  // A problem whose body is cut short is told by its status alone.
  const std::string body = response->ReadAll(kMaxProblemBytes).value_or("");
  return Failure(ProblemError(response->status(), body));
}

Result<std::unique_ptr<http::ClientResponse>> ApiClient::Send(http::ClientRequest request) {
  return SendOver(*TRY(Connected()), std::move(request));
}

Result<std::unique_ptr<http::ClientResponse>> ApiClient::OpenStream(
    http::ClientRequest request) const {
  asked_ = true;
  answered_ = false;
  auto opened = http::Client::Open(url_);
  if (!opened) return Failure(Explain(std::move(opened).error()));
  auto response = TRY(SendOver(**opened, std::move(request)));
  return std::make_unique<OwnedResponse>(*std::move(opened), std::move(response));
}

Result<std::unique_ptr<http::ClientResponse>> ApiClient::OpenEvents(
    const std::string& target, const std::string& last_id) const {
  http::ClientRequest request;
  request.target = target;
  request.headers.Add("Accept", "text/event-stream");
  if (!last_id.empty()) request.headers.Add("Last-Event-ID", last_id);
  return OpenStream(std::move(request));
}

Result<std::unique_ptr<http::WebSocket>> ApiClient::OpenWebSocket(const std::string& target) {
  http::Headers headers;
  if (!connection_.api_key.empty()) {
    headers.Add("Authorization", "Bearer " + connection_.api_key);
  }
  http::Client* client = TRY(Connected());
  auto opened = client->OpenWebSocket(target, headers);
  if (!opened) return Failure(ExplainRefusal(std::move(opened).error()));
  return opened;
}

Result<json::object> ApiClient::Call(std::string_view method, const std::string& target,
                                     const json::value& body) {
  http::ClientRequest request;
  request.method = method;
  request.target = target;
  if (!body.is_null()) {
    request.headers.Add("Content-Type", "application/json");
    request.body = TRY(JsonBody(body));
  }
  auto response = TRY(Send(std::move(request)));
  Result<std::string> text = response->ReadAll(kMaxAnswerBytes);
  answered_ = text.has_value();
  if (!text) return Failure(std::move(text).error());
  if (text->empty()) return json::object();
  return ParseJsonObject(*text);
}

Result<json::object> ApiClient::Get(const std::string& target) { return Call("GET", target); }

Result<json::array> ApiClient::ListSandboxes(const std::string& target) {
  json::array all;
  std::string next = target;
  for (int page = 0; page < kMaxPages; ++page) {
    const json::object answer = TRY(Get(next));
    for (const json::value& sandbox : ArrayOf(answer, "sandboxes")) {
      if (sandbox.is_object()) all.push_back(sandbox);
    }
    const std::string cursor = TextOf(answer, "next_cursor");
    if (cursor.empty()) return all;
    next = target + (target.contains('?') ? "&" : "?") + "cursor=" + EncodeComponent(cursor);
  }
  return Failure(
      Error(ErrorCode::kProtocol, Fault::kMachine, "the server's list of sandboxes does not end"));
}

Result<std::string> ApiClient::ResolveSandbox(const std::string& typed) {
  if (SandboxId::Parse(typed)) return typed;
  // No names, and paths of something else.
  if (typed.empty() || typed == "." || typed == "..") {
    return Failure(Error::Invalid("\"" + typed + "\" is not a sandbox's name"));
  }
  // The server knows whose names are meant, and what was destroyed.
  Result<json::object> named = Get(SandboxPath(typed));
  if (named && !TextOf(*named, "id").empty()) return TextOf(*named, "id");
  if (!named && named.error().code() != ErrorCode::kNotFound) {
    return Failure(std::move(named).error());
  }
  if (MayBeginAnId(typed)) {
    std::string id = TRY(MatchBeginning(TRY(ListSandboxes()), typed));
    if (!id.empty()) return id;
  }
  if (!named) return Failure(std::move(named).error());
  return Failure(
      Error(ErrorCode::kProtocol, Fault::kMachine, "the server's answer has no sandbox in it"));
}

bool MayBeginAnId(std::string_view typed) {
  return typed.size() >= kMinIdBeginning && typed.size() < SandboxId::kLength &&
         std::ranges::all_of(
             typed, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

Result<std::string> MatchBeginning(const json::array& sandboxes, std::string_view typed) {
  std::vector<std::string> begun;
  for (const json::value& entry : sandboxes) {
    std::string id = TextOf(entry.get_object(), "id");
    if (id.starts_with(typed)) begun.push_back(std::move(id));
  }
  if (begun.empty()) return std::string();
  if (begun.size() == 1) return begun.front();
  return Failure(Error::Invalid("\"" + std::string(typed) + "\" begins the ids of " +
                                std::to_string(begun.size()) + " sandboxes")
                     .WithRemedy("type more of the id, such as " + begun.front()));
}

}  // namespace cay::cli
