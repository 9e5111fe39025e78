// Builds: Dockerfiles on their way to being templates.
#include <thread>

#include "api/json_response.h"
#include "api/multipart.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/rest/sandboxes/network_json.h"
#include "api/sse.h"
#include "archive/byte_stream.h"
#include "base/text.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "json/json_value.h"
#include "sandbox/builds/build_fields.h"
#include "sandbox/builds/build_keeper.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::BuildPage;
using sandbox::BuildSpec;
using sandbox::BuildView;
using sandbox::Caller;

// A wait cannot be woken by a client that goes: so it is looked after so often. And a client is
// told no more often than it could look.
constexpr Millis kLook{1000};
constexpr Millis kLeastBetween{100};

// Of the context's tar, beside the content of its files: names, headers and padding.
constexpr Bytes kPerEntry = 1024;

class SpecReader : public FieldReader {
 public:
  using FieldReader::FieldReader;
  using FieldReader::operator();
  void operator()(const About& about, const field::Own&, sandbox::NetworkSpec& member) {
    Read([&](JsonFields& fields) -> Result<void> {
      member = TRY(ReadNetwork(fields, about.name)).value_or(sandbox::NetworkSpec{});
      return {};
    });
  }
};

Result<BuildSpec> ReadSpec(MultipartReader& parts) {
  std::string text;
  std::vector<char> space(64 * kKiB);
  while (const size_t count = TRY(parts.Read(space))) {
    if (text.size() + count > kMaxJsonBody) return Failure(BodyTooLarge(kMaxJsonBody));
    text.append(space.data(), count);
  }
  const JsonValue body = TRY(ParseJson(text));
  Wipe(text);
  auto fields = TRY(JsonFields::Of(body));
  BuildSpec spec;
  SpecReader reader(fields);
  fields::BuildSpec::Of(spec, reader);
  TRY(reader.Finish());
  return spec;
}

class PartSource final : public archive::ByteSource {
 public:
  explicit PartSource(MultipartReader& parts) : parts_(parts) {}
  Result<size_t> Read(std::span<char> into) override { return parts_.Read(into); }

 private:
  MultipartReader& parts_;
};

Error NoPart(std::string_view name) {
  return Error::Invalid("the body has no part \"" + std::string(name) + "\" where one belongs")
      .WithRemedy(R"(send multipart/form-data: "options", JSON, which may be left out, and then )"
                  R"("context", a tar)");
}

Result<void> Start(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const sandbox::BuildRules rules = services.builds.rules();
  TRY(CheckMayBuild(rules, caller));
  const std::string boundary = TRY(BoundaryOf(request.headers.Find("Content-Type").value_or("")));
  const Bytes limit =
      kMaxJsonBody + rules.max_context + kPerEntry * sandbox::BuildRules::kMaxContextEntries;
  exchange.SetBodyLimit(limit);
  MultipartReader parts(
      [&](std::span<char> space) -> Result<size_t> {
        auto count = exchange.ReadBody(space);
        if (!count) return Failure(BodyError(count.error(), limit));
        return count;
      },
      boundary);
  BuildSpec spec;
  auto part = TRY(parts.Next());
  if (part && part->name == "options") {
    spec = TRY(ReadSpec(parts));
    part = TRY(parts.Next());
  }
  if (!part || part->name != "context") return Failure(NoPart("context"));
  PartSource context(parts);
  const BuildView build = TRY(services.builds.Start(caller, std::move(spec), context));
  return RespondJson(exchange, 202, ObjectJson<fields::Build>(build),
                     {{"Location", "/api/templates/builds/" + build.id}});
}

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  JsonResponse answer(exchange, 200);
  WriteObject<fields::BuildList>(answer.json(), services.builds.List(caller));
  return answer.Finish();
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const BuildView build = TRY(services.builds.Get(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 200, ObjectJson<fields::Build>(build));
}

Result<void> Cancel(const Services& services, Exchange& exchange, const Caller& caller) {
  const BuildView build = TRY(services.builds.Cancel(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 202, ObjectJson<fields::Build>(build));
}

// All that is in the page; the number to go on at.
Result<uint64_t> Send(SseStream& stream, const BuildPage& page, uint64_t after) {
  if (page.log.dropped > 0) {
    JsonWriter json;
    json.BeginObject().Member("events", page.log.dropped).EndObject();
    after += page.log.dropped;
    TRY(stream.Send("dropped", json.text(), after));
  }
  for (const sandbox::LoggedEvent& event : page.log.events) {
    TRY(stream.Send(event.kind, event.json, event.number));
    after = event.number;
  }
  return after;
}

Result<void> Pump(const Services& services, Exchange& exchange, const Caller& caller,
                  const std::string& id, uint64_t after, SseStream& stream) {
  while (!exchange.ClientGone()) {
    const BuildPage page = TRY(services.builds.Await(caller, id, after, kLook));
    if (page.log.events.empty()) {
      if (HasEnded(page.view.state))
        return stream.End("end", ObjectJson<fields::Build>(page.view).text());
      if (services.builds.stopping())
        return stream.End("end", R"({"reason":"the server is shutting down"})");
    }
    after = TRY(Send(stream, page, after));
    TRY(stream.PingIfQuiet());
    std::this_thread::sleep_for(kLeastBetween);
  }
  return {};
}

Result<void> Follow(const Services& services, Exchange& exchange, const Caller& caller) {
  const std::string id = exchange.request().Capture("id");
  const auto after = TRY(ResumePoint(exchange.request(), "after"));
  TRY(services.builds.Get(caller, id));
  SseStream stream = TRY(SseStream::Begin(exchange));
  const auto done = Pump(services, exchange, caller, id, after.value_or(0), stream);
  return done ? done : stream.EndWithError(done.error());
}

}  // namespace

void AddBuildRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string all = "/api/templates/builds";
  const std::string one = all + "/{id}";
  add("GET", all, Scope::kRead, "listBuilds", &List);
  add("POST", all, Scope::kUse, "startBuild", &Start, kAsItComes);
  add("GET", one, Scope::kRead, "getBuild", &Get);
  add("GET", one + "/events", Scope::kRead, "followBuild", &Follow);
  add("DELETE", one, Scope::kUse, "cancelBuild", &Cancel);
}

}  // namespace cay::api::rest
