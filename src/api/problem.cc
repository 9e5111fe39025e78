#include "api/problem.h"

#include "api/remedy_words.h"
#include "json/json_writer.h"

namespace cay::api {
namespace {

// Not from a system call here: marks what the code alone does not tell.
constexpr int kBodyMark = EMSGSIZE;
constexpr int kRangeMark = ERANGE;
constexpr int kTypeMark = EMEDIUMTYPE;  // sandbox/projects/project_files.h sets it, and kBodyMark

bool IsFullDisk(const Error& error) {
  return error.sys_errno() == ENOSPC || error.sys_errno() == EDQUOT;
}

int StatusOfCallersFault(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
      if (error.sys_errno() == 0) return 400;
      return error.sys_errno() == kRangeMark ? 416 : 422;  // Error::Impossible
    case ErrorCode::kPermissionDenied:
      return 403;
    case ErrorCode::kNotSupported:
      return error.sys_errno() == kTypeMark ? 415 : 422;
    case ErrorCode::kIo:  // a file that is of the wrong kind …
      return 422;
    case ErrorCode::kResourceExhausted:  // its disk; its quota
      return IsFullDisk(error) ? 507 : 429;
    case ErrorCode::kTimeout:
      return 408;
    case ErrorCode::kProtocol:
      return 400;
    case ErrorCode::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

int StatusOfMachinesFault(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotSupported:
      return 501;
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kTimeout:
      return 504;
    case ErrorCode::kProtocol:
      return 502;
    default:
      return 500;
  }
}

}  // namespace

int StatusOf(const Error& error) {
  switch (error.code()) {  // these mean one thing, whoever is to blame
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kIllegalState:
      return 409;
    case ErrorCode::kLimitTooHigh:
      return error.sys_errno() == kBodyMark ? 413 : 422;
    case ErrorCode::kNotExecutable:
    case ErrorCode::kCommandNotFound:
    case ErrorCode::kNotEnforceable:
      return 422;
    case ErrorCode::kInternal:
      return 500;
    default:
      return error.fault() == Fault::kCaller ? StatusOfCallersFault(error)
                                             : StatusOfMachinesFault(error.code());
  }
}

namespace {

// Of a quota that is used up nothing comes back by waiting.
std::optional<uint32_t> RetryAfterOf(int status, const Error& error,
                                     const ProblemOptions& options) {
  if (options.retry_after) return options.retry_after;
  const bool passes = status == 503 || (status == 429 && error.sys_errno() == EAGAIN);
  return passes ? std::optional(kDefaultRetryAfter) : std::nullopt;
}

// In words, and with its actions for who has other words for them.
void WriteRemedy(JsonWriter& json, const Remedy& remedy) {
  if (remedy.empty()) return;
  json.Member("remedy", remedy.InWords(RequestFor));
  if (remedy.parts().size() == 1 && remedy.parts().front().action == Action::kNone) return;
  json.Key("remedy_parts").BeginArray();
  for (const Remedy::Part& part : remedy.parts()) {
    json.BeginObject();
    if (part.action == Action::kNone) {
      json.Member("text", part.text);
    } else {
      json.Member("action", ActionName(part.action)).Member("of", part.text);
    }
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string ProblemJson(const Error& error, const ProblemOptions& options) {
  const int status = options.status.value_or(StatusOf(error));
  JsonWriter json;
  json.BeginObject();
  json.Member("type", "about:blank");
  json.Member("title", http::ReasonPhrase(status));
  json.Member("status", status);
  json.Member("detail", error.message());
  json.Member("code", ErrorCodeName(error.code()));
  json.Member("fault", error.fault() == Fault::kCaller ? "caller" : "machine");
  WriteRemedy(json, error.remedy());
  if (!options.request_id.empty()) json.Member("request_id", options.request_id);
  if (const auto seconds = RetryAfterOf(status, error, options))
    json.Member("retry_after", *seconds);
  json.EndObject();
  return std::move(json).Take();
}

http::Response ProblemResponse(const Error& error, const ProblemOptions& options) {
  http::Response response;
  response.status = options.status.value_or(StatusOf(error));
  response.headers.Add("Content-Type", std::string(kProblemType));
  if (const auto seconds = RetryAfterOf(response.status, error, options)) {
    response.headers.Add("Retry-After", std::to_string(*seconds));
  }
  response.body = ProblemJson(error, options);
  return response;
}

Error BodyTooLarge(Bytes max_bytes) {
  Error error = Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                      "the request body is over the maximum of " + FormatBytes(max_bytes))
                    .WithRemedy("send less, or split it into several requests");
  error.set_sys_errno(kBodyMark);
  return error;
}

Error RangeNotSatisfiable(Bytes size) {
  Error error =
      Error::Invalid("the range lies outside the file's " + std::to_string(size) + " bytes");
  error.set_sys_errno(kRangeMark);
  return error;
}

}  // namespace cay::api
