// Platform: what an image's programs run on (OCI image-spec, image-index.md, "platform"), and which
// image of an index is the one for it. Pure.
//
//   linux/amd64      linux/arm64/v8      linux/arm/v7
//
// Names are normalised as containerd's `platforms` does it: x86_64 is amd64, aarch64 is arm64,
// armhf is arm/v7, armel is arm/v6, i386 is 386, arm without a variant is v7; amd64's v1 and
// arm64's v8 are what is meant without a variant, and left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::templates::oci {

struct Descriptor;
struct Index;

struct Platform {
  static constexpr size_t kMaxWord = 64;      // bytes of each text below
  static constexpr size_t kMaxFeatures = 32;  // of os_features

  std::string os;            // "linux"
  std::string architecture;  // "amd64"
  std::string variant{};     // "v7"; often empty
  std::string os_version{};  // of Windows images
  std::vector<std::string> os_features{};

  // "OS/ARCHITECTURE[/VARIANT]", normalised. kInvalidArgument, with a remedy that shows the form.
  static Result<Platform> Parse(std::string_view text);
  // What this program was compiled for: sandboxes run that.
  static Platform Native();

  std::string Text() const;  // "linux/arm/v7"
  Platform Normalized() const;

  friend bool operator==(const Platform&, const Platform&) = default;
};

// Whether an image for `image` runs on `machine`: the same operating system and architecture, a
// variant that the machine's includes (arm: v7 runs v6 and v5; arm64: v9.0 runs v8.5, v8.5 runs v8;
// amd64: v3 runs v2), and no feature of the operating system that the machine's platform lacks.
// Never another architecture: neither 386 on amd64 nor arm on arm64, which containerd would take;
// the filter of a sandbox refuses their system calls.
bool Runs(const Platform& machine, const Platform& image);

// The manifest (or nested index) for `wanted`: of those that run there the one of the nearest
// variant, and of those the first. Attestations ("unknown/unknown", or annotated as one), artifacts
// and what is no manifest are never chosen. An entry that does not say its platform is chosen only
// where it is the only one that could be: its configuration has to say it.
// The result points into `index`. kNotFound names the platforms that are there.
Result<const Descriptor*> ChooseManifest(const Index& index, const Platform& wanted);

}  // namespace cay::templates::oci
