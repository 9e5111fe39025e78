#include "network/names/name_book.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/os/log.h"
#include "base/text.h"
#include "network/wire/dns_message.h"

namespace cay::network {
namespace {

constexpr unsigned kMfdNoexecSeal = 0x8;  // linux/memfd.h, Linux 6.3
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;

// As it stands in the file. `number` 0: nothing does.
struct Line {
  uint64_t number = 0;
  uint8_t family = 0;
  uint8_t name_bytes = 0;
  std::array<uint8_t, 6> unused{};
  std::array<uint8_t, Address::kBytes> address{};
  std::array<char, 256> name{};
};
static_assert(std::is_trivially_copyable_v<Line> && sizeof(Line) == 288);
static_assert(kMaxDnsName < sizeof Line::name);

constexpr off_t kPage = 4096;  // every kernel's is a multiple
constexpr uint32_t kLinesOfPage = kPage / sizeof(Line);
// Numbers go on from the highest.
constexpr uint64_t kMaxNumber = uint64_t{1} << 62;

struct Span {
  off_t begin = 0;
  uint32_t lines = 0;
  off_t end() const { return begin + (lines + kLinesOfPage - 1) / kLinesOfPage * kPage; }
};

Span SpanOf(NameBook::Part part) {
  const Span given{.begin = 0, .lines = NameBook::kGivenLines};
  return part == NameBook::Part::kGiven
             ? given
             : Span{.begin = given.end(), .lines = NameBook::kPinnedLines};
}

off_t FileBytes() { return SpanOf(NameBook::Part::kPinned).end(); }

Result<Fd> MakeFile() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int raw = ::memfd_create("cay-names", kFlags | kMfdNoexecSeal);
  if (raw < 0 && errno == EINVAL) raw = ::memfd_create("cay-names", kFlags);
  if (raw < 0) return Failure(Error::FromErrno("making a file in memory for names"));
  return Fd::Adopt(raw);
}

std::optional<Address> AddressOf(const Line& line) {
  const auto& bytes = line.address;
  if (line.family == static_cast<uint8_t>(Family::kV6)) {
    const Address address = Address::V6(bytes);
    if (address.Unmapped() == address) return address;
    return std::nullopt;
  }
  const bool has_more =
      std::any_of(bytes.begin() + 4, bytes.end(), [](uint8_t byte) { return byte != 0; });
  if (line.family != static_cast<uint8_t>(Family::kV4) || has_more) return std::nullopt;
  return Address::V4(uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 |
                     bytes[3]);
}

Result<NameBook::Entry> EntryOf(const Line& line, uint32_t place) {
  const auto address = AddressOf(line);
  std::string name(line.name.data(), line.name_bytes);
  if (!address || line.number > kMaxNumber || !IsNameOfQuestion(name) || Lower(name) != name)
    return Failure(NameBook::NotWrittenByTables());
  return NameBook::Entry{
      .line = place, .number = line.number, .address = *address, .name = std::move(name)};
}

}  // namespace

Error NameBook::NotWrittenByTables() {
  return {ErrorCode::kProtocol, Fault::kMachine, "not names that a relay has written"};
}

Result<std::shared_ptr<NameBook>> NameBook::Make() {
  Fd file = TRY(MakeFile());
  if (::ftruncate(file.get(), FileBytes()) < 0 || ::fcntl(file.get(), F_ADD_SEALS, kSeals) < 0)
    return Failure(Error::FromErrno("making a file in memory for names"));
  return std::shared_ptr<NameBook>(new NameBook(std::move(file)));
}

// Other files have no seals.
Result<std::shared_ptr<NameBook>> NameBook::Adopt(Fd file) {
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  struct stat info{};
  const bool is_sealed = seals >= 0 && (seals & kSeals) == kSeals && (seals & F_SEAL_WRITE) == 0;
  if (!is_sealed || ::fstat(file.get(), &info) < 0 || info.st_size != FileBytes())
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "not a file of a relay's names"));
  return std::shared_ptr<NameBook>(new NameBook(std::move(file)));
}

Result<void> NameBook::Put(Part part, uint32_t line, std::string_view bytes) {
  const Span span = SpanOf(part);
  if (line >= span.lines) return Failure(Error::Invalid("a line that no table of names has"));
  const off_t at = span.begin + off_t{line / kLinesOfPage} * kPage +
                   static_cast<off_t>(line % kLinesOfPage * sizeof(Line));
  const ssize_t put = ::pwrite(file_.get(), bytes.data(), bytes.size(), at);
  if (std::cmp_equal(put, bytes.size())) return {};
  Error error = Error::FromErrno("writing a sandbox's names down", put < 0 ? errno : EIO);
  if (!std::exchange(has_failed_, true)) LogWarning(error.ToString());
  return Failure(std::move(error));
}

Result<void> NameBook::Write(Part part, const Entry& entry) {
  Line line{.number = entry.number,
            .family = static_cast<uint8_t>(entry.address.family()),
            .address = entry.address.bytes()};
  if (entry.name.size() > kMaxDnsName) return Failure(Error::Invalid("a name over 253 bytes"));
  line.name_bytes = static_cast<uint8_t>(entry.name.size());
  std::ranges::copy(entry.name, line.name.begin());
  const auto bytes = std::bit_cast<std::array<char, sizeof(Line)>>(line);
  return Put(part, entry.line, {bytes.data(), bytes.size()});
}

Result<void> NameBook::Erase(Part part, uint32_t line) {
  constexpr std::array<char, sizeof(Line)> kNothing{};
  return Put(part, line, {kNothing.data(), kNothing.size()});
}

Result<std::vector<NameBook::Entry>> NameBook::Read(Part part) const {
  const Span span = SpanOf(part);
  std::vector<Entry> entries;
  std::array<char, kPage> page;
  for (off_t at = span.begin; at < span.end(); at += kPage) {
    // Of pages that were never written there are none.
    const off_t data = ::lseek(file_.get(), at, SEEK_DATA);
    if (data < 0 && errno != ENXIO) return Failure(Error::FromErrno("reading a sandbox's names"));
    if (data < 0 || data >= span.end()) break;
    at = data / kPage * kPage;
    if (::pread(file_.get(), page.data(), page.size(), at) != kPage)
      return Failure(Error::FromErrno("reading a sandbox's names"));
    const auto first = static_cast<uint32_t>((at - span.begin) / kPage) * kLinesOfPage;
    for (uint32_t i = 0; i < kLinesOfPage && first + i < span.lines; ++i) {
      Line line;
      std::memcpy(&line, page.data() + i * sizeof line, sizeof line);
      if (line.number != 0) entries.push_back(TRY(EntryOf(line, first + i)));
    }
  }
  std::ranges::sort(entries, {}, &Entry::number);
  return entries;
}

}  // namespace cay::network
