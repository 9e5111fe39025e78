// ImageReference: which image is meant, as people write it for `docker pull`. Pure.
//
//   python                       docker.io/library/python:latest
//   python:3.12-slim             docker.io/library/python:3.12-slim
//   someone/app@sha256:…         docker.io/someone/app@sha256:…
//   localhost:5000/a/b:tag       localhost:5000/a/b:tag
//
// The grammar is that of github.com/distribution/reference, with Docker's defaults. What is before
// the first '/' is a domain when it has a '.' or a ':' or is "localhost"; otherwise it belongs to
// the path, and the domain is Docker's. Where that grammar leaves two readings, this one is
// stricter:
// - a domain is kept in lower case (RFC 4343), so that one registry has one name;
// - "Someone/app" is refused: upper case makes a domain of it there, which nobody means;
// - a port is 1 to 65535 without leading zeros, an IPv6 address in brackets is one;
// - a name is at most 255 bytes with its domain (OCI distribution-spec, "Pulling manifests");
// - a digest is one that can be verified (digest.h), and 64 hexadecimal letters alone are no name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "template/oci/digest.h"

namespace cay::templates::oci {

// The registry that is meant where none is named: part of the grammar. Its own server has another
// host name, which is the registry client's business.
inline constexpr std::string_view kDefaultDomain = "docker.io";

struct ImageReference {
  static constexpr size_t kMaxName = 255;  // bytes of domain, '/' and path
  static constexpr size_t kMaxTag = 128;
  static constexpr size_t kMaxText = kMaxName + 1 + kMaxTag + 1 + Digest::kMaxText;

  std::string domain;              // "docker.io", "localhost:5000", "[::1]:5000"
  std::string path;                // "library/python": <name> of OCI distribution-spec
  std::string tag;                 // empty only where there is a digest
  std::optional<Digest> digest{};  // where there is one, it decides, whatever the tag

  // kInvalidArgument (kNotSupported for a digest of another algorithm): the message says what is
  // wrong with which part.
  static Result<ImageReference> Parse(std::string_view text);

  std::string Name() const;  // "docker.io/library/python"
  // All that there is: "docker.io/library/python:3.12@sha256:…". Parses to the same.
  std::string Canonical() const;
  // As short as it can be written: "python:3.12@sha256:…". Parses to the same.
  std::string Familiar() const;
  // What a registry is asked for, <reference> of OCI distribution-spec: the digest, or the tag.
  const std::string& Wanted() const { return digest ? digest->text() : tag; }

  friend bool operator==(const ImageReference&, const ImageReference&) = default;
};

// Whether `text` may be a tag: /[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}/.
bool IsTag(std::string_view text);

}  // namespace cay::templates::oci
