// The forms in which trees of files are given out, as the parameter "format" names them.
#pragma once

#include <array>
#include <string_view>

#include "archive/compression.h"
#include "base/result.h"
#include "http/message.h"
#include "protocol/file_messages.h"

namespace cay::api::rest {

struct ArchiveForm {
  std::string_view name;             // also what a file of it is called after its dot
  std::string_view type;             // of the answer's content
  archive::Compression compression;  // where the host packs …
  protocol::ArchiveFormat of_guest;  // … and where a guest does
};

inline constexpr std::array kArchiveForms = {
    ArchiveForm{"tar", "application/x-tar", archive::Compression::kNone,
                protocol::ArchiveFormat::kTar},
    ArchiveForm{"tar.gz", "application/gzip", archive::Compression::kGzip,
                protocol::ArchiveFormat::kTarGzip},
    ArchiveForm{"tar.zst", "application/zstd", archive::Compression::kZstd,
                protocol::ArchiveFormat::kTarZstd},
};

// What was asked for; a plain tar where nothing was.
inline Result<ArchiveForm> ReadArchiveForm(const http::Request& request) {
  const auto name = request.Query("format").value_or("tar");
  for (const ArchiveForm& form : kArchiveForms) {
    if (form.name == name) return form;
  }
  return Failure(Error::Invalid("the parameter \"format\" must be tar, tar.gz or tar.zst"));
}

}  // namespace cay::api::rest
