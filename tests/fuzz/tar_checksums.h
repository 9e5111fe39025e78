// For fuzzers of what reads tar archives.
#pragma once

#include <string>
#include <string_view>

#include "archive/tar_format.h"

namespace cay::fuzz {

// A mutated header hardly ever has the right checksum; nothing behind it would be tried.
inline std::string WithChecksums(std::string_view bytes) {
  namespace tar = cay::archive::tar;
  std::string out(bytes);
  for (size_t at = 0; at + tar::kBlockBytes <= out.size(); at += tar::kBlockBytes) {
    tar::Block block;
    out.copy(block.data(), block.size(), at);
    if (!tar::FieldBytes(block, tar::kMagic).starts_with("ustar")) continue;
    tar::SetChecksum(block);
    out.replace(at, block.size(), block.data(), block.size());
  }
  return out;
}

}  // namespace cay::fuzz
