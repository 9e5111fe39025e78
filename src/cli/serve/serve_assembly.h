// ServeAssembly: all that a server is made of, in the order in which its parts stand on one
// another.
//
//   auto assembly = TRY(ServeAssembly::Make(loaded.config));
//   auto server = TRY(http::Server::Start(…, [&](http::Exchange& e) { assembly->Handle(e); },
//                                         [&](http::Request& r) { return assembly->Screen(r); }));
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "http/exchange.h"
#include "http/server/server.h"

namespace cay::cli {

class ServeAssembly {
 public:
  // Takes the state directory (kAlreadyExists when another server has it) and takes over what is in
  // it. Refuses addresses other than loopback while there is no key.
  static Result<std::unique_ptr<ServeAssembly>> Make(const config::Config& config);
  virtual ~ServeAssembly() = default;

  virtual http::Intake Screen(http::Request& request) = 0;
  virtual void Handle(http::Exchange& exchange) = 0;
  // For metrics, and so that no sandbox reaches it; null again before it ends.
  virtual void SetServer(const http::Server* server) = 0;

  // What it found, in lines for the person who started it.
  virtual std::vector<std::string> Report() = 0;
  virtual void Reconfigure(const config::Config& config) = 0;
  // No more work is taken: /ready says so, streams of events end.
  virtual void BeginDraining() = 0;
  // After the last request: what the pool holds ends, everything else lives on.
  virtual void FinishDraining(Millis patience) = 0;
};

}  // namespace cay::cli
