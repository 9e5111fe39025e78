// What instructions change of an image's configuration. Pure.
//
//   ImageChanges changes(std::move(base_config));
//   TRY(changes.Apply(expanded.instruction));              // of StageVariables::Step
//   const oci::ImageConfig config = std::move(changes).Take();
//
// FROM, ARG, RUN, COPY and ADD change nothing of it; layers and history are the caller's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/dockerfile/instruction.h"
#include "template/oci/image_config.h"

namespace cay::templates::dockerfile {

// SHELL of the image, or "/bin/sh", "-c".
std::vector<std::string> ShellOf(const oci::ImageConfig& config);

// `path` as WORKDIR means it: absolute, or below `working_dir` (empty: "/"); without ".", ".." and
// doubled slashes.
std::string PathBelow(std::string_view working_dir, std::string_view path);

// "80", "80/udp", "8000-8010/tcp", each port of a range; "127.0.0.1:80:8080" and "80:8080" are 8080
// (what is published is not an image's business). kInvalidArgument for what is no port;
// kLimitTooHigh for more than oci::kMaxConfigList.
Result<std::vector<oci::ExposedPort>> PortsOf(std::string_view text);

// "SIGTERM", "term", "9", "RTMIN+3" (signal(7)). kInvalidArgument for what is none.
Result<void> CheckSignal(std::string_view text);

class ImageChanges {
 public:
  // Of the stage's base: an image, a stage before, or for "scratch" one that is empty. Its ONBUILD
  // is gone: whoever begins with it does what it says (OnBuild), once.
  explicit ImageChanges(oci::ImageConfig base) : config_(std::move(base)) {
    config_.process.on_build.clear();
  }

  // `expanded` is of StageVariables::Step. kInvalidArgument; kLimitTooHigh for more than a
  // configuration can hold, which is then good for nothing.
  // ENTRYPOINT takes away a CMD that came with the base; one of this stage stays.
  Result<void> Apply(const Instruction& expanded);

  const oci::ImageConfig& config() const { return config_; }
  oci::ImageConfig Take() && { return std::move(config_); }

 private:
  oci::ImageConfig config_;
  bool cmd_is_own_ = false;
};

}  // namespace cay::templates::dockerfile
