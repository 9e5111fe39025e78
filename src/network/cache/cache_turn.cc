#include "network/cache/cache_turn.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/os/log.h"
#include "http/wire/serialize.h"

namespace cay::network {
namespace {

constexpr int64_t kTellAgainMs = 60'000;

// What cannot be kept is passed on all the same. Told, and not more often than somebody reads it.
void TellFailure(CacheDirectory& directory, const Error& error) {
  ++directory.counts().failed;
  static int64_t told = -kTellAgainMs;
  if (SteadyMs() - told < kTellAgainMs) return;
  told = SteadyMs();
  LogWarning("the package cache keeps nothing just now: " + error.message());
}

Result<std::string> ReadAt(const Fd& file, uint64_t from, size_t count) {
  std::string bytes(count, '\0');
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(from));
  if (got < 0) return Failure(Error::FromErrno("reading from the package cache"));
  if (got == 0)
    return Failure(Error(ErrorCode::kIo, Fault::kMachine, "a file of the package cache ends"));
  bytes.resize(static_cast<size_t>(got));
  return bytes;
}

}  // namespace

std::optional<CacheTurn> CacheTurn::Begin(const CacheUse& use, std::string_view method,
                                          std::string_view target, const http::Headers& headers) {
  auto plan = PlanRequest(use.place, method, target, headers);
  if (!plan || !*plan) return std::nullopt;
  CacheTurn turn(*use.directory, **std::move(plan));
  turn.found_ = use.directory->Find(turn.plan_.key.file, turn.plan_.key.text);
  if (!turn.found_) {
    ++use.directory->counts().misses;
    return turn;
  }
  auto digest = Sha256::Start();
  if (!digest) return std::nullopt;
  turn.digest_ = *std::move(digest);
  turn.state_ = State::kChecking;
  return turn;
}

// Whether the body is whole, when all of it was read; an error for one that is not what was kept.
Result<bool> CacheTurn::IsWhole() {
  const StoredAnswer& answer = found_->answer;
  if (read_ < answer.size) {
    const std::string bytes = TRY(ReadAt(
        found_->body, read_, static_cast<size_t>(std::min<uint64_t>(kSlice, answer.size - read_))));
    TRY(digest_->Add(bytes));
    read_ += bytes.size();
  }
  if (read_ < answer.size) return false;
  const std::string digest = TRY(std::move(*digest_).Hex());
  if (digest == answer.digest) return true;
  return Failure(Error(ErrorCode::kIo, Fault::kMachine, "a file of the package cache is damaged"));
}

void CacheTurn::CheckSome() {
  const auto whole = IsWhole();
  if (whole && !*whole) return;
  if (!whole) {
    ++directory_->counts().damaged;
    ++directory_->counts().misses;
    directory_->Forget(plan_.key.file, found_->answer.digest);
    found_.reset();
    state_ = State::kAsking;
    return;
  }
  if (plan_.wish == Wish::kStored && IsFresh(found_->answer, UnixMs())) return Give();
  state_ = State::kAsking;
}

void CacheTurn::Give() {
  state_ = State::kGiving;
  read_ = 0;
  ++directory_->counts().hits;
}

http::Headers CacheTurn::Request() {
  asked_unix_ms_ = UnixMs();
  http::Headers headers = plan_.headers;
  if (found_) {
    for (auto& [name, value] : ConditionsOf(found_->answer)) headers.Add(name, value);
  }
  return headers;
}

bool CacheTurn::NoAnswer() {
  if (state_ != State::kAsking || !found_ || plan_.wish != Wish::kChecked ||
      !IsFresh(found_->answer, UnixMs()))
    return false;
  Give();
  return true;
}

CacheTurn::Taken CacheTurn::Answered(const http::ResponseHead& head, const http::Headers& headers) {
  state_ = State::kAnswered;
  const int64_t now = UnixMs();
  const std::string& file = plan_.key.file;
  if (head.status == 304 && found_ && !ConditionsOf(found_->answer).empty()) {
    Renewal renewal = Renew(found_->answer, head, headers, asked_unix_ms_, now);
    if (!renewal.keep) directory_->Forget(file, {});
    if (!renewal.good) return Taken::kUseless;
    found_->answer = std::move(renewal.answer);
    if (renewal.keep) {
      if (const auto kept = directory_->Rewrite(file, found_->answer); !kept)
        TellFailure(*directory_, kept.error());
    }
    ++directory_->counts().renewed;
    Give();
    return Taken::kGive;
  }
  answer_ = JudgeAnswer(plan_.key, head, headers, asked_unix_ms_, now);
  // What is kept is not what the server has now.
  if (!answer_ && found_ && head.status < 500) directory_->Forget(file, {});
  if (!answer_) return Taken::kPassOn;
  if (const auto begun = BeginToKeep(head.content_length); !begun)
    TellFailure(*directory_, begun.error());
  return Taken::kPassOn;
}

Result<void> CacheTurn::BeginToKeep(std::optional<uint64_t> size) {
  digest_ = TRY(Sha256::Start());
  part_.emplace(TRY(directory_->Begin(size)));
  return {};
}

void CacheTurn::Add(std::string_view piece) {
  if (!part_) return;
  auto added = part_->Append(piece);
  if (added) added = digest_->Add(piece);
  if (added) return;
  TellFailure(*directory_, added.error());
  part_.reset();
}

void CacheTurn::Complete() {
  if (!part_) return;
  auto digest = std::move(*digest_).Hex();
  if (!digest) return TellFailure(*directory_, digest.error());
  answer_->digest = *std::move(digest);
  answer_->size = part_->size();
  const auto kept = directory_->Keep(*std::move(part_), plan_.key.file, *answer_);
  part_.reset();
  if (!kept) TellFailure(*directory_, kept.error());
}

std::string CacheTurn::Head(bool keep_alive) const {
  http::Headers headers;
  for (const auto& [name, value] : found_->answer.headers) headers.Add(name, value);
  constexpr uint64_t kOldest = uint64_t{1} << 31;  // RFC 9111, 1.2.2
  headers.Add("Age", std::to_string(std::min(kOldest, AgeOf(found_->answer, UnixMs()))));
  headers.Add("Content-Length", std::to_string(found_->answer.size));
  if (!keep_alive) headers.Add("Connection", "close");
  return http::StatusLineAndHeaders(200, headers) + "\r\n";
}

Result<std::string> CacheTurn::Read() {
  const uint64_t left = found_->answer.size - read_;
  if (left == 0) return std::string();
  std::string bytes =
      TRY(ReadAt(found_->body, read_, static_cast<size_t>(std::min<uint64_t>(kPiece, left))));
  read_ += bytes.size();
  directory_->counts().hit_bytes += bytes.size();
  return bytes;
}

}  // namespace cay::network
