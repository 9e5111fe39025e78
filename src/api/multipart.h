// multipart/form-data (RFC 7578) as a stream: part by part, none of them held in memory.
// Strict: what is not exactly right is refused; every header is bounded.
//
//   MultipartReader parts(source, TRY(BoundaryOf(content_type)));
//   while (auto part = TRY(parts.Next()))
//     if (part->filename) Save(*part->filename, [&](std::span<char> space) { return parts.Read(space); });
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "guest_link/guest_channel.h"

namespace cay::api {

// The parameter `boundary` of a Content-Type. kInvalidArgument when it is not multipart/form-data,
// or has none.
Result<std::string> BoundaryOf(std::string_view content_type);

class MultipartReader {
 public:
  static constexpr size_t kMaxHeaderBytes = 8 * 1024;  // of one part
  static constexpr size_t kMaxParts = 100;

  MultipartReader(Source source, std::string_view boundary);

  struct Part {
    std::string name;
    std::optional<std::string> filename;  // it is a file
    std::string content_type = "application/octet-stream";
  };

  // The next part; nothing after the last. What was not read of the one before is skipped.
  Result<std::optional<Part>> Next();
  // Content of the current part; 0 at its end.
  Result<size_t> Read(std::span<char> space);

 private:
  Result<bool> Fill();
  Result<void> Skip();
  Result<bool> TakeDelimiterEnd();
  Result<std::string> TakeHeader();
  std::string_view buffered() const { return std::string_view(buffer_).substr(at_); }

  Source source_;
  std::string delimiter_;  // "\r\n--boundary"
  std::string buffer_;
  size_t at_ = 0;  // what is before was taken
  bool at_end_ = false;
  bool in_part_ = false;
  bool done_ = false;
  size_t parts_ = 0;
};

}  // namespace cay::api
