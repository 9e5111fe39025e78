// ImageConfig: what an image says about its layers and about how its program is started (OCI
// image-spec, config.md, and what Docker has beside it: Healthcheck, Shell, OnBuild). Pure.
//
//   ImageConfig config = TRY(DecodeImageConfig(bytes));
//   TRY(CheckLayers(config, manifest));
//   for (const std::string& variable : EnvironmentOf(config.process.env)) …
//
// Members that are not below are ignored, those of a wrong type refused by name, and so are those
// that differ from a known one only in upper and lower case (Go reads them as that one); null is
// the same as not there. No text has a NUL byte: none of them could reach a program.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/string_map.h"
#include "base/units.h"
#include "template/oci/digest.h"
#include "template/oci/manifest.h"
#include "template/oci/platform.h"

namespace cay::templates::oci {

inline constexpr Bytes kMaxImageConfig = 4 * kMiB;   // of the document
inline constexpr size_t kMaxConfigList = 1024;       // entries of each list and map below
inline constexpr Bytes kMaxConfigText = 128 * kKiB;  // of each text: what Linux takes (execve(2))
inline constexpr size_t kMaxConfigHistory = 4096;    // entries

// Of Docker's HEALTHCHECK. An optional that is nothing, and 0, are Docker's default.
struct Healthcheck {
  // Empty: inherited. Otherwise "NONE", "CMD" and arguments, or "CMD-SHELL" and one command; what
  // begins otherwise is kept, and Docker does not check such an image.
  std::vector<std::string> test{};
  // Not negative. Docker's unit.
  std::chrono::nanoseconds interval{0};
  std::chrono::nanoseconds timeout{0};
  std::chrono::nanoseconds start_period{0};
  std::chrono::nanoseconds start_interval{0};
  uint32_t retries = 0;

  friend bool operator==(const Healthcheck&, const Healthcheck&) = default;
};

// "8080/tcp", "8080" (TCP), "8000-8010/udp".
struct ExposedPort {
  uint16_t first = 0;            // 1 to 65535
  uint16_t last = 0;             // not below `first`
  std::string protocol = "tcp";  // or "udp", "sctp"

  // kInvalidArgument for what is no port.
  static Result<ExposedPort> Parse(std::string_view text);
  std::string Text() const;  // "8080/tcp"
  friend auto operator<=>(const ExposedPort&, const ExposedPort&) = default;
  friend bool operator==(const ExposedPort&, const ExposedPort&) = default;
};

// How the image's program is started: `config` of the document.
struct ProcessConfig {
  std::string user{};                        // "name", "uid", "name:group", "uid:gid"; empty: root
  std::vector<ExposedPort> exposed_ports{};  // sorted, none twice
  // As they are in the document. "NAME=value"; "NAME" alone is allowed, as in Docker, and takes the
  // variable away (EnvironmentOf). An entry without a name ("", "=value") is refused: Docker
  // refuses to start such an image. One with a NUL byte is refused: execve ends it there.
  std::vector<std::string> env{};
  std::vector<std::string> entrypoint{};
  std::vector<std::string> cmd{};
  std::vector<std::string> volumes{};  // paths
  std::string working_dir{};           // empty: "/"
  StringMap labels{};
  std::string stop_signal{};  // "SIGTERM", "9"; empty: Docker's default
  std::optional<Healthcheck> healthcheck{};
  std::vector<std::string> shell{};
  std::vector<std::string> on_build{};

  friend bool operator==(const ProcessConfig&, const ProcessConfig&) = default;
};

struct HistoryEntry {
  std::string created{};  // RFC 3339
  std::string created_by{};
  std::string author{};
  std::string comment{};
  bool empty_layer = false;  // it made no layer

  friend bool operator==(const HistoryEntry&, const HistoryEntry&) = default;
};

struct ImageConfig {
  Platform platform;      // os and architecture are there; as they were written
  std::string created{};  // RFC 3339, or empty
  std::string author{};
  ProcessConfig process{};
  std::vector<Digest> diff_ids{};  // of each layer uncompressed, the lowest first
  std::vector<HistoryEntry> history{};

  friend bool operator==(const ImageConfig&, const ImageConfig&) = default;
};

// kInvalidArgument, kLimitTooHigh; kNotSupported for a diff_id of an algorithm that is not known.
// A history with more entries that made a layer than there are diff_ids is refused, as Docker does;
// one with fewer is not.
Result<ImageConfig> DecodeImageConfig(std::string_view json);

// JSON, without spaces: the same for the same. What is encoded is what can be decoded.
Result<std::string> EncodeImageConfig(const ImageConfig& config);

// kInvalidArgument unless the configuration has one diff_id for each layer of the manifest.
Result<void> CheckLayers(const ImageConfig& config, const Manifest& manifest);

// "NAME=value" for each variable that `env` leaves set, in the order they first came: the last
// value of a name counts, and "NAME" alone takes it away, as in Docker.
std::vector<std::string> EnvironmentOf(const std::vector<std::string>& env);

}  // namespace cay::templates::oci
