// DockerApi: the Docker Engine's HTTP API, asked as Cay's is: over a kept connection to its socket.
//
//   DockerApi docker = TRY(DockerApi::Start(work));
//   contenders.push_back(docker.Create(removals));
//   DockerContainer container = TRY(docker.Run());
//   contenders.push_back(container.Execute());
#pragma once

#include <memory>
#include <string>

#include "samples.h"
#include "subjects/http_server.h"
#include "subjects/peers.h"

namespace cay::bench {

// A container that runs until this object ends.
class DockerContainer {
 public:
  DockerContainer(DockerContainer&& other) noexcept = default;
  DockerContainer& operator=(DockerContainer&&) = delete;
  DockerContainer(const DockerContainer&) = delete;
  DockerContainer& operator=(const DockerContainer&) = delete;
  ~DockerContainer();

  // What `docker exec` asks: create the exec, start it, read it to its end.
  Contender Execute() const;

 private:
  friend class DockerApi;
  DockerContainer(std::shared_ptr<HttpCaller> caller, std::string id)
      : caller_(std::move(caller)), id_(std::move(id)) {}
  std::shared_ptr<HttpCaller> caller_;
  std::string id_;
};

class DockerApi {
 public:
  // With a dockerd of its own, as Docker::Start.
  static Result<DockerApi> Start(const WorkDirectory& work);

  // Creates and starts a container without a network; removes it between, and adds to `removals`
  // how long that took.
  Contender Create(Samples& removals) const;
  Result<DockerContainer> Run() const;

 private:
  DockerApi(Docker docker, HttpCaller caller)
      : docker_(std::move(docker)), caller_(std::make_shared<HttpCaller>(std::move(caller))) {}
  Docker docker_;
  std::shared_ptr<HttpCaller> caller_;
};

}  // namespace cay::bench
