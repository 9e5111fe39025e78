// ApiClient: the server's API for the subcommands: JSON in and out, problem documents as errors.
//
//   ApiClient api = TRY(ApiClient::Open(TRY(ChooseConnection(options))));
//   std::string id = TRY(api.ResolveSandbox("web"));
//   json::object sandbox = TRY(api.Get(SandboxPath(id)));
//
// An error is the server's problem document (its code, detail and remedy), or says that there is no
// server and how to start one. Streams have connections of their own, so they may be open while
// other calls are made. One thread.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/client/contexts.h"
#include "http/client/client.h"

namespace cay::cli {

// Of an answer that is held as a whole.
inline constexpr size_t kMaxAnswerBytes = 64 << 20;

// The error that a response of 400 and more stands for. Pure.
Error ProblemError(int status, std::string_view body);
// Where no response says the status: the document itself, as it came and as it was read.
Error ProblemError(const boost::json::object& problem, std::string_view document);

class ApiClient {
 public:
  static Result<ApiClient> Open(Connection connection);

  const Connection& connection() const { return connection_; }

  Result<boost::json::object> Get(const std::string& target);
  // `body` null: none. The answer's object; empty where there is none (204).
  Result<boost::json::object> Call(std::string_view method, const std::string& target,
                                   const boost::json::value& body = nullptr);
  // Any request, streamed, on this client's connection. Statuses of 400 and more are errors.
  Result<std::unique_ptr<http::ClientResponse>> Send(http::ClientRequest request);
  // The same on a connection of its own, which ends with the response.
  Result<std::unique_ptr<http::ClientResponse>> OpenStream(http::ClientRequest request) const;
  // text/event-stream, from after `last_id` on.
  Result<std::unique_ptr<http::ClientResponse>> OpenEvents(const std::string& target,
                                                           const std::string& last_id) const;
  Result<std::unique_ptr<http::WebSocket>> OpenWebSocket(const std::string& target);

  // The id of the sandbox that was typed: as an id, a name of the key's owner, for an administrator
  // OWNER/NAME, or the beginning of one id. kNotFound in the server's words; kInvalidArgument when
  // several ids begin so.
  Result<std::string> ResolveSandbox(const std::string& typed);
  // All of them, page by page, with `target` a path and perhaps a query.
  Result<boost::json::array> ListSandboxes(const std::string& target = "/api/sandboxes");

  // Whether anything was sent, or tried to be.
  bool asked() const { return asked_; }
  // Whether the last request was answered, even with a refusal: false when the server was not
  // there, or went away meanwhile.
  bool answered() const { return answered_; }

 private:
  ApiClient(Connection connection, http::Url url)
      : connection_(std::move(connection)), url_(std::move(url)) {}
  Result<std::unique_ptr<http::ClientResponse>> SendOver(http::Client& client,
                                                         http::ClientRequest request) const;
  Error Explain(Error error) const;
  Error ExplainRefusal(Error error) const;
  Result<http::Client*> Connected();

  Connection connection_;
  http::Url url_;
  mutable bool asked_ = false;
  mutable bool answered_ = false;
  std::unique_ptr<http::Client> client_;
};

// A shorter beginning would match by accident, above all when a name was mistyped.
inline constexpr size_t kMinIdBeginning = 4;
bool MayBeginAnId(std::string_view typed);
// The id that begins so; empty when none does, kInvalidArgument when several do. Pure.
Result<std::string> MatchBeginning(const boost::json::array& sandboxes, std::string_view typed);

}  // namespace cay::cli
