// Digest: what names content in an image: an algorithm and the hash of the bytes, in hexadecimal
// (OCI image-spec, descriptor.md, "Digests"). Pure.
//
//   Digest digest = TRY(Digest::Parse("sha256:ba78…"));
//   DigestVerifier verifier = TRY(DigestVerifier::Start(digest, descriptor.size));
//   TRY(verifier.Add(piece));                  // as the pieces come
//   TRY(std::move(verifier).Finish());         // they were that content, all of it
//
// sha256 and sha512 are read, in lower case only, so that one content has one name. Nothing here
// may be used by two threads at a time.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "base/units.h"
#include "crypto/digest.h"

namespace cay::templates::oci {

class Digest {
 public:
  enum class Algorithm : uint8_t { kSha256, kSha512 };
  static constexpr size_t kMaxText = std::string_view("sha512:").size() + Sha512::kHexLength;

  // kInvalidArgument for what is no digest; kNotSupported for one of another algorithm.
  static Result<Digest> Parse(std::string_view text);
  // Of content that is in memory as a whole.
  static Result<Digest> Of(std::string_view bytes, Algorithm algorithm = Algorithm::kSha256);

  const std::string& text() const { return text_; }  // "sha256:ba78…"
  Algorithm algorithm() const { return algorithm_; }
  std::string_view algorithm_name() const;  // "sha256"
  std::string_view hex() const;             // "ba78…", 64 or 128 letters

  friend bool operator==(const Digest&, const Digest&) = default;
  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  friend class Digester;
  Digest(std::string text, Algorithm algorithm) : text_(std::move(text)), algorithm_(algorithm) {}

  std::string text_;
  Algorithm algorithm_;
};

// Makes the digest of bytes that come in pieces, and counts them.
class Digester {
 public:
  static Result<Digester> Start(Digest::Algorithm algorithm = Digest::Algorithm::kSha256);
  Result<void> Add(std::string_view bytes);
  Bytes size() const { return size_; }  // of all that was added
  Result<Digest> Finish() &&;

 private:
  using Hash = std::variant<Sha256, Sha512>;
  explicit Digester(Hash hash) : hash_(std::move(hash)) {}

  Hash hash_;
  Bytes size_ = 0;
};

// Says whether bytes that come in pieces are the content that a descriptor names. What was added is
// not to be trusted before Finish has returned.
class DigestVerifier {
 public:
  static Result<DigestVerifier> Start(Digest expected, Bytes expected_size);
  // kProtocol as soon as there are more bytes than expected: the sender can make nobody take more.
  Result<void> Add(std::string_view bytes);
  Bytes size() const { return digester_.size(); }
  // kProtocol when there were fewer bytes than expected, or others.
  Result<void> Finish() &&;

 private:
  DigestVerifier(Digester digester, Digest expected, Bytes expected_size)
      : digester_(std::move(digester)),
        expected_(std::move(expected)),
        expected_size_(expected_size) {}

  Digester digester_;
  Digest expected_;
  Bytes expected_size_;
};

// The same for content that is in memory as a whole: a manifest, a configuration.
Result<void> VerifyDigest(std::string_view bytes, const Digest& expected);

}  // namespace cay::templates::oci
