#include "api/multipart.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "base/units.h"
#include "http/wire/target.h"

namespace cay::api {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kMaxBoundary = 70;  // RFC 2046, 5.1.1

Error Wrong(std::string_view what) {
  return Error::Invalid("the multipart body is malformed: " + std::string(what));
}

// A value, quoted or not, up to the next ';', which is taken too.
Result<std::string> TakeValue(std::string_view& rest) {
  std::string value;
  if (!rest.starts_with('"')) {
    const size_t end = std::min(rest.find(';'), rest.size());
    value = Trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return value;
  }
  rest.remove_prefix(1);
  for (;;) {
    if (rest.empty()) return Failure(Wrong("a quotation mark is missing"));
    char c = rest.front();
    rest.remove_prefix(1);
    if (c == '"') break;
    // Only these two are escaped; a path of another system has backslashes of its own.
    if (c == '\\' && !rest.empty() && (rest.front() == '"' || rest.front() == '\\')) {
      c = rest.front();
      rest.remove_prefix(1);
    }
    value += c;
  }
  rest = Trim(rest);
  if (!rest.empty() && rest.front() != ';') return Failure(Wrong("text behind a quotation mark"));
  if (!rest.empty()) rest.remove_prefix(1);
  return value;
}

using Parameters = std::vector<std::pair<std::string, std::string>>;

// "form-data; name=\"x\"" as its first word and its parameters.
Result<Parameters> ParseParameters(std::string_view text, std::string& first) {
  const size_t end = std::min(text.find(';'), text.size());
  first = Trim(text.substr(0, end));
  std::string_view rest = text.substr(std::min(end + 1, text.size()));
  Parameters parameters;
  for (rest = Trim(rest); !rest.empty(); rest = Trim(rest)) {
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return Failure(Wrong("a parameter without a value"));
    const std::string name(Trim(rest.substr(0, equals)));
    rest = Trim(rest.substr(equals + 1));
    parameters.emplace_back(name, TRY(TakeValue(rest)));
  }
  return parameters;
}

std::optional<std::string> Find(const Parameters& parameters, std::string_view name) {
  for (const auto& [known, value] : parameters) {
    if (EqualsIgnoringCase(known, name)) return value;
  }
  return std::nullopt;
}

// "UTF-8''na%C3%AFve.txt" (RFC 8187).
Result<std::string> DecodeExtended(std::string_view text) {
  constexpr std::string_view kCharset = "UTF-8'";
  const size_t quote = text.find('\'', kCharset.size());
  if (text.size() < kCharset.size() ||
      !EqualsIgnoringCase(text.substr(0, kCharset.size()), kCharset) ||
      quote == std::string_view::npos) {
    return Failure(Wrong("filename* is not UTF-8''…"));
  }
  auto value = http::PercentDecode(text.substr(quote + 1));
  if (!value) return Failure(Wrong("filename*: " + value.error().message()));
  return value;
}

Result<void> ReadDisposition(std::string_view value, MultipartReader::Part& part) {
  std::string kind;
  const Parameters parameters = TRY(ParseParameters(value, kind));
  if (!EqualsIgnoringCase(kind, "form-data")) return Failure(Wrong("a part that is not form-data"));
  part.name = Find(parameters, "name").value_or("");
  part.filename = Find(parameters, "filename");
  if (const auto extended = Find(parameters, "filename*")) {
    part.filename = TRY(DecodeExtended(*extended));
  }
  return {};
}

Result<MultipartReader::Part> ParsePart(std::string_view header) {
  MultipartReader::Part part;
  bool disposed = false;
  while (!header.empty()) {
    const size_t end = std::min(header.find("\r\n"), header.size());
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + 2, header.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Failure(Wrong("a header line without a colon"));
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = Trim(line.substr(colon + 1));
    if (EqualsIgnoringCase(name, "Content-Disposition")) {
      if (std::exchange(disposed, true)) return Failure(Wrong("Content-Disposition twice"));
      TRY(ReadDisposition(value, part));
    } else if (EqualsIgnoringCase(name, "Content-Type")) {
      part.content_type = value;
    } else if (EqualsIgnoringCase(name, "Content-Transfer-Encoding") &&
               !EqualsIgnoringCase(value, "binary") && !EqualsIgnoringCase(value, "8bit") &&
               !EqualsIgnoringCase(value, "7bit")) {
      return Failure(Wrong("an encoded part (RFC 7578, 4.7)"));
    }
  }
  if (!disposed) return Failure(Wrong("a part without Content-Disposition"));
  return part;
}

bool IsBoundaryChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || std::strchr("'()+_,-./:=? ", c) != nullptr;
}

}  // namespace

Result<std::string> BoundaryOf(std::string_view content_type) {
  std::string kind;
  const Parameters parameters = TRY(ParseParameters(content_type, kind));
  if (!EqualsIgnoringCase(kind, "multipart/form-data")) {
    return Failure(Error::Invalid("the body must be multipart/form-data")
                       .WithRemedy("curl -F file=@NAME sends it"));
  }
  const auto boundary = Find(parameters, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > kMaxBoundary ||
      boundary->ends_with(' ') || !std::ranges::all_of(*boundary, IsBoundaryChar)) {
    return Failure(Error::Invalid("the Content-Type has no valid boundary"));
  }
  return *boundary;
}

MultipartReader::MultipartReader(Source source, std::string_view boundary)
    : source_(std::move(source)),
      delimiter_("\r\n--" + std::string(boundary)),
      buffer_("\r\n") {}  // so that the first delimiter is one like the others

// More bytes behind those that are there; false at the end.
Result<bool> MultipartReader::Fill() {
  if (at_end_) return false;
  buffer_.erase(0, std::exchange(at_, 0));
  const size_t old = buffer_.size();
  buffer_.resize(old + kReadBytes);
  const auto count = source_({buffer_.data() + old, kReadBytes});
  buffer_.resize(old + (count ? *count : 0));
  if (!count) return Failure(count.error());
  at_end_ = *count == 0;
  return !at_end_;
}

Result<size_t> MultipartReader::Read(std::span<char> space) {
  if (!in_part_ || space.empty()) return size_t{0};
  for (;;) {
    const std::string_view have = buffered();
    const size_t found = have.find(delimiter_);
    size_t ready = found;
    if (found == std::string_view::npos) {
      // What could be the beginning of a delimiter waits for more.
      ready = have.size() - std::min(have.size(), delimiter_.size() - 1);
    }
    if (ready > 0) {
      const size_t count = std::min(ready, space.size());
      std::memcpy(space.data(), have.data(), count);
      at_ += count;
      return count;
    }
    if (found == 0) {
      in_part_ = false;
      return size_t{0};
    }
    if (!TRY(Fill())) return Failure(Wrong("it is cut short"));
  }
}

Result<void> MultipartReader::Skip() {
  std::vector<char> space(kReadBytes);
  while (TRY(Read(space)) > 0) {
  }
  return {};
}

// Behind a delimiter: true before a part, false after the last.
Result<bool> MultipartReader::TakeDelimiterEnd() {
  while (buffered().size() < delimiter_.size() + 2) {
    if (!TRY(Fill())) return Failure(Wrong("it is cut short"));
  }
  if (!buffered().starts_with(delimiter_))
    return Failure(Wrong("it does not begin with a boundary"));
  at_ += delimiter_.size();
  const std::string_view end = buffered().substr(0, 2);
  at_ += 2;
  if (end == "\r\n") return true;
  if (end == "--") return false;
  return Failure(Wrong("text behind a boundary"));
}

Result<std::string> MultipartReader::TakeHeader() {
  for (;;) {
    // An empty header is the empty line alone.
    if (buffered().starts_with("\r\n")) {
      at_ += 2;
      return std::string();
    }
    const size_t end = buffered().find("\r\n\r\n");
    if (std::min(end, buffered().size()) > kMaxHeaderBytes) {
      return Failure(Wrong("the header of a part is too long"));
    }
    if (end != std::string_view::npos) {
      std::string header(buffered().substr(0, end));
      at_ += end + 4;
      return header;
    }
    if (!TRY(Fill())) return Failure(Wrong("it is cut short"));
  }
}

Result<std::optional<MultipartReader::Part>> MultipartReader::Next() {
  if (done_) return std::nullopt;
  TRY(Skip());
  if (!TRY(TakeDelimiterEnd())) {
    done_ = true;
    return std::nullopt;
  }
  if (++parts_ > kMaxParts) return Failure(Wrong("more parts than " + std::to_string(kMaxParts)));
  Part part = TRY(ParsePart(TRY(TakeHeader())));
  in_part_ = true;
  return part;
}

}  // namespace cay::api
