// Volumes: filesystems that outlive the sandboxes that use them; as tar streams too.
#include <algorithm>
#include <optional>

#include "api/json_response.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/rest/archive_format.h"
#include "api/rest/routes.h"
#include "archive/compression.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "sandbox/volumes/volume_fields.h"
#include "volume/store/volume_fields.h"
#include "volume/volume_dir.h"

namespace cay::api::rest {
namespace {

namespace fields = volume::fields;
using http::Exchange;
using sandbox::Caller;

// The answer is begun with the first bytes: what fails before them is an answer of its own.
class AnswerSink final : public archive::ByteSink {
 public:
  AnswerSink(Exchange& exchange, const ArchiveForm& format, std::string file)
      : exchange_(exchange), format_(format), file_(std::move(file)) {}

  Result<void> Write(std::string_view bytes) override {
    if (!exchange_.started()) TRY(Begin());
    return exchange_.Write(bytes);
  }
  Result<void> Begin() {
    return exchange_.Begin(200, {{"Content-Type", std::string(format_.type)},
                                 {"Content-Disposition", AttachmentNamed(file_)},
                                 {"Cache-Control", "no-cache"}});
  }

 private:
  Exchange& exchange_;
  const ArchiveForm& format_;
  std::string file_;
};

class BodySource final : public archive::ByteSource {
 public:
  BodySource(Exchange& exchange, Bytes limit) : exchange_(exchange), limit_(limit) {}
  Result<size_t> Read(std::span<char> into) override {
    auto count = exchange_.ReadBody(into);
    if (!count) return Failure(BodyError(count.error(), limit_));
    return count;
  }

 private:
  Exchange& exchange_;
  Bytes limit_;
};

std::string PathOf(const volume::VolumeInfo& info) { return "/api/volumes/" + info.short_name(); }

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto all = TRY(services.manager.volumes().List(caller));
  return RespondJson(exchange, 200, ObjectJson<fields::VolumeList>(all));
}

Result<void> Create(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  const auto spec = TRY((ReadObject<sandbox::fields::VolumeSpec, sandbox::VolumeSpec>(body)));
  const auto info = TRY(services.manager.volumes().Create(caller, spec));
  return RespondJson(exchange, 201, ObjectJson<fields::Volume>(info), {{"Location", PathOf(info)}});
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto info = TRY(services.manager.volumes().Get(caller, exchange.request().Capture("name")));
  return RespondJson(exchange, 200, ObjectJson<fields::Volume>(info));
}

Result<void> Delete(const Services& services, Exchange& exchange, const Caller& caller) {
  TRY(services.manager.volumes().Remove(caller, exchange.request().Capture("name")));
  return RespondNothing(exchange);
}

Result<void> GetArchive(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const ArchiveForm format = TRY(ReadArchiveForm(request));
  sandbox::VolumeKeeper& volumes = services.manager.volumes();
  const auto info = TRY(volumes.Get(caller, request.Capture("name")));
  AnswerSink sink(exchange, format, info.short_name() + "." + std::string(format.name));
  if (request.method == "HEAD") {
    TRY(sink.Begin());
    return exchange.Finish();
  }
  const auto packed = TRY(archive::Compress(sink, format.compression));
  TRY(volumes.Export(caller, info.name, *packed));
  TRY(packed->Finish());
  if (!exchange.started()) TRY(sink.Begin());
  return exchange.Finish();
}

Result<void> PutArchive(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  sandbox::VolumeSpec spec;
  spec.name = request.Capture("name");
  if (const auto size = request.Query("size")) {
    auto parsed = ParseBytes(*size);
    if (!parsed) return Failure(std::move(parsed).error().WithContext("the parameter \"size\""));
    spec.size = *parsed;
  }
  // Headers and padding beside the content: a tree of small files is mostly those.
  constexpr Bytes kOverhead = 4;
  const Bytes limit = std::min(spec.size, volume::kMaxVolume) * kOverhead;
  if (request.content_length.value_or(0) > limit) return Failure(BodyTooLarge(limit));
  exchange.SetBodyLimit(limit);
  BodySource source(exchange, limit);
  const auto imported = TRY(services.manager.volumes().Import(caller, spec, source));
  return RespondJson(exchange, 201, ObjectJson<fields::Volume>(imported.info),
                     {{"Location", PathOf(imported.info)}});
}

}  // namespace

void AddVolumeRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string one = "/api/volumes/{name}";
  add("GET", "/api/volumes", Scope::kRead, "listVolumes", &List);
  add("POST", "/api/volumes", Scope::kUse, "createVolume", &Create, {kMaxSmallBody});
  add("GET", one, Scope::kRead, "getVolume", &Get);
  add("DELETE", one, Scope::kUse, "removeVolume", &Delete);
  add("GET", one + "/archive", Scope::kRead, "exportVolume", &GetArchive);
  add("PUT", one + "/archive", Scope::kUse, "importVolume", &PutArchive, kAsItComes);
}

}  // namespace cay::api::rest
