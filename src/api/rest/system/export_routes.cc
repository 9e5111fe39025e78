// Exports: a template as a file that docker, podman, skopeo and others read, as a stream.
//
// The image is packed on the server's disk, into files without names, since an image says the
// digests of its layers before it has them. Then it is sent as fast as the client reads it, a piece
// at a time; a client that goes away ends either.
#include <chrono>

#include "api/request.h"
#include "api/rest/routes.h"
#include "sandbox/lifecycle/snapshots.h"
#include "template/export/image_form.h"
#include "template/export/write_image.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using templates::ImageForm;
using Clock = std::chrono::steady_clock;

struct AskedExport {
  std::string name;
  ImageForm form = ImageForm::kOci;
  std::string tag{};
  templates::PackImageOptions pack{};
};

// An error once nobody wants it any more, or may have it.
class Watch {
 public:
  explicit Watch(Exchange& exchange) : exchange_(exchange) {}
  Result<void> Look() {
    if (exchange_.ClientGone())
      return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "the client has gone"));
    if (Clock::now() < next_) return {};
    next_ = Clock::now() + Exchange::kStandingInterval;
    if (exchange_.Ending()) {
      return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down")
                         .WithRemedy("try again when it has started anew"));
    }
    return exchange_.Standing();
  }

 private:
  Exchange& exchange_;
  Clock::time_point next_ = Clock::now();
};

class ExchangeSink final : public archive::ByteSink {
 public:
  ExchangeSink(Exchange& exchange, Watch& watch) : exchange_(exchange), watch_(watch) {}
  Result<void> Write(std::string_view bytes) override {
    TRY(watch_.Look());
    return exchange_.Write(bytes);
  }

 private:
  Exchange& exchange_;
  Watch& watch_;
};

Result<AskedExport> ReadAsked(const Services& services, const http::Request& request,
                              const Caller& caller) {
  AskedExport asked{.name =
                        TRY(TemplateNameFor(services.templates, caller, request.Capture("name")))};
  if (const auto format = request.Query("format"))
    asked.form = TRY(templates::ParseImageForm(*format));
  std::optional<archive::Compression> compression;
  if (const auto text = request.Query("compression"))
    compression = TRY(templates::ParseCompression(*text));
  asked.pack.compression = TRY(CompressionFor(asked.form, compression));
  asked.tag = request.Query("tag").value_or("");
  return asked;
}

Result<Shares::Part> TakePlace(const Services& services, const Caller& caller) {
  Shares::Part place = services.exports->For(caller.owner);
  switch (place.Take(1)) {
    case Shares::Taken::kYes:
      return place;
    case Shares::Taken::kShareIsUsed:
      return Failure(Error::Busy(std::to_string(kExportShares.each) +
                                 " exports of this owner are under way, which is the maximum for "
                                 "one")
                         .WithRemedy("try again when one of them has ended"));
    case Shares::Taken::kWholeIsUsed:
      break;
  }
  return Failure(
      Error(ErrorCode::kUnavailable, Fault::kMachine,
            std::to_string(kExportShares.whole) + " exports are under way, which is the maximum")
          .WithRemedy("try again in a moment"));
}

http::Headers HeadersFor(const templates::oci::ImageReference& reference) {
  const size_t slash = reference.path.rfind('/');
  const std::string file =
      reference.path.substr(slash == std::string::npos ? 0 : slash + 1) + ".tar";
  return {{"Content-Type", "application/x-tar"},
          {"Content-Disposition", AttachmentNamed(file)},
          {"Cache-Control", "no-cache"}};
}

Result<void> Export(const Services& services, Exchange& exchange, const Caller& caller) {
  AskedExport asked = TRY(ReadAsked(services, exchange.request(), caller));
  const auto reference = TRY(templates::ReferenceToWrite(asked.tag, asked.name));
  http::Headers headers = HeadersFor(reference);
  if (exchange.request().method == "HEAD") {
    TRY(exchange.Begin(200, std::move(headers)));
    return exchange.Finish();
  }
  const Shares::Part place = TRY(TakePlace(services, caller));
  Watch watch(exchange);
  asked.pack.on_progress = [&](const templates::PackProgress&) { return watch.Look(); };
  const auto image = TRY(PackImage(services.templates, asked.name, asked.pack));
  headers.Add("Docker-Content-Digest", image.descriptor.digest.text());
  TRY(exchange.Begin(200, std::move(headers)));
  ExchangeSink sink(exchange, watch);
  TRY(asked.form == ImageForm::kDocker ? WriteDockerArchive(image, reference, sink)
                                       : WriteOciArchive(image, reference, sink));
  return exchange.Finish();
}

}  // namespace

void AddExportRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/templates/{name}/export", Scope::kUse, "exportTemplate", &Export);
}

}  // namespace cay::api::rest
