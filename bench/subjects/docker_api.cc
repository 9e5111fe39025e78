#include "subjects/docker_api.h"

namespace cay::bench {
namespace {

constexpr std::string_view kContainer =
    R"({"Image":"cay-bench","Cmd":["/bin/sleep","1000000"],"HostConfig":{"NetworkMode":"none"}})";
constexpr std::string_view kExec =
    R"({"Cmd":["/bin/true"],"AttachStdout":true,"AttachStderr":true})";
constexpr std::string_view kStart = R"({"Detach":false,"Tty":false})";

Result<std::string> CreateAndStart(HttpCaller& caller) {
  std::string id = TRY(
      TextOf(TRY(caller.Call("POST", "/containers/create", std::string(kContainer), 201)), "Id"));
  TRY(caller.Call("POST", "/containers/" + id + "/start", "", 204));
  return id;
}

Result<void> Remove(HttpCaller& caller, const std::string& id) {
  TRY(caller.Call("DELETE", "/containers/" + id + "?force=1", "", 204));
  return {};
}

}  // namespace

DockerContainer::~DockerContainer() {
  // With its daemon at the latest.
  if (caller_) (void)Remove(*caller_, id_);
}

Contender DockerContainer::Execute() const {
  return {.name = "Docker Engine API, exec true",
          .operation = [caller = caller_, id = id_]() -> Result<void> {
            const std::string exec = TRY(TextOf(
                TRY(caller->Call("POST", "/containers/" + id + "/exec", std::string(kExec), 201)),
                "Id"));
            TRY(caller->Call("POST", "/exec/" + exec + "/start", std::string(kStart), 200));
            return {};
          }};
}

Result<DockerApi> DockerApi::Start(const WorkDirectory& work) {
  Docker docker = TRY(Docker::Start(work));
  HttpCaller caller = TRY(HttpCaller::Open(TRY(http::Url::Parse("unix:" + docker.socket()))));
  return DockerApi(std::move(docker), std::move(caller));
}

Contender DockerApi::Create(Samples& removals) const {
  auto id = std::make_shared<std::string>();
  return {.name = "Docker Engine API, create and start",
          .operation = [caller = caller_, id]() -> Result<void> {
            *id = TRY(CreateAndStart(*caller));
            return {};
          },
          .between = [caller = caller_, id, &removals]() -> Result<void> {
            const Stopwatch stopwatch;
            TRY(Remove(*caller, *id));
            removals.Add(stopwatch.microseconds());
            return {};
          }};
}

Result<DockerContainer> DockerApi::Run() const {
  std::string id = TRY(CreateAndStart(*caller_));
  return DockerContainer(caller_, std::move(id));
}

}  // namespace cay::bench
