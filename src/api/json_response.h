// JsonResponse: an answer in JSON that is sent while it is written, where there is much of it: the
// memory for it is one piece (JsonWriter::kPieceBytes). A small one is sent whole, with its length.
//
//   JsonResponse answer(exchange, 200);
//   answer.json().BeginObject()….EndObject();
//   return answer.Finish();
//
// All that can fail has to be done before, or while little has been written. When something cannot
// be sent, the rest is thrown away, and Finish says why. For one thread.
#pragma once

#include <string>

#include "base/result.h"
#include "http/exchange.h"
#include "json/json_writer.h"

namespace cay::api {

class JsonResponse final : private JsonSink {
 public:
  JsonResponse(http::Exchange& exchange, int status, http::Headers headers = {});
  JsonResponse(const JsonResponse&) = delete;
  JsonResponse& operator=(const JsonResponse&) = delete;

  JsonWriter& json() { return json_; }
  Result<void> Finish();

 private:
  void Take(std::string& text) override;

  http::Exchange& exchange_;
  const int status_;
  http::Headers headers_;
  Result<void> sent_;
  JsonWriter json_{std::string(), this};
};

}  // namespace cay::api
