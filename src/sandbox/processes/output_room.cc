#include "sandbox/processes/output_room.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/encoding.h"

namespace cay::sandbox {
namespace {

constexpr Bytes kStep = 256 * kKiB;
// So much of all memory for output goes to none that holds much already.
constexpr Bytes kSparedOf = 4;

}  // namespace

Error NoMemoryForAnswer(Shares::Taken taken) {
  constexpr const char* kStream = "stream the output: Accept: text/event-stream";
  if (taken == Shares::Taken::kShareIsUsed) {
    return Error::Busy(
               "the output that the server holds for this owner's answers is at its maximum")
        .WithRemedy(std::string("ask for less at a time, or ") + kStream);
  }
  return Error(ErrorCode::kResourceExhausted, Fault::kMachine,
               "the output that the server holds for answers is at its maximum")
      .WithRemedy(
          std::string("try again after the time in Retry-After, raise limits.output_held, or ") +
          kStream);
}

ShownText Show(const KeptText& kept) {
  ShownText shown{.begin = kept.bytes.substr(0, kept.gap_at),
                  .mark = {},
                  .end = kept.bytes.substr(kept.gap_at)};
  if (kept.omitted > 0) {
    shown.begin.remove_suffix(IncompleteUtf8Tail(shown.begin));
    shown.end.remove_prefix(IncompleteUtf8Head(shown.end));
    const uint64_t missing =
        kept.omitted + kept.bytes.size() - shown.begin.size() - shown.end.size();
    shown.mark =
        "\n[" + std::to_string(missing) + (missing == 1 ? " byte" : " bytes") + " omitted]\n";
  }
  shown.is_utf8 = IsUtf8(shown.begin) && IsUtf8(shown.end);
  return shown;
}

HeldBytes& HeldBytes::operator=(HeldBytes&& other) noexcept {
  std::swap(max_, other.max_);
  std::swap(few_, other.few_);
  std::swap(mapped_, other.mapped_);
  std::swap(map_size_, other.map_size_);
  std::swap(size_, other.size_);
  std::swap(oldest_, other.oldest_);
  std::swap(written_, other.written_);
  return *this;
}

HeldBytes::~HeldBytes() {
  if (mapped_ != nullptr) ::munmap(mapped_, map_size_);
}

// Pages come when they are written to.
bool HeldBytes::Map() {
  void* mapping = ::mmap(nullptr, max_, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return false;
  mapped_ = static_cast<char*>(mapping);
  map_size_ = max_;
  size_ = few_.size();
  std::memcpy(mapped_, few_.data(), size_);
  few_ = std::string();
  return true;
}

// What fits.
bool HeldBytes::Fill(std::string_view bytes) {
  if (mapped_ == nullptr && few_.size() + bytes.size() <= kFew) {
    few_ += bytes;
    return true;
  }
  if (mapped_ == nullptr && !Map()) return false;
  std::memcpy(mapped_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
  return true;
}

// What does not: over the oldest of the end.
void HeldBytes::Overwrite(std::string_view bytes) {
  const size_t room = max_ - half();
  if (room == 0) return;
  if (bytes.size() > room) {
    oldest_ = (oldest_ + bytes.size() - room) % room;
    bytes.remove_prefix(bytes.size() - room);
  }
  const std::string_view first = bytes.substr(0, room - oldest_);
  const std::string_view second = bytes.substr(first.size());
  first.copy(data() + half() + oldest_, first.size());
  second.copy(data() + half(), second.size());
  oldest_ = (oldest_ + bytes.size()) % room;
}

bool HeldBytes::Append(std::string_view bytes) {
  const std::string_view fits = bytes.substr(0, max_ - size());
  if (!fits.empty() && !Fill(fits)) return false;
  if (fits.size() < bytes.size()) Overwrite(bytes.substr(fits.size()));
  written_ += bytes.size();
  return true;
}

void HeldBytes::Settle() {
  if (oldest_ == 0) return;
  char* const end = data() + half();
  std::rotate(end, end + oldest_, data() + size());
  oldest_ = 0;
}

KeptText HeldBytes::Text(uint64_t from, uint64_t to) const {
  const std::string_view held =
      mapped_ == nullptr ? std::string_view(few_) : std::string_view(mapped_, size_);
  if (omitted() == 0) return {.bytes = held.substr(from, to - from), .gap_at = to - from};
  const uint64_t gap_begin = half();
  const uint64_t gap_end = gap_begin + omitted();
  // Where in `held` the byte is that was written as number `at`, or the next one that is kept.
  const auto place = [&](uint64_t at) {
    return at <= gap_begin ? at : at <= gap_end ? gap_begin : at - omitted();
  };
  const uint64_t missing_from = std::clamp(from, gap_begin, gap_end);
  const uint64_t missing_to = std::clamp(to, gap_begin, gap_end);
  return {.bytes = held.substr(place(from), place(to) - place(from)),
          .gap_at = std::clamp(place(missing_from), place(from), place(to)) - place(from),
          .omitted = missing_to - missing_from};
}

Result<std::shared_ptr<OutputRoom>> OutputRoom::Take(Shares& all, const std::string& who,
                                                     Bytes max_bytes, Millis patience) {
  Shares::Part memory = all.For(who);
  const Shares::Taken taken = memory.TakeWithin(std::min(kLeast, 2 * max_bytes), patience);
  if (taken != Shares::Taken::kYes) return Failure(NoMemoryForAnswer(taken));
  return std::shared_ptr<OutputRoom>(
      new OutputRoom(std::move(memory), all.whole() / kSparedOf, max_bytes, patience));
}

std::shared_ptr<OutputRoom> OutputRoom::Unshared(Bytes max_bytes) {
  std::shared_ptr<OutputRoom> room(new OutputRoom({}, 0, max_bytes, Millis(0)));
  room->is_shared_ = false;
  return room;
}

bool OutputRoom::GrowFor(size_t bytes) {
  const Bytes needed = out_.size() + err_.size() + bytes;
  if (!is_shared_ || needed <= memory_.size()) return true;
  const Bytes most = out_.max() + err_.max();
  const Bytes wanted = std::min(std::max(needed, memory_.size() + kStep), most);
  return memory_.TakeWithin(wanted - memory_.size(), patience_, spared_) == Shares::Taken::kYes;
}

void OutputRoom::Freeze() {
  frozen_ = true;
  out_.Freeze();
  err_.Freeze();
}

bool OutputRoom::Append(OutputStream stream, std::string_view bytes) {
  HeldBytes& held = stream == OutputStream::kStdout ? out_ : err_;
  if (!frozen_) {
    const size_t more = std::min<Bytes>(bytes.size(), held.max() - held.size());
    if (more == 0 || GrowFor(more)) {
      if (held.Append(bytes)) return true;
    } else {
      const size_t fits = memory_.size() - (out_.size() + err_.size());
      if (held.Append(bytes.substr(0, fits))) bytes.remove_prefix(fits);
    }
    Freeze();
  }
  (void)held.Append(bytes);
  return false;
}

void OutputRoom::Settle() {
  out_.Settle();
  err_.Settle();
}

}  // namespace cay::sandbox
