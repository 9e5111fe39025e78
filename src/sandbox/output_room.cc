#include "sandbox/output_room.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace cay::sandbox {
namespace {

constexpr Bytes kStep = 256 * kKiB;
// So much of all memory for output goes to none that holds much already.
constexpr Bytes kSparedOf = 4;

}  // namespace

Error NoMemoryForAnswer(Shares::Taken taken) {
  constexpr const char* kStream = "stream the output: Accept: text/event-stream";
  if (taken == Shares::Taken::kShareIsUsed) {
    return Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                 "what the server holds for answers to this key is as much as it may be")
        .WithRemedy(std::string("ask for less at a time, or ") + kStream);
  }
  return Error(ErrorCode::kResourceExhausted, Fault::kMachine,
               "what the server holds for answers is as much as it may be together")
      .WithRemedy(
          std::string("try again after the time in Retry-After, raise limits.output_held, or ") +
          kStream);
}

HeldBytes::~HeldBytes() {
  if (mapped_ != nullptr) ::munmap(mapped_, max_);
}

// Pages come when they are written to.
bool HeldBytes::Map() {
  void* mapping = ::mmap(nullptr, max_, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return false;
  mapped_ = static_cast<char*>(mapping);
  size_ = few_.size();
  std::memcpy(mapped_, few_.data(), size_);
  few_ = std::string();
  return true;
}

bool HeldBytes::Append(std::string_view bytes) {
  if (bytes.size() > max_ - size()) return false;
  if (mapped_ == nullptr && few_.size() + bytes.size() <= kFew) {
    few_ += bytes;
    return true;
  }
  if (mapped_ == nullptr && !Map()) return false;
  std::memcpy(mapped_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
  return true;
}

std::string_view HeldBytes::view() const {
  return mapped_ == nullptr ? std::string_view(few_) : std::string_view(mapped_, size_);
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

OutputRoom::Kept OutputRoom::Append(OutputStream stream, std::string_view bytes) {
  HeldBytes& held = stream == OutputStream::kStdout ? out_ : err_;
  const std::string_view first =
      bytes.substr(0, std::min<Bytes>(bytes.size(), held.max() - held.size()));
  if (first.empty()) return bytes.empty() ? Kept::kAll : Kept::kUpToMaximum;
  if (ended_) return Kept::kUpToMemory;
  if (!GrowFor(first.size())) {
    ended_ = true;
    (void)held.Append(first.substr(0, memory_.size() - (out_.size() + err_.size())));
    return Kept::kUpToMemory;
  }
  ended_ = !held.Append(first);
  if (ended_) return Kept::kUpToMemory;
  return first.size() == bytes.size() ? Kept::kAll : Kept::kUpToMaximum;
}

std::string_view OutputRoom::text(OutputStream stream) const {
  return (stream == OutputStream::kStdout ? out_ : err_).view();
}

}  // namespace cay::sandbox
