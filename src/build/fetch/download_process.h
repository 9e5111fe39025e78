// The process in which a URL is fetched for an ADD: `cay build-download`, in a sandbox of its own.
// What it is to fetch it reads from a file there; the content becomes a file of the directory in
// which it is started; what becomes of it are lines of JSON on its standard output. Those are as
// much to be believed as the server that it spoke with: whoever reads them holds them against
// bounds, and looks at the file itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "build/fetch/download.h"

namespace cay::build {

inline constexpr const char* kDownloadCommand = "build-download";
inline constexpr std::string_view kDownloadRequestFile = "/run/cay-download.json";
inline constexpr std::string_view kDownloadedFile = "file";  // of its directory

// The content of kDownloadRequestFile. Times are not told: they are those of DownloadRequest.
std::string DownloadRequestText(const DownloadRequest& request);

struct DownloadNote {
  std::string text{};
};
using DownloadLine = std::variant<DownloadProgress, DownloadNote, Downloaded, Error>;
std::string TextOf(const DownloadLine& line);  // without its end
// Nothing for what no such process says.
std::optional<DownloadLine> ParseDownloadLine(std::string_view line);

// The process; returns its exit code.
int ServeDownload();

}  // namespace cay::build
