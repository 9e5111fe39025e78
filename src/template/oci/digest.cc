#include "template/oci/digest.h"

#include <algorithm>

#include "archive/safe_path.h"
#include "base/text.h"

namespace cay::templates::oci {
namespace {

constexpr std::string_view kNames[] = {"sha256", "sha512"};

bool IsSmallAlphanumeric(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
}

bool IsSmallHex(char letter) {
  return (letter >= 'a' && letter <= 'f') || (letter >= '0' && letter <= '9');
}

// descriptor.md: algorithm-component [algorithm-separator algorithm-component]*
bool IsAlgorithm(std::string_view name) {
  bool after_component = false;
  for (const char letter : name) {
    const bool separator = std::string_view("+._-").contains(letter);
    if (separator ? !after_component : !IsSmallAlphanumeric(letter)) return false;
    after_component = !separator;
  }
  return after_component;
}

Error NotThatContent(std::string message) {
  return {ErrorCode::kProtocol, Fault::kMachine, std::move(message)};
}

}  // namespace

Result<Digest> Digest::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (colon == std::string_view::npos || !IsAlgorithm(name)) {
    return Failure(Error::Invalid("not a digest: \"" + archive::Printable(text) + "\"")
                       .WithRemedy("a digest is written sha256: and 64 hexadecimal letters"));
  }
  const auto* known = std::ranges::find(kNames, name);
  if (known == std::end(kNames)) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "digests of the algorithm \"" + archive::Printable(name) +
                             "\" cannot be verified: only sha256 and sha512"));
  }
  const auto algorithm = static_cast<Algorithm>(known - std::begin(kNames));
  const size_t length = algorithm == Algorithm::kSha256 ? Sha256::kHexLength : Sha512::kHexLength;
  const std::string_view hex = text.substr(colon + 1);
  if (hex.size() != length || !std::ranges::all_of(hex, IsSmallHex)) {
    return Failure(Error::Invalid(
        "a digest of " + std::string(name) + " has " + std::to_string(length) +
        " hexadecimal letters in lower case, unlike \"" + archive::Printable(text) + "\""));
  }
  return Digest(std::string(text), algorithm);
}

Result<Digest> Digest::Of(std::string_view bytes, Algorithm algorithm) {
  Digester digester = TRY(Digester::Start(algorithm));
  TRY(digester.Add(bytes));
  return std::move(digester).Finish();
}

std::string_view Digest::algorithm_name() const { return kNames[static_cast<size_t>(algorithm_)]; }

std::string_view Digest::hex() const {
  return std::string_view(text_).substr(algorithm_name().size() + 1);
}

Result<Digester> Digester::Start(Digest::Algorithm algorithm) {
  if (algorithm == Digest::Algorithm::kSha512) return Digester(TRY(Sha512::Start()));
  return Digester(TRY(Sha256::Start()));
}

Result<void> Digester::Add(std::string_view bytes) {
  size_ += bytes.size();
  return std::visit([bytes](auto& hash) { return hash.Add(bytes); }, hash_);
}

Result<Digest> Digester::Finish() && {
  const auto algorithm = static_cast<Digest::Algorithm>(hash_.index());
  const std::string hex = TRY(std::visit([](auto& hash) { return std::move(hash).Hex(); }, hash_));
  return Digest(std::string(kNames[hash_.index()]) + ":" + hex, algorithm);
}

Result<DigestVerifier> DigestVerifier::Start(Digest expected, Bytes expected_size) {
  Digester digester = TRY(Digester::Start(expected.algorithm()));
  return DigestVerifier(std::move(digester), std::move(expected), expected_size);
}

Result<void> DigestVerifier::Add(std::string_view bytes) {
  if (bytes.size() > expected_size_ - digester_.size()) {
    return Failure(NotThatContent("the content of " + expected_.text() + " is longer than its " +
                                  std::to_string(expected_size_) + " bytes"));
  }
  return digester_.Add(bytes);
}

Result<void> DigestVerifier::Finish() && {
  if (size() != expected_size_) {
    return Failure(NotThatContent("the content of " + expected_.text() + " ends after " +
                                  std::to_string(size()) + " of its " +
                                  std::to_string(expected_size_) + " bytes"));
  }
  const Digest found = TRY(std::move(digester_).Finish());
  if (found != expected_) {
    return Failure(NotThatContent("the content that was asked for as " + expected_.text() +
                                  " has the digest " + found.text()));
  }
  return {};
}

Result<void> VerifyDigest(std::string_view bytes, const Digest& expected) {
  DigestVerifier verifier = TRY(DigestVerifier::Start(expected, bytes.size()));
  TRY(verifier.Add(bytes));
  return std::move(verifier).Finish();
}

}  // namespace cay::templates::oci
